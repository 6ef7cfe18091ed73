"""Small streams to damage: events as a service sends them, and their bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness.contract import StreamJudge, StreamReading, load
from harness.outcome import Severity
from harness.wire import COMPLETE, Ending, encode

Event = dict[str, Any]

USAGE = {"total_input_tokens": 3, "total_output_tokens": 5, "total_thought_tokens": 2, "total_tokens": 10}
DONE = encode("done", b"[DONE]")


def created(identity: str = "v1_a", status: str = "in_progress") -> Event:
    """interaction.created."""
    return {"interaction": {"id": identity, "status": status}, "event_type": "interaction.created"}


def update(status: str = "in_progress", identity: str = "v1_a") -> Event:
    """interaction.status_update."""
    return {"interaction_id": identity, "status": status, "event_type": "interaction.status_update"}


def start(index: int, kind: str = "model_output", **fields: Any) -> Event:
    """step.start."""
    return {"index": index, "step": {"type": kind, **fields}, "event_type": "step.start"}


def delta(index: int, kind: str = "text", **fields: Any) -> Event:
    """step.delta; a text delta says "hi" by default."""
    content = fields or ({"text": "hi"} if kind == "text" else {})
    return {"index": index, "delta": {"type": kind, **content}, "event_type": "step.delta"}


def stop(index: int) -> Event:
    """step.stop."""
    return {"index": index, "event_type": "step.stop"}


def completed(identity: str = "v1_a", status: str = "completed", **fields: Any) -> Event:
    """interaction.completed, with usage."""
    interaction = {"id": identity, "status": status, "usage": USAGE, **fields}
    return {"interaction": interaction, "event_type": "interaction.completed"}


def error(code: str = "deadline_exceeded", message: str = "too late") -> Event:
    """An error event."""
    return {"error": {"code": code, "message": message}, "event_type": "error"}


THOUGHT = [start(0, "thought"), delta(0, "thought_signature", signature="c2ln"), stop(0)]
ANSWER = [start(1), delta(1), delta(1, text=" there é 🎉"), stop(1)]
CALL = [
    start(2, "function_call", id="c1", name="f", arguments={}),
    delta(2, "arguments_delta", arguments='{"a'),
    delta(2, "arguments_delta", arguments='":1}'),
    stop(2),
]
WHOLE: list[Event] = [created(), update(), *THOUGHT, *ANSWER, *CALL, completed(status="requires_action")]
"""A valid stream with a thought, an answer and a function call."""


def payload(event: Any) -> bytes:
    """Compact JSON, as services write it."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def frames(events: Iterable[Any], *, done: bool = True) -> bytes:
    """Events as canonical frames; items that are bytes are inserted unchanged."""
    parts = [e if isinstance(e, bytes) else encode(str(e.get("event_type", "x")), payload(e)) for e in events]
    return b"".join(parts) + (DONE if done else b"")


def judge(stream: bytes, *, ending: Ending = COMPLETE, feed: int = 0, **options: Any) -> StreamReading:
    """The reading of a whole stream, fed at once or `feed` bytes at a time."""
    judging = StreamJudge(load(), **options)
    size = feed or max(1, len(stream))
    for at in range(0, len(stream), size):
        judging.feed(stream[at : at + size])
    return judging.finish(ending)


def broken(reading: StreamReading) -> set[str]:
    """The rules that a reading reports as broken, without those met under a lenient reading."""
    return {finding.rule for finding in reading.findings if finding.severity is Severity.BROKEN}
