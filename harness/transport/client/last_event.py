"""Notices the event with which a stream says that it is over, in the bytes as they come. Layer 3."""

from __future__ import annotations

from dataclasses import replace

from harness.wire import By, Ending, How

LINGER_SECONDS = 1.0
"""How long a stream may stay open after its last event; then a client hangs up, as clients in the field do."""


class LastEvent:
    """Looks for an event whose data is `data`; empty data is never found."""

    def __init__(self, data: bytes) -> None:
        self._lines = (b"data: " + data, b"data:" + data) if data else ()
        self._kept = len(data) + 16
        self._tail = b""
        self.seen = False

    def feed(self, data: bytes) -> None:
        """Look at the next bytes of a body; `seen` once the event is complete, and lost if more events follow."""
        if self._lines and data:
            self._tail = (self._tail + data)[-self._kept :]
            line = self._tail.rstrip(b"\r\n")
            self.seen = line.endswith(self._lines) and self._tail.endswith((b"\n\n", b"\n\r\n", b"\r\r"))

    def limit(self, idle_seconds: float) -> float:
        """How long to wait for more bytes, where otherwise it would be `idle_seconds`."""
        return min(idle_seconds, LINGER_SECONDS) if self.seen else idle_seconds

    def conclude(self, ending: Ending) -> Ending:
        """The ending of the answer: if only our time was up after the last event, the client left."""
        if self.seen and ending.by is By.LIMIT and ending.how is How.TIMEOUT:
            detail = "the stream stayed open after its last event"
            return replace(ending, by=By.CLIENT, how=How.STALL, detail=detail)
        return ending
