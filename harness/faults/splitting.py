"""Split a stream of server-sent events into the bytes of each event, the unit in which faults are counted.

Knows `harness.wire`'s decoder and its spans; must not know faults. If an event ends in CR LF, that LF belongs to
it here, because no server ever cuts between the two. So an event that ends in CR is held until the next byte
arrives.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.faults.values import Place, Spot
from harness.wire import Decoder, Frame
from harness.wire.bodies import object_or_none

CR, LF = 13, 10


class Event(NamedTuple):
    """One whole event. `raw` is every byte since the previous event, `lead` how many of them precede its block."""

    frame: Frame
    raw: bytes
    lead: int

    @property
    def block(self) -> bytes:
        """The event without the comments before it."""
        return self.raw[self.lead :]

    @property
    def newline(self) -> bytes:
        """The line end that this event uses."""
        if self.raw.endswith(b"\r\n"):
            return b"\r\n"
        return b"\r" if self.raw.endswith(b"\r") else b"\n"

    def payload(self) -> dict[str, Any] | None:
        """The payload decoded as a JSON object; None if it is not one."""
        return object_or_none(self.frame.data)


class Splitter:
    """Takes bytes and returns whole events; holds only the bytes of the open event."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._held = bytearray()
        self._base = 0
        self._frames: deque[Frame] = deque()

    def feed(self, data: bytes) -> list[Event]:
        """Add bytes and return the events that they complete."""
        self._held += data
        self._frames.extend(self._decoder.feed(data))
        return self._take_settled(at_end=False)

    def finish(self) -> tuple[list[Event], bytes]:
        """End the stream; return the events still held and the bytes that do not complete one."""
        return self._take_settled(at_end=True), self._take(len(self._held))

    def _take_settled(self, *, at_end: bool) -> list[Event]:
        events, start = [], 0
        while self._frames:
            frame = self._frames[0]
            end = frame.end - self._base
            if self._held[end - 1] == CR:
                if end == len(self._held) and not at_end:
                    break
                end += self._held[end : end + 1] == b"\n"
            events.append(Event(frame, bytes(self._held[start:end]), max(0, frame.start - self._base - start)))
            self._frames.popleft()
            start = end
        self._take(start)
        return events

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        self._base += count
        return taken


# All places where a recorded body can be cut, from coarse to exhaustive.
# Knows bytes and where events end in them; must not know what a cut does. Places are yielded lazily, in stream
# order and without duplicates.


_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_LINE = re.compile(rb"[^\r\n]+")


def every_event(body: bytes) -> Iterator[Place]:
    """Before the first event, and after each event."""
    events, _ = _split_segments(body)
    for number in range(len(events) + 1):
        yield Place(Spot.EVENT, number)


def structural(body: bytes) -> Iterator[Place]:
    """About ten places per event, each of which has broken some reader, and the end of the body."""
    events, rest = _split_segments(body)
    for number, segment in enumerate(events):
        for offset in sorted(_choose_offsets(segment)):
            yield Place(Spot.EVENT, number, offset)
    yield Place(Spot.EVENT, len(events))
    for offset in sorted(_choose_offsets(rest) - {0}):
        yield Place(Spot.EVENT, len(events), offset)


def every_byte(body: bytes) -> Iterator[Place]:
    """Before the first byte, and after each byte."""
    for number in range(len(body) + 1):
        yield Place(Spot.BYTE, number)


def _split_segments(body: bytes) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    events = splitter.feed(body)
    last, rest = splitter.finish()
    return [event.raw for event in [*events, *last]], rest


def _choose_offsets(segment: bytes) -> set[int]:
    """Offsets in one event: its start, the names, middles and ends of its lines, inside a character, its end."""
    whole = len(segment) - segment.endswith(b"\r\n")  # the CR of a blank line already completes its event
    offsets = {0, 1, whole - 2, whole - 1}
    for line in _LINE.finditer(segment):
        name, colon, _ = line[0].partition(b":")
        offsets |= {line.start() + (len(name) + 1) // 2, line.start() + len(name) + len(colon)}
        offsets |= {(line.start() + line.end()) // 2, line.end()}
    character = _CHARACTER.search(segment)
    if character is not None:
        offsets.add(character.start() + 1)
    return {offset for offset in offsets if 0 <= offset < whole}
