"""The optional features of a target, and the profiles that follow from them. Layer 2, tables."""

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

_STREAMS_TEXT = ("stream.text", "stream.completed-last", "stream.start-before")
"""What one stream alone has to bring, before its content is compared with anything."""

_UNREADABLE = ("stream.json/syntax",)
"""The finding that the events cannot be read."""

_BLOCKED = "cancel.ok/blocked"
"""The finding that nothing can be asked while a run is streamed."""

DIVIDED = "resume.live/divided"
"""The finding that several readers of a run share its events."""

RESTS_ON: dict[str, tuple[str, ...]] = {
    "get.ok": ("create.id-unique", "stream.id-constant"),
    "create.ok": ("chain.ok/after-refusal",),
    # What is refused at times is not refused for what is special about one request.
    **dict.fromkeys(("chain.ok", "tool.result-ok", "tool.result-forms", "bg.result-ok"), ("create.ok/denied",)),
    "create.id": ("stream.id-constant",),
    "create.id-unique": ("stream.id-constant",),
    "store.false-get": ("stream.id-constant",),
    **dict.fromkeys(("tool.declared", "tool.choice-allowed"), ("tool.call-fields", "http.json-valid")),
    "auth.missing": ("auth.next",),
    "auth.wrong": ("auth.missing",),
    "del.ok": ("create.id-unique", "stream.id-constant", "get.ok/denied"),
    **dict.fromkeys(
        ("create.both", "create.config-mismatch", "create.config-agent", "agent.unknown"), ("agent.field/model",)
    ),
    "cancel.ok": ("get.ok/other", "get.ok/late"),
    "cancel.state": ("create.id-unique", _BLOCKED),
    **dict.fromkeys(
        ("err.no-crash", "err.unknown-model", "err.unknown-route", "err.bad-enum", "create.large", "file.upload"),
        ("err.status/failed",),
    ),
    **dict.fromkeys(("rob.deep-json", "rob.id-injection"), ("err.no-crash", "err.status/failed")),
    **dict.fromkeys(("err.malformed-json", "err.body-array", "rob.bad-utf8"), ("err.no-crash/unanswered",)),
    "create.completed-has-output": ("err.stream-prestream",),
    "create.long-input": ("get.own-input",),
    "create.input-content": ("create.no-stream-json",),
    **dict.fromkeys(
        ("create.max-tokens", "create.no-summaries", "tool.choice-any", "tool.search"), ("err.status",)
    ),
    "create.response-format": ("bg.result",),
    "resume.last": ("resume.no-gap",),
    "bg.at-once": ("create.status-listed",),
    "bg.settles": ("bg.result",),
    "bg.no-regress": ("stream.completed-status", "bg.result/late", "create.cut-short"),
    "stream.end-matches-get": ("get.usage", "stream.completed-status"),
    "bg.requires-action-streamed": ("tool.stream-status",),
    "tool.stream-parallel": ("tool.ids-unique", "stream.start-before", "tool.stream-call", "stream.schema/type"),
    "rob.concurrent-output": ("create.id-unique",),
    "chain.after-settled": ("get.ok", "create.ok/denied"),
    "bg.survives-hangup": ("cancel.state/others", "get.ok/denied"),
    "bg.transition": ("cancel.state/others",),
    "cancel.schema": ("cancel.ok/no-interaction", _BLOCKED),
    "cancel.stays": ("create.id-unique", "cancel.state", "bg.no-regress", _BLOCKED),
    "cancel.result-stays": ("bg.no-regress",),
    "cancel.keeps-background-result": ("bg.no-regress", "get.same"),
    **dict.fromkeys(("bg.grows", "cancel.keeps-result", "chain.parent-unchanged", "tool.get-same"), ("get.same",)),
    "cancel.get-after": ("cancel.state",),
    "cancel.stream-ends": ("cancel.state", _BLOCKED, *_UNREADABLE),
    "cancel.twice": ("cancel.state",),
    "store.false-chain": ("store.false-get", "chain.takes-effect"),
    "chain.whole-history": ("chain.takes-effect", "chain.history", "chain.streamed"),
    **dict.fromkeys(("chain.streamed", "chain.background"), ("chain.takes-effect", "chain.history")),
    "chain.unknown": ("chain.takes-effect",),
    "chain.running": ("chain.takes-effect",),
    "chain.echo": ("chain.takes-effect",),
    "agent.chain-needs-env": ("chain.takes-effect",),
    "long.join": ("long.same-id",),
    "stream.text": ("stream.completed-last", "stream.start-before"),
    "stream.signature": ("stream.id-constant", *_STREAMS_TEXT),
    "stream.equals-get": ("stream.id-constant", "stream.signature", "tool.stream-call", *_STREAMS_TEXT),
    "stream.hangup": ("stream.id-constant",),
    "stream.stop-once": ("resume.no-gap", DIVIDED),
    **dict.fromkeys(("stream.index-reuse", "stream.no-interleave"), ("resume.live",)),
    "rob.concurrent": ("get.own-input",),
    "create.format-streamed": ("create.response-format", *_STREAMS_TEXT),
    "env.recursive": ("env.files",),
    "env.fork-files": ("env.file-content",),
    "filesearch.import": ("file.upload", "filesearch.operation", "filesearch.document"),
    "filesearch.import-found": ("filesearch.import",),
    "agent.base-fork": ("agents.run", "env.file-content"),
    "env.update-network": ("agent.field", "env.network", "env.file-content"),
    **dict.fromkeys(
        ("env.upload-creates-parents", "env.upload-resumable", "env.upload-x-goog", "env.upload-extract"),
        ("env.file-content", "env.upload"),
    ),
    "del.gone": ("bg.result/outlived",),
    "del.gone-stream": ("del.gone",),
    "del.chain-after": ("del.gone", "chain.takes-effect", "chain.unknown"),
    **dict.fromkeys(("del.running", "del.stays-gone"), ("del.gone",)),
    "del.reader-ends": ("bg.settles", "stream.closes"),
    "err.stream-prestream": ("err.no-crash",),
    "stream.first": ("err.stream-prestream", DIVIDED, *_UNREADABLE),
    "stream.bg-and-stream": _UNREADABLE,
    "stream.incremental": _UNREADABLE,
    "bg.incomplete-visible": _UNREADABLE,
    "resume.no-gap": ("stream.text", "stream.terminal", "stream.event-type", *_UNREADABLE),
    "resume.same-id": ("stream.id-constant",),
    "tool.call-fields": ("create.schema/type",),
    "tool.stream-call": ("stream.schema/type",),
    "tool.stream-status": _UNREADABLE,
    "tool.choice-none": ("http.json-valid",),
    **dict.fromkeys(("stream.start-before", "stream.index-contiguous"), (DIVIDED,)),
    "tool.stateless": ("chain.stateless",),
    "resume.exclusive": ("stream.text", "resume.no-gap", "stream.event-type", "stream.evid-unique", *_UNREADABLE),
    "resume.ids-stable": ("resume.no-gap/ids", "resume.exclusive/ids"),
    "resume.finished": ("resume.no-gap", "stream.completed-last", "stream.terminal"),
    "resume.encoded": ("stream.text", "resume.no-gap"),
    "resume.live": (_BLOCKED, "stream.text", "resume.no-gap", "resume.exclusive", "stream.terminal"),
    "resume.from-create": (
        "stream.text",
        "bg.survives-hangup",
        "cancel.state/others",
        "resume.live",
        "resume.no-gap",
        "resume.exclusive",
        "stream.terminal",
    ),
    "resume.two-readers": ("resume.live", "resume.no-gap", "resume.exclusive"),
    "resume.replay": ("stream.text", "resume.two-readers", "resume.live"),
    "resume.well-formed": ("resume.no-gap", "stream.completed-last", "stream.event-type"),
    **dict.fromkeys(
        ("hook.signature", "hook.envelope", "hook.event-status", "hook.retry", "hook.rotation"), ("hook.delivery",)
    ),
}
"""Checks that say nothing of their own while another one is broken; with a `/`, while it has that finding."""

