"""Answers of the upstream that a trial sets up: what creates say and its runs do, streams that are cut, and
refusals.

First the fields of creates and the scripts of runs, as data: each documented field of a create has a value that
cannot arrive by accident. Whether the upstream accepts the create does not matter, only what arrives there. `{}`
in an input is replaced by words that no other request has.

Then a function or class for each `Answer` to creates; the emulator runs the create in all but refusals.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from harness.contract import PROTOCOL
from harness.faults import cut
from harness.kit.relay import Answer
from harness.wire import (
    COMPLETE,
    Chunk,
    Decoder,
    Ending,
    Frame,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    UntilClose,
    encode,
)
from harness.wire.bodies import accepts, compress, encode_json
from harness.wire.message import EVENT_STREAM
from harness.wire.sse import encode_frame

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TEXT = {"type": "text"}
IMAGE = {"type": "image", "mime_type": "image/png", "data": _PIXEL}
_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
_FUNCTION = {
    "type": "function",
    "name": "look_up",
    "description": "Looks a word up.",
    "parameters": {"type": "object", "properties": {"word": {"type": "string", "enum": ["hi", "ho"]}}},
}
_STEPS = [
    {"type": "user_input", "content": [TEXT | {"text": "Remember: 東京 🦊."}]},
    {"type": "model_output", "content": [TEXT | {"text": "I do."}]},
    {"type": "user_input", "content": [TEXT | {"text": "{}"}, IMAGE]},
]
AGENT = "agent"
"""Placeholder for the name of the agent under test, in fields that need an agent."""

FIELDS: dict[str, dict[str, Any]] = {
    "model": {"input": " {}\n\n\tKeep  this as it is. "},
    "agent": {"agent": AGENT},
    "input": {"input": _STEPS},
    "stream": {"stream": True},
    "store": {"store": False},
    "background": {"background": True},
    "continuation_token": {"continuation_token": "AAAAAAAAAAE="},
    "tools": {"tools": [_FUNCTION, {"type": "google_search"}]},
    "system_instruction": {"system_instruction": "Answer like a “harness”: briefly."},
    "response_format": {"response_format": {"type": "text", "mime_type": "application/json", "schema": _SCHEMA}},
    "response_mime_type": {"response_mime_type": "application/json"},
    "response_modalities": {"response_modalities": ["text"]},
    "safety_settings": {"safety_settings": [{"type": "harassment", "threshold": "block_none"}]},
    "service_tier": {"service_tier": "flex"},
    "labels": {"labels": {"team": "harness", "run": "gateway"}},
    "webhook_config": {
        "background": True,
        "webhook_config": {"uris": ["https://example.org/hook"], "user_metadata": {"job": "7"}},
    },
    "previous_interaction_id": {"previous_interaction_id": "v1_harness_unknown"},
    "environment": {"agent": AGENT, "environment": "remote"},
    "agent_config": {"agent": AGENT, "agent_config": {"type": "antigravity", "max_total_tokens": 4321}},
    "generation_config": {
        "generation_config": {
            "temperature": 0.3,
            "top_p": 0.7,
            "seed": 7,
            "max_output_tokens": 321,
            "stop_sequences": ["STOP"],
            "thinking_level": "low",
            "thinking_summaries": "auto",
            "tool_choice": "none",
        }
    },
    "cached_content": {"cached_content": "cachedContents/harness"},
}
"""For each field, what is added to a create with a model and an input in order to see that field arrive."""

_IN_ANY_FORM = "tools", "system_instruction", "response_format", "service_tier", "labels", "safety_settings"
TOGETHER: dict[str, Any] = {name: FIELDS[name][name] for name in _IN_ANY_FORM}

_LARGE_PIXEL = base64.b64encode(base64.b64decode(_PIXEL) + bytes(2_000_000)).decode()

_CODE = """{} Why is `SELECT id FROM users UNION SELECT 1; -- ' OR 1=1` slow?
What does <script>alert(1)</script> do? Then explain `cat ../../etc/passwd | sh -c "$(id)"`."""

FORMS: dict[str, dict[str, Any]] = {
    "with-code-in-its-text": {"input": _CODE},
    "with-a-text-of-65-kB": {"input": "{}" + " word" * 13_000},
    "with-an-image-of-two-megabytes": {"input": [TEXT | {"text": "{}"}, IMAGE | {"data": _LARGE_PIXEL}]},
    "with-an-agent": {**TOGETHER, **FIELDS["agent_config"], "environment": "remote"},
    "as-a-stream": {**TOGETHER, "stream": True},
    "in-the-background": {**TOGETHER, "background": True},
    "with-an-agent-as-a-stream": {**TOGETHER, "agent": AGENT, "stream": True},
    "as-a-stream-in-the-background": {**TOGETHER, "stream": True, "background": True},
    "in-a-chain": {**TOGETHER, **FIELDS["previous_interaction_id"]},
}
"""Forms of a create, with the fields that a gateway may treat otherwise in each, all at once."""

OFTEN_REFUSED = {
    "fields.with-code-in-its-text": "gw.body-fields/text",
    "fields.with-a-text-of-65-kB": "gw.body-fields/too-large",
    "fields.with-an-image-of-two-megabytes": "gw.body-fields/too-large",
}
"""Creates that a proxy may refuse for their text or size, the smallest first."""

REVISION_HEADER = "api-revision"
STRANGER = "harness_unknown_field"
"""A field that no revision of the API documents."""


_DELTAS = ["Hello", " brave", " new", " world,\n\n", "  déjà vu,", " 東京,", " 🦊🦊", " [DONE]", "!", "!"]
SCRIPT: dict[str, Any] = {"deltas": _DELTAS, "thought": False, "times": 0}
LARGE = {**SCRIPT, "deltas": [f"{number} " + "long " * 4000 * number**2 for number in range(5)]}
LONG = {**SCRIPT, "ticks": 1_000_000}
"""The script of a background run that does not end, however often it is polled."""

TRUNCATIONS = {
    "none": "event:0,end",
    "boundary": "event:5,end",
    "between-chunks": "event:5,fin",
    "in-event": "event:6+25,fin",
    "in-character": "utf8:5,rst",
    "reset": "event:5,rst",
    "uncompleted": "completion,end",
    "uncompleted-reset": "completion,rst",
}
"""Where and how the upstream's stream breaks off, as fault plans."""
CLOSING = {"closing": "event:5,end", "closing-reset": "event:5,rst"}
"""The fault plans for a body that ends with its connection, where a reset alone tells an end from a drop."""

