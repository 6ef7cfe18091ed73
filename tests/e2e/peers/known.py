"""Defects of third-party servers that a client can see: the check that finds each, the curl that confirms it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from typing import Any

Step = tuple[str, str, Any]
"""Method, path below the root, JSON body or None; `{id}` stands for the id in the answer before."""

PLAIN = {"model": "gemini-3.5-flash", "input": "Say hi.", "stream": False}
CREATE = ("POST", "/v1beta/interactions", PLAIN)


@dataclass(frozen=True)
class Known:
    """One defect: its number in our notes, the check that must notice it, and the requests that show it with curl.

    `shows` is a pattern that matches the output of the last curl, status line included.
    """

    number: str
    check: str
    what: str
    source: str
    steps: tuple[Step, ...] = field(default=(CREATE,))
    shows: str = ""

    def __str__(self) -> str:
        return f"{self.number}-{self.check}"


LITELLM = (
    Known(
        "L1",
        "resume.opens",
        "GET with `stream=true` returns JSON, so a dropped stream cannot be resumed",
        "Interactions API reference, get: `stream`",
        (CREATE, ("GET", "/v1beta/interactions/{id}?stream=true", None)),
        r"content-type: application/json",
    ),
    Known(
        "L2",
        "cancel.ok",
        "cancel is sent upstream as `:cancel`, which is not a route: the answer is 404 and the run goes on",
        "Background execution, cancel",
        (
            ("POST", "/v1beta/interactions", {**PLAIN, "background": True}),
            ("POST", "/v1beta/interactions/{id}/cancel", None),
        ),
        r"^HTTP/1.1 404",
    ),
    Known(
        "L3",
        "http.v1",
        "there are no `/v1` routes, which google-genai 3.3.0 calls by default",
        "google-genai 3.3.0, default version",
        (("POST", "/v1/interactions", PLAIN),),
        r"^HTTP/1.1 404",
    ),
    Known(
        "L8",
        "err.unknown-field",
        "unknown fields are silently dropped",
        "API errors: parameter_unknown",
        (("POST", "/v1beta/interactions", {**PLAIN, "no_such_field": 1}),),
        r"^HTTP/1.1 200",
    ),
    Known(
        "L8",
        "create.both",
        "an `agent` next to a `model` is silently dropped",
        "Interactions API reference, create: exactly one of the two",
        (("POST", "/v1beta/interactions", {**PLAIN, "agent": "antigravity-preview-09-2026"}),),
        r"^HTTP/1.1 200",
    ),
    Known(
        "L9",
        "create.schema",
        "`agent` and `outputs` are null; in the schema `agent` is a string",
        "Interactions API reference, Interaction",
        (CREATE,),
        r'"agent":null',
    ),
    Known(
        "L10",
        "del.ok",
        "DELETE returns `{success, id}` instead of an empty object",
        "Interactions API reference, delete",
        (CREATE, ("DELETE", "/v1beta/interactions/{id}", None)),
        r'"success"',
    ),
    Known(
        "L10",
        "err.code-word",
        "the code of an error is the HTTP status as a string",
        "API errors: the error object",
        (("GET", "/v1beta/interactions/v1_unknown", None),),
        r'"code":\s*"404"',
    ),
    Known(
        "L11",
        "err.body-array",
        "a JSON array as the body causes a server error",
        "generic HTTP: client errors are 4xx",
        (("POST", "/v1beta/interactions", [1]),),
        r"^HTTP/1.1 500",
    ),
)


@dataclass(frozen=True)
class Seen:
    """A defect seen from both sides: its number, the rule of `harness gateway`, and a pattern for its findings."""

    number: str
    rule: str
    what: str
    says: str
    verdicts: frozenset[str] = frozenset({"fail", "warn"})

    def __str__(self) -> str:
        return f"{self.number}-{self.rule}"


LITELLM_GATEWAY = (
    Seen("L1", "gw.query", "a get loses its query", r"query parameter stream did not arrive"),
    Seen("L1", "gw.resume-through", "a dropped stream cannot be resumed", r"no stream arrived"),
    Seen("L2", "gw.route", "cancel goes upstream as `:cancel`", r":cancel"),
    Seen("L4", "gw.truncated", "a stream that breaks off is ended with [DONE]", r"made up the end.*\[DONE\]"),
    Seen("L5", "gw.broken-frame", "an event that is no JSON is skipped", r"was skipped"),
    Seen("L6", "gw.error-event", "its own error in a stream is no error event", r"is no error event"),
    Seen("L7", "gw.once", "a create whose answer is lost is sent again", r"one create became 2 upstream"),
    Seen(
        "L8", "gw.body-fields", "fields of a create are dropped", r"the field safety_settings of a create was lost"
    ),
    Seen("L8", "gw.unknown-field", "unknown fields are dropped", r"dropped without a word"),
    Seen("L9", "gw.event-names", "`event:` lines are dropped", r"lost their event: line"),
    Seen("L9", "gw.additions", "events get a `model`", r"added to an event: \$\.model", frozenset({"info"})),
    Seen("L10", "gw.error-body", "errors have codes of another API", r"the code of an error was lost"),
    Seen("L10", "gw.additions", "a deletion says more", r"answer to a delete: .*\$\.success", frozenset({"info"})),
    Seen("L12", "gw.nothing-else", "it polls background runs itself", r"arrived upstream that no client made"),
)

AIMOCK = (
    Known(
        "D9",
        "create.no-stream-json",
        "a create without `stream` returns a stream",
        "Interactions API reference, create: `stream`",
        (("POST", "/v1beta/interactions", {"model": "gemini-3.5-flash", "input": "Say hi."}),),
        r"(?i)content-type: text/event-stream",
    ),
    Known(
        "no storage",
        "get.ok",
        "a stored interaction cannot be read",
        "Interactions API reference, get",
        (CREATE, ("GET", "/v1beta/interactions/{id}", None)),
        r"^HTTP/1.1 404",
    ),
    Known(
        "no storage",
        "del.ok",
        "a stored interaction cannot be deleted",
        "Interactions API reference, delete",
        (CREATE, ("DELETE", "/v1beta/interactions/{id}", None)),
        r"^HTTP/1.1 404",
    ),
    Known(
        "no background",
        "bg.result",
        "a background run cannot be polled for its result",
        "Background execution, polling",
        (
            ("POST", "/v1beta/interactions", {**PLAIN, "background": True}),
            ("GET", "/v1beta/interactions/{id}", None),
        ),
        r"^HTTP/1.1 404",
    ),
    Known(
        "no chaining",
        "chain.unknown",
        "a made-up `previous_interaction_id` is accepted",
        "API errors: not_found",
        (("POST", "/v1beta/interactions", {**PLAIN, "previous_interaction_id": "v1_made_up"}),),
        r"^HTTP/1.1 200",
    ),
    Known(
        "no validation",
        "create.model-xor-agent",
        "a create with neither model nor agent is accepted",
        "Interactions API reference, create: exactly one of the two",
        (("POST", "/v1beta/interactions", {"input": "Say hi.", "stream": False}),),
        r"^HTTP/1.1 200",
    ),
    Known(
        "no validation",
        "err.wrong-type",
        "known fields with values of the wrong type are accepted",
        "API errors: invalid_request",
        (("POST", "/v1beta/interactions", {**PLAIN, "store": "yes"}),),
        r"^HTTP/1.1 200",
    ),
    Known(
        "D10",
        "stream.surrogates",
        "an emoji is split into the two halves of its surrogate pair",
        "RFC 8259, section 8.2",
        (("POST", "/v1beta/interactions", {**PLAIN, "stream": True}),),
        r"\\ud83d\"",
    ),
    Known(
        "D11",
        "create.times",
        "`created` and `updated` are missing",
        "Interactions API reference, Interaction",
        (CREATE,),
        r"(?s)^(?!.*\"created\")",
    ),
)


def curl(url: str, key: str, steps: tuple[Step, ...]) -> tuple[list[str], str]:
    """Run these steps with curl; return the command lines, without the key, and the last output with headers."""
    lines, printed, found = [], "", ""
    for method, path, body in steps:
        arguments = ["-X", method, url + path.replace("{id}", found)]
        if body is not None:
            arguments += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        lines.append(" ".join(["curl -sS -i", *map(_quoted, ["-X", method, "$URL" + path, *arguments[3:]])]))
        command = ["curl", "-sS", "-i", "--max-time", "60", "-H", f"x-goog-api-key: {key}", *arguments]
        printed = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "replace")
        match = re.search(r'"id":\s*"([^"]+)"', printed)
        found = match.group(1) if match else ""
    return lines, printed


def _quoted(word: str) -> str:
    if re.fullmatch(r"[\w/.:=@-]+", word):
        return word
    return f'"{word}"' if word.startswith("$URL") else f"'{word}'"
