"""Split a stream of server-sent events into the bytes of each event, the unit in which faults are counted.

Knows `harness.wire`'s decoder and its spans; must not know faults. If an event ends in CR LF, that LF belongs to
it here, because no server ever cuts between the two. So an event that ends in CR is held until the next byte
arrives.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

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