_READ_A_STATUS = """
    create.status-listed create.completed-has-output create.response-format usage.counted stream.text
    del.running bg.at-once bg.result bg.no-regress bg.queued bg.failed-diag bg.failed-visible
    bg.failed-streamed
    bg.incomplete-visible long.same-id resume.two-readers resume.live cancel.ok cancel.schema cancel.state
    cancel.shows-output cancel.stays cancel.result-stays cancel.get-after cancel.stream-ends cancel.twice
    cancel.settled cancel.keeps-background-result chain.ok chain.running chain.after-settled
    tool.requires-action cont.token cont.next cont.with-input cont.bad-token cont.stream agent.token-limit
    agent.chain-needs-env agent.chain-env agent.env-kept agent.mixed-chain hook.delivery rob.concurrent-streams
"""
RESTS_ON |= {check: ("create.status", *RESTS_ON.get(check, ())) for check in _READ_A_STATUS.split()}

_READ_STEPS = """
    create.completed-has-output create.response-format create.format-list create.format-image create.format-audio
    get.matches-post tool.choice-any
"""
RESTS_ON |= {check: ("create.generation", *RESTS_ON.get(check, ())) for check in _READ_STEPS.split()}

LATE = "bg.result/late"
RESTS_ON |= {
    check: (LATE, *RESTS_ON.get(check, ()))
    for check in (
        "stream.text",
        "stream.equals-get",
        "stream.end-matches-get",
        "get.same",
        "bg.grows",
        "create.cut-short",
    )
}

RESTS_ON |= {
    check: ("resume.opens", *RESTS_ON.get(check, ()))
    for check in BY_ID
    if check.startswith("resume.") and check not in ("resume.opens", "resume.foreground", "resume.unknown")
}

MIXED = "rob.concurrent-streams/mixed"
_READ_A_STREAM = [name for name in BY_ID if name.startswith(("stream.", "resume."))]
# What other streams show, too, is no mixture of streams that were open at the same time.
RESTS_ON["rob.concurrent-streams"] = tuple(name for name in _READ_A_STREAM if ROWS[name].everywhere)
RESTS_ON |= {
    check: (MIXED, *RESTS_ON.get(check, ()))
    for check in (*_READ_A_STREAM, "create.format-streamed", "cancel.stream-ends", "create.id-unique")
}

CROSSED = "create.ok/another"
_READ_A_CREATE = ("create.", "tool.", "chain.", "usage.", "get.matches-post", "get.usage", "get.constant")
RESTS_ON |= {
    check: (CROSSED, *RESTS_ON.get(check, ()))
    for check in BY_ID
    if check.startswith(_READ_A_CREATE) and check != "create.ok"
}
