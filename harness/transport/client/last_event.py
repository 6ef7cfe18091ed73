"""Notices the event with which a stream says that it is over, in the bytes as they come. Layer 3."""

from __future__ import annotations

LINGER_SECONDS = 1.0
"""How long a stream may stay open after its last event; then a client hangs up, as clients in the field do."""

STAYED_OPEN = "the stream stayed open after its last event"


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