REFUSALS: tuple[tuple[int, str, str, tuple[tuple[str, str], ...]], ...] = (
    (400, "prohibited_content", "The harness refuses this call: blocked.", ()),
    (403, "permission_denied", "The harness refuses this call: not allowed.", ()),
    (404, "model_not_found", "The harness refuses this call: no such model.", ()),
    (429, "rate_limit_exceeded", "The harness refuses this call: too many.", (("retry-after", "7"),)),
    (500, "api_error", "The harness refuses this call: broken.", ()),
    (503, "service_unavailable", "The harness refuses this call: busy.", (("retry-after", "7"),)),
)
"""What the upstream refuses with: status, code, message, header fields."""

_CALL = {"id": "call_1", "name": "look_up", "arguments": {"word": "hi", "more": [1, 2.5]}}

RICH: dict[str, Any] = {
    "steps": [
        {
            "type": "thought",
            "signature": "c2lnbmF0dXJlLW9mLXRob3VnaHQ=",
            "summary": [TEXT | {"text": "Look it up."}],
        },
        {"type": "model_output", "content": [TEXT | {"text": "Here: 東京 🦊"}, IMAGE]},
        {"type": "function_call", **_CALL, "signature": "c2lnbmF0dXJlLWI="},
    ],
    "status": "requires_action",
}
"""A run that thinks, shows an image and calls a function, with the signatures that the next turn must repeat."""

_EXACT = 2**53 + 1
"""The first whole number that a double cannot hold; JavaScript rounds it."""

CALLS: dict[str, Any] = {
    "steps": [
        {"type": "thought", "signature": "c2lnbmF0dXJlLW9mLXRob3VnaHQ="},
        {"type": "function_call", "id": "call_a", "name": "look_up", "arguments": {"row": _EXACT, "count": 5}},
        {
            "type": "function_call",
            "id": "call_b",
            "name": "look_up",
            "arguments": {"word": "hi"},
            "signature": "YQ==",
        },
    ],
    "status": "requires_action",
    "ticks": 1,
}
"""A run that waits for the results of two calls; one argument is a number that only integers hold exactly."""

RESULTS: list[dict[str, Any]] = [
    {
        "type": "function_result",
        "call_id": "call_b",
        "name": "look_up",
        "is_error": True,
        "signature": "YQ==",
        "result": [TEXT | {"text": "{}"}, IMAGE],
    },
    {"type": "function_result", "call_id": "call_a", "name": "look_up", "result": {"row": _EXACT, "count": 5}},
]
"""The results of both calls in the other order, with every field that a result may have."""

