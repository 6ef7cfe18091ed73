"""A response that is being read: one implementation for every source of bytes, a socket or this process.

Layer 3. Knows the record and server-sent event frames; must not know where the bytes come from.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from harness.wire import By, Ending, Exchange, ExchangeBuilder, Frame, Headers, How
from harness.wire.sse import Decoder


class ByteSource(Protocol):
    """Where the bytes of one response come from; it adds them to its `recorder` as they pass."""

    recorder: ExchangeBuilder

    @property
    def ended(self) -> Ending | None: ...

    def more(self) -> bytes:
        """The next bytes of the body, possibly none; sets `ended` once there will be no more."""

    def hurry(self, seconds: float) -> None:
        """Let the rest take at most so many seconds."""

    def stop(self, by: By, how: How, detail: str) -> None:
        """Hang up, unless the response has ended already."""

    def record(self) -> Exchange:
        """The record, once the response has ended."""


class LiveStreamReader:
    """A `wire.LiveStream` over any source; `event_bytes` bounds a single event."""

    def __init__(self, source: ByteSource, event_bytes: int) -> None:
        self._source = source
        self._event_bytes = event_bytes
        self._decoder = Decoder(max_event=event_bytes)
        self._frames: deque[Frame] = deque()

    @property
    def status(self) -> int | None:
        """The response's status; None if no head came."""
        return self._source.recorder.status

    @property
    def headers(self) -> Headers:
        """The response's fields."""
        return self._source.recorder.headers

    @property
    def ended(self) -> bool:
        """Whether the body reached its ending and every frame was read."""
        return self._source.ended is not None and not self._frames

    def read(self, events: int) -> list[Frame]:
        """The next `events` frames; fewer if the body ends or a limit is reached first."""
        while len(self._frames) < events and self._source.ended is None:
            self._frames.extend(self._decoder.feed(self._source.more()))
            if self._decoder.oversized:
                detail = f"one event exceeds {self._event_bytes} bytes (Limits.event_bytes)"
                self._source.stop(By.LIMIT, How.FIN, detail)
        return [self._frames.popleft() for _ in range(min(events, len(self._frames)))]

    def hurry(self, seconds: float) -> None:
        """Let the rest of the body take at most so many seconds."""
        self._source.hurry(seconds)

    def finish(self) -> Exchange:
        """Read to the end and return the record, which also holds what was not read as frames."""
        self._frames.clear()
        return read_whole(self._source)

    def close(self) -> Exchange:
        """Hang up and return the record."""
        self._frames.clear()
        self._source.stop(By.CLIENT, How.FIN, "")
        return self._source.record()


def read_whole(source: ByteSource) -> Exchange:
    """Read a response to its ending and return the record."""
    while source.ended is None:
        source.more()
    return source.record()
