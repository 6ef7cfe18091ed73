"""Synthesise resumes from one full recording: the rest of a stream after any event with a cursor. Layer 1.

A stream that was cut and resumed also makes a full recording: each rest continues at the cursor that its request
named. Knows the API only through its `StreamProtocol`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from harness.cassette.format.framing import ByteEdit, Pieces, after, apply, follow, until
from harness.cassette.format.recording import Recording
from harness.wire import Decoder, Frame, Length, StreamProtocol
from harness.wire.json_value import object_or_none


@dataclass(frozen=True, slots=True)
class ResumableStream:
    """A recorded stream of one resource; `cursors` maps each cursor to the offset after its event.

    `end` is the offset after the last complete event. `began` is the recording in the cassette with which the
    stream began. It is `recording` itself, unless rests were joined to it.
    """

    recording: Recording
    cursors: dict[str, int]
    events: int
    end: int
    whole: bool
    began: Recording

    @property
    def reach(self) -> tuple[bool, int]:
        """A comparable measure of how far the stream goes."""
        return self.whole, self.events

    def rest(self, cursor: str | None) -> Recording:
        """The recording of what follows `cursor`, which must be in `cursors`; None means the whole stream."""
        offset = 0 if cursor is None else self.cursors[cursor]
        full = self.recording
        if not offset:
            return full
        framing = Length(full.framing.size - offset) if isinstance(full.framing, Length) else full.framing
        return replace(full, body=full.body[offset:], pieces=after(full.pieces, offset), framing=framing)


def streams_of(recordings: Iterable[Recording], protocol: StreamProtocol) -> dict[str, ResumableStream]:
    """The longest stream of each resource, by the resource's id.

    A stream that was itself resumed at a cursor is only used to extend another.
    """
    streams: dict[str, ResumableStream] = {}
    rests: list[_Rest] = []
    for recording in recordings:
        if recording.status != 200 or not recording.events:
            continue
        resumed = protocol.is_resume(recording.request)
        if resumed is not None and resumed[1] is not None:
            rests.append(_Rest(resumed[0], resumed[1], recording))
            continue
        resource, stream = _read(recording, protocol)
        if resource is None and resumed is not None:
            resource = resumed[0]
        if resource is not None and (resource not in streams or stream.reach > streams[resource].reach):
            streams[resource] = stream
    return {
        resource: _extend(stream, [rest for rest in rests if rest.resource == resource], protocol)
        for resource, stream in streams.items()
    }


class _Rest(NamedTuple):
    """The recording of a resource's stream that was resumed at `cursor`."""

    resource: str
    cursor: str
    recording: Recording


def _extend(stream: ResumableStream, rests: Sequence[_Rest], protocol: StreamProtocol) -> ResumableStream:
    """Extend the stream by the rest that takes it furthest, until it is whole or no rest helps."""
    while not stream.whole:
        longer = [_append(stream, rest, protocol) for rest in rests if rest.cursor in stream.cursors]
        best = max(longer, key=lambda other: other.reach, default=stream)
        if best.reach <= stream.reach:
            break
        stream = best
    return stream


def _append(stream: ResumableStream, rest: _Rest, protocol: StreamProtocol) -> ResumableStream:
    """The stream up to the rest's cursor, then the rest, minus the cursor's own event if the rest repeats it."""
    cut, more, place = stream.recording, rest.recording, stream.cursors[rest.cursor]
    again = _read(more, protocol)[1].cursors.get(rest.cursor, 0)
    body = cut.body[:place] + more.body[again:]
    kept, added = until(cut.pieces, place), after(more.pieces, again)
    pieces = Pieces((*kept.sizes, *added.sizes), (*kept.waits, *added.waits))
    framing = Length(len(body)) if isinstance(more.framing, Length) else more.framing
    joined = replace(cut, body=body, pieces=pieces, framing=framing, ending=more.ending)
    return replace(_read(joined, protocol)[1], began=stream.began)


def with_cursors(recording: Recording, protocol: StreamProtocol) -> Recording:
    """The recording with a stable cursor, `h1`, `h2` …, on every event that had none."""
    if not recording.events:
        return recording
    edits: list[ByteEdit] = []
    for number, frame in enumerate(Decoder().feed(recording.body), 1):
        event = object_or_none(frame.data)
        if event is not None and protocol.cursor(event) is None:
            edits += _rewrite(recording.body, frame, protocol.with_cursor(event, f"h{number}"))
    return (
        recording.with_body(apply(recording.body, edits), follow(recording.pieces, edits)) if edits else recording
    )


def _rewrite(body: bytes, frame: Frame, event: dict[str, Any]) -> list[ByteEdit]:
    """The edit that replaces a frame's payload; none if the payload is split over several lines."""
    at = body.find(frame.data, frame.start, frame.end)
    if at < 0:
        return []
    data = json.dumps(event, ensure_ascii=frame.data.isascii(), separators=(",", ":")).encode("utf-8")
    return [ByteEdit(at, at + len(frame.data), data)]


def _read(recording: Recording, protocol: StreamProtocol) -> tuple[str | None, ResumableStream]:
    resource: str | None = None
    cursors: dict[str, int] = {}
    whole, frames = False, Decoder().feed(recording.body)
    for frame in frames:
        event = object_or_none(frame.data)
        if event is None:
            continue
        resource = resource or protocol.stream_id(event)
        cursor = protocol.cursor(event)
        if cursor is not None:
            cursors.setdefault(cursor, frame.end)
        whole = whole or protocol.completes(event)
    end = frames[-1].end if frames else 0
    return resource, ResumableStream(recording, cursors, len(frames), end, whole, recording)


def why_not(stream: ResumableStream, cursor: str) -> str:
    """Why a stream cannot be resumed at a cursor, and what to do; "" if it can."""
    if not stream.cursors:
        return (
            "the recorded stream carries no event ids, so there is no place to resume it at: record a stream that "
            "has them, or have stable ones assigned (--assign-ids, Player(assign_ids=True))"
        )
    if cursor not in stream.cursors:
        known = list(stream.cursors)
        shown = ", ".join(map(repr, known[:3])) + (" …" if len(known) > 3 else "")
        return f"{cursor!r} is no event id of the recorded stream, which has {len(known)}: {shown}"
    if stream.cursors[cursor] == stream.end and not stream.whole and not stream.recording.complete:
        return (
            f"the recorded stream was cut after {cursor!r} and never resumed there: record a client that resumes"
        )
    return ""
