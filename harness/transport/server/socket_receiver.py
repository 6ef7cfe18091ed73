"""A receiver of deliveries on a port of this machine, for targets that are on this machine, too.

Layer 3.
"""

from __future__ import annotations

import time

from harness.transport.server.server import ServerThread
from harness.wire.delivery import Answer, Arrival, Mailbox


class SocketReceiver:
    """A `wire.Inbox`: listens as soon as it is made, until `close`."""

    def __init__(self) -> None:
        self._box = Mailbox(time.monotonic)
        self._server = ServerThread(self._box)
        self._server.start()
        self._read = 0

    @property
    def uri(self) -> str:
        """Where to deliver to."""
        return f"{self._server.url}/deliveries"

    def answer(self, *answers: Answer) -> None:
        """Script the next answers."""
        self._box.answer(*answers)

    def refuse_first(self, header: str) -> None:
        """Refuse the first delivery with each value of a header."""
        self._box.refuse_first(header)

    def collect(self, count: int, seconds: float) -> list[Arrival]:
        """Wait, in real time, until so many deliveries have come."""
        box = self._box
        with box.came:
            box.came.wait_for(lambda: len(box.arrivals) - self._read >= count, timeout=seconds)
            came = box.arrivals[self._read :]
        self._read += len(came)
        return came

    def close(self) -> None:
        """Stop listening."""
        self._server.stop()