ENDS: dict[str, dict[str, Any]] = {
    "failed": {"status": "failed"},
    "cancelled": {"status": "cancelled"},
    "incomplete": {"status": "incomplete"},
    "empty": {"steps": []},
    "error": {"error_event": {"after": 5, "code": "service_unavailable", "message": "The harness is busy."}},
    "failed-error": {
        "status": "failed",
        "error_event": {"after": 5, "code": "api_error", "message": "The harness failed."},
    },
}
"""How a run can end other than well, or without output, and its stream still in order."""

BARE_ERRORS = {
    "list": b"""[{
  "error": {
    "code": 503,
    "message": "The harness is currently unavailable.",
    "status": "UNAVAILABLE"
  }
}
]
""",
    "line": b'{"error":{"message":"The harness blocked the input.","code":"prohibited_content"}}\n',
}
"""Errors as the service writes them into a stream that it cannot go on with: JSON that belongs to no event."""


UNKNOWN_TYPE = "interaction.harness_unknown"

Edit = Callable[[int, Frame], bytes]
"""(number, frame) → the bytes that go out in its place."""


def suffering(plan: str) -> Answer:
    """The emulator's answer with a fault plan applied to it."""

    def answer(service: Service, request: Request) -> Response:
        return cut(service, plan, PROTOCOL)(request)

    return answer


