"""The optional features of a target, and the profiles that follow from them. Tables."""

from __future__ import annotations

from harness.rules import BY_ID, ROWS

PROFILES = ("core", "streaming", "background", "chaining", "tools", "agents", "resources")

CAPABILITIES: dict[str, str] = {
    "v1": "serves /v1 in addition to its default version",
    "auth": "checks API keys",
    "two-keys": "is tested with a key of another project",
    "store": "stores interactions and serves GET",
    "delete": "deletes stored interactions",
    "listing": "lists stored interactions, as Vertex does",
    "chain": "continues interactions through previous_interaction_id",
    "stream": "streams events",
    "background": "runs in the background",
    "cancel": "cancels background runs",
    "resume": "streams stored interactions through GET",
    "background-slow": "has background runs that last long enough to cancel or resume",
    "event-ids": "sends an event_id with the events of background streams",
    "functions": "calls a declared function when forced to",
    "formats": "gives its output the `response_format` of the request",
    "prompts": "returns texts that follow the prompt, not scripted ones",
    "thoughts": "emits thought steps",
    "search": "runs the google_search tool",
    "agents": "runs agents",
    "environments": "gives managed agents an environment",
    "self-hosted": "has environments whose sandbox the user runs",
    "agents-crud": "lets this key create agents",
    "webhooks": "lets this key create webhooks",
    "credentials": "lets this key store credentials",
    "triggers": "lets this key create triggers",
    "files": "accepts uploads of files",
    "file-search-stores": "offers file search stores",
    "voices": "keeps voices",
    "decisions": "answers questions by probabilities",
    "continuation": "pauses with requires_continuation",
    "long-decode": "decodes long responses in several parts",
    "image-answers": "returns images",
    "audio-answers": "returns speech",
    "deep-research": "runs deep research",
    "script": "can be scripted through /__harness__/",
}
"""Every capability a check may require, with its meaning; declared by the user or probed."""

PROFILE_GATES: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "streaming": frozenset({"stream"}),
    "background": frozenset({"background"}),
    "chaining": frozenset({"store", "continuation"}),
    "tools": frozenset({"functions", "search"}),
    "agents": frozenset({"agents", "environments", "agents-crud", "webhooks", "credentials", "triggers"}),
    "resources": frozenset({"files", "file-search-stores", "voices", "decisions"}),
}
"""Without `--profile`, a profile is on if any of these capabilities is present; `core` is always on."""


REMEDIES: dict[str, str] = {
    "two-keys": "with the key of another project (--other-api-key, OTHER_GEMINI_API_KEY)",
    "agents-crud": "with --capability +agents-crud, if this key may create agents",
    "self-hosted": "with --capability +self-hosted, if this key may create such environments",
    "continuation": "with --capability +continuation, on a test target whose plain creates pause",
    "long-decode": "with --capability +long-decode and a suitable model (--model); it costs 65,536 tokens",
    "image-answers": "with --capability +image-answers and a model that generates images (--model)",
    "audio-answers": "with --capability +audio-answers and a model that generates speech (--model)",
    "deep-research": "with --capability +deep-research and --timeout 3600, for two runs of many minutes",
    "background-slow": "with a model whose background runs last some seconds (--model)",
    "functions": "with a model that calls functions (--model); for scripted texts, use --capability -functions",
    "search": "with a model that can search (--model)",
    "thoughts": "with a model that shows its thoughts (--model)",
    "event-ids": "with an event_id on the events of background streams",
}
"""What would make the checks testable that need a capability which could not be seen."""

PROOFS: dict[str, str] = {
    "store": "get.ok",
    "stream": "stream.opens",
    "background": "bg.at-once",
    "resume": "resume.opens",
    "agents": "agent.field",
    "formats": "create.response-format",
}
"""The check that judges the promise of a capability: while it is broken, nothing else that needs it is judged."""

RESTS_ON: dict[str, tuple[str, ...]] = {id_: ROWS[id_].rests_on for id_ in BY_ID if ROWS[id_].rests_on}
"""Checks that say nothing of their own while another one is broken; with a `/`, while it has that finding.

A row names what its check rests on. What many checks rest on comes before that.
"""

_READ_A_STREAM = [name for name in BY_ID if name.startswith(("stream.", "resume."))]
# What other streams show, too, is no mixture of streams that were open at the same time; that may end them.
_OF_ONE_STREAM = tuple(name for name in _READ_A_STREAM if ROWS[name].everywhere and name != "stream.terminal")
RESTS_ON["rob.concurrent-streams"] = _OF_ONE_STREAM

_OPENS_NOTHING = ("resume.opens", "resume.foreground", "resume.unknown")
_READ_A_CREATE = ("create.", "tool.", "chain.", "usage.", "get.matches-post", "get.usage", "get.constant")
_READ_OUTPUT = (*_READ_A_CREATE, "stream.", "resume.", "bg.", "get.same", "cancel.", "rob.concurrent")
_COMPARES_CREATES = [name for name in BY_ID if name.startswith(_READ_A_CREATE) and name != "create.ok"]
for _first, _checks in {
    "resume.opens": [name for name in BY_ID if name.startswith("resume.") and name not in _OPENS_NOTHING],
    "rob.concurrent-streams/mixed": [
        *_READ_A_STREAM, "create.format-streamed", "cancel.stream-ends", "create.id-unique",
    ],
    "rob.concurrent-streams/cut": ["create.format-streamed", "cancel.stream-ends"],
    "create.ok/another": _COMPARES_CREATES,
    "create.ok/shared": [name for name in BY_ID if name.startswith(_READ_OUTPUT) and name != "create.ok"],
    "rob.concurrent-output": [name for name in _COMPARES_CREATES if name != "create.id-unique"],
}.items():  # fmt: skip
    RESTS_ON |= {check: (_first, *RESTS_ON.get(check, ())) for check in _checks}
