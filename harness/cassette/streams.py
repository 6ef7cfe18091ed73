"""Resumes out of one full recording: the rest of a stream after any event that carries a cursor. Layer 1.

Knows the API only through its `StreamProtocol`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.cassette.framing import Edit, after, apply, follow
from harness.cassette.recording import Recording
from harness.wire import Decoder, Frame, Length, StreamProtocol


@dataclass(frozen=True, slots=True)
class Stream:
    """A recorded stream of one resource; `cursors` gives, for each, the offset after its event."""

    recording: Recording
    cursors: dict[str, int]
    events: int
    whole: bool

    def rest(self, cursor: str | None) -> Recording:
        """What follows this cursor, all of it for None; the cursor must be one of `cursors`."""
        offset = 0 if cursor is None else self.cursors[cursor]
        full = self.recording
        if not offset:
            return full
        framing = Length(full.framing.size - offset) if isinstance(full.framing, Length) else full.framing
        return replace(full, body=full.body[offset:], pieces=after(full.pieces, offset), framing=framing)


@dataclass(slots=True)
class Streams:
    """The fullest stream of each resource, by the resource's id."""

    by_id: dict[str, Stream] = field(default_factory=dict)

    @classmethod
    def of(cls, recordings: Iterable[Recording], protocol: StreamProtocol) -> Streams:
        """The streams in a cassette. One that was itself asked for from a cursor on is no full recording."""
        streams = cls()
        for recording in recordings:
            resumed = protocol.is_resume(recording.request)
            if recording.status != 200 or not recording.events or (resumed is not None and resumed[1] is not None):
                continue
            resource, stream = _read(recording, protocol)
            if resource is None and resumed is not None:
                resource = resumed[0]
            old = None if resource is None else streams.by_id.get(resource)
            if resource is not None and (old is None or (stream.whole, stream.events) > (old.whole, old.events)):
                streams.by_id[resource] = stream
        return streams


def with_cursors(recording: Recording, protocol: StreamProtocol) -> Recording:
    """The recording with a stable cursor, `h1`, `h2` …, on every event that had none."""
    if not recording.events:
        return recording
    edits: list[Edit] = []
    for number, frame in enumerate(Decoder().feed(recording.body), 1):
        event = _event(frame)
        if event is not None and protocol.cursor(event) is None:
            edits += _rewritten(recording.body, frame, protocol.with_cursor(event, f"h{number}"))
    return recording.edited(apply(recording.body, edits), follow(recording.pieces, edits)) if edits else recording


def _rewritten(body: bytes, frame: Frame, event: dict[str, Any]) -> list[Edit]:
    """The edit that gives a frame another payload; nothing where the payload is spread over several lines."""
    at = body.find(frame.data, frame.start, frame.end)
    if at < 0:
        return []
    data = json.dumps(event, ensure_ascii=frame.data.isascii(), separators=(",", ":")).encode("utf-8")
    return [Edit(at, at + len(frame.data), data)]


def _read(recording: Recording, protocol: StreamProtocol) -> tuple[str | None, Stream]:
    resource: str | None = None
    cursors: dict[str, int] = {}
    whole, frames = False, Decoder().feed(recording.body)
    for frame in frames:
        event = _event(frame)
        if event is None:
            continue
        resource = resource or protocol.stream_id(event)
        cursor = protocol.cursor(event)
        if cursor is not None:
            cursors.setdefault(cursor, frame.end)
        whole = whole or protocol.completes(event)
    return resource, Stream(recording, cursors, len(frames), whole)


def _event(frame: Frame) -> dict[str, Any] | None:
    try:
        event = json.loads(frame.data)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def unknown_cursor(stream: Stream, cursor: str) -> str:
    """Why a stream cannot be resumed at a cursor, and what to do."""
    if not stream.cursors:
        return (
            "the recorded stream carries no event ids, so there is no place to resume it at: record a stream that "
            "has them, or play with assign_ids=True to have stable ones"
        )
    known: Sequence[str] = list(stream.cursors)
    shown = ", ".join(map(repr, known[:3])) + (" …" if len(known) > 3 else "")
    return f"{cursor!r} is no event id of the recorded stream, which has {len(known)}: {shown}"