def refusing(status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """An error in the API's shape; nothing is created."""

    def answer(service: Service, request: Request) -> Response:
        return Response.json(status, PROTOCOL.error_body(status, code, message), headers)

    return answer


def replace_stream(pieces: Callable[[list[Frame]], Iterable[Piece]]) -> Answer:
    """The emulator's stream with other pieces, made of its frames; other answers are left unchanged."""

    def answer(service: Service, request: Request) -> Response:
        response = service(request)
        if _streams(response):  # which does not pause
            data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
            response.body.close()
            response.body = PieceBody(pieces(Decoder().feed(data)))
        return response

    return answer


def edit_stream(edit: Edit) -> Answer:
    """The emulator's stream with each frame replaced by `edit`."""
    return replace_stream(
        lambda frames: (*(Chunk(edit(number, frame)) for number, frame in enumerate(frames)), COMPLETE)
    )


join_chunks = replace_stream(lambda frames: (Chunk(b"".join(map(encode_frame, frames))), COMPLETE))
"""The emulator's stream in a single chunk."""
SPELLINGS: dict[str, tuple[str, Edit]] = {
    "crlf": ("a stream whose lines end with CRLF", lambda _, frame: encode_frame(frame).replace(b"\n", b"\r\n")),
    "comments": ("a stream with comments", lambda _, frame: b": alive\n\n: still\n" + encode_frame(frame)),
    "lines": (
        "a stream whose events have several data lines",
        lambda _, frame: encode_frame(frame).replace(b'data: {"', b'data: {\ndata: "'),
    ),
}
"""Other spellings that event streams allow: what such a stream is, and how it writes each frame."""
TRAITS = {f"stream.{name}": trait for name, (trait, _) in SPELLINGS.items()} | {
    "stream.large": "a stream with events of up to 320 kB",
    "stream.one-chunk": "a stream that comes in one chunk",
}
"""What the exchanges of these names have beside other streams."""


def break_with_bytes(after: int, data: bytes) -> Answer:
    """The emulator's stream up to this many events, then bytes that are no event, then the end of the body."""
    return replace_stream(
        lambda frames: (*(Chunk(encode_frame(frame)) for frame in frames[:after]), Chunk(data), COMPLETE)
    )


def compress_if_asked(service: Service, request: Request) -> Response:
    """The emulator's answer in gzip, if the gateway offers to take it. This function is an `Answer`."""
    response = service(request)
    return compress(response, "gzip") if accepts(request.headers.get("accept-encoding"), "gzip") else response


class Gate:
    """An `Answer` whose next event is sent once the client has those before: `acknowledge` takes their number.

    The first `at_once` events do not wait, nor do those after `one_by_one`. If the client has not received the
    sent events within `patience` seconds, the upstream goes on all the same, as others do; the second time it
    sends the rest. `sent` is how many events have gone out.
    """

    def __init__(self, at_once: int, one_by_one: int, patience: float) -> None:
        self.sent = 0
        self._allowed = at_once
        self._one_by_one = one_by_one
        self._patience = patience
        self._missed = 0

    def acknowledge(self, arrived: int) -> None:
        """The client has received this many events."""
        if arrived >= self.sent - self._missed:
            self._allowed = max(self._allowed, self.sent + 1)

    def __call__(self, service: Service, request: Request) -> Response:
        return replace_stream(self._send_as_acknowledged)(service, request)

    def _send_as_acknowledged(self, frames: Sequence[Frame]) -> Iterator[Piece]:
        for number, frame in enumerate(frames):
            if number < self._one_by_one:
                yield from self._wait_for_client(number)
            self.sent += 1
            yield Chunk(encode_frame(frame))
        yield COMPLETE

    def _wait_for_client(self, number: int) -> Iterator[Piece]:
        waited, look = 0.0, _LOOK
        while waited < self._patience:
            if number < self._allowed or self._missed > 1:
                return
            yield Pause(look)
            waited += look
            look = min(2 * look, _LAZY_LOOK)  # many short pauses take a busy machine far longer than they say
        self._missed += 1
        self._allowed = number + 1


class StandStill:
    """An `Answer` whose stream stands still for `seconds` once `after` events are out, like one that thinks.

    Then come one event and, in a chunk of its own, the rest: a gateway that looks at its clock only when something
    has come loses that. JSON pauses before its head. `begun` is whether an answer did.
    """

    def __init__(self, after: int, seconds: float) -> None:
        self.begun = False
        self._after = after
        self._seconds = seconds

    def __call__(self, service: Service, request: Request) -> Response:
        response = replace_stream(self._send_and_stand_still)(service, request)
        if not _streams(response):
            self.begun, inner = True, response.body
            response.body = PieceBody(chain([Pause(self._seconds)], inner), on_close=inner.close)
        return response

    def _send_and_stand_still(self, events: Sequence[Frame]) -> Iterator[Piece]:
        frames = list(map(encode_frame, events))
        yield Chunk(b"".join(frames[: self._after]))
        self.begun = True
        yield Pause(self._seconds)
        yield Chunk(frames[self._after])
        yield Pause(10 * _LOOK)
        yield Chunk(b"".join(frames[self._after + 1 :]))
        yield COMPLETE


class Held:
    """An `Answer` that a fault plan ends early, but only when allowed: its start can be read first.

    If it `closes`, its body has no chunks and no length: it ends with the connection (`Connection: close`).
    """

    def __init__(self, plan: str, *, closes: bool = False) -> None:
        self._answer = suffering(plan)
        self._closes = closes
        self._allowed = False

    def let(self) -> None:
        """Allow it to end now."""
        self._allowed = True

    def __call__(self, service: Service, request: Request) -> Response:
        response = self._answer(service, request)
        if self._closes:
            response.framing = UntilClose()
        if _streams(response):
            inner = response.body
            response.body = PieceBody(self._hold_ending(inner), on_close=inner.close)
        return response

    def _hold_ending(self, inner: Iterable[Piece]) -> Iterator[Piece]:
        for piece in inner:
            while isinstance(piece, Ending) and not self._allowed:
                yield Pause(_LOOK)
            yield piece


class Meeting:
    """An `Answer` for several creates: once all have arrived, their streams advance together, event by event.

    `seconds` is how long each waits for the others.
    """

    def __init__(self, creates: int, seconds: float) -> None:
        self._missing = creates
        self._looks = int(seconds / _LOOK)

    def __call__(self, service: Service, request: Request) -> Response:
        return replace_stream(self._meet)(service, request)

    def note_arrival(self) -> None:
        self._missing -= 1

    def _meet(self, frames: Sequence[Frame]) -> Iterator[Piece]:
        self.note_arrival()
        for _ in range(self._looks):
            if self._missing <= 0:
                break
            yield Pause(_LOOK)
        for frame in frames:
            yield Chunk(encode_frame(frame))
            yield Pause(_LOOK)
        yield COMPLETE


_LOOK = 0.005
"""Seconds between two checks whether more may be sent."""
_LAZY_LOOK = 0.1
"""Seconds between two checks once the client has kept the upstream waiting."""


def _streams(response: Response) -> bool:
    return response.headers.media_type() == EVENT_STREAM


def with_strangers(number: int, frame: Frame) -> bytes:
    """Add an unknown field to each event, and an event of an unknown type after the third."""
    if frame.data == PROTOCOL.sentinel:
        return encode_frame(frame)
    event = {**json.loads(frame.data), STRANGER: {"kept": True}}
    known = encode_frame(frame._replace(data=encode_json(event)))
    stranger = encode(UNKNOWN_TYPE, encode_json({"event_type": UNKNOWN_TYPE, "note": "new in a later revision"}))
    return known + stranger if number == 2 else known


BROKEN = 5
"""The number (from 0) of the frame that is broken: a delta in the middle of the text."""


def with_broken_frame(number: int, frame: Frame) -> bytes:
    """Cut the JSON of one delta short; the frame around it stays whole."""
    return encode_frame(frame._replace(data=frame.data[: len(frame.data) // 2]) if number == BROKEN else frame)
