"""Carries the deliveries of a service in this process to its receivers, in logical time; nothing sleeps.

Layer 3. `ServicePost` empties the service's outbox: what is for one of its receivers goes there, the rest wherever
`elsewhere` takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from harness.outcome import Unmet
from harness.wire import Clock
from harness.wire.delivery import PATIENCE, Answer, Arrival, Delivery, Mailbox, NoReply, Outbox

PACE = 0.25
"""Logical seconds between two looks at runs that a webhook waits for."""

ROOT = "http://localhost/receivers/"

Elsewhere = Callable[[Delivery], int | None]
"""Sends a delivery to a receiver that is not ours and returns the status; raises Unmet if it must not."""


def refuse_elsewhere(delivery: Delivery) -> int | None:
    """Send nothing out of this process."""
    raise Unmet("no receiver in this process has this address")


class ServicePost:
    """The receivers of one service."""

    def __init__(self, outbox: Outbox, clock: Clock, elsewhere: Elsewhere = refuse_elsewhere) -> None:
        self._outbox = outbox
        self._clock = clock
        self._elsewhere = elsewhere
        self._boxes: dict[str, Mailbox] = {}
        self._opened = 0

    def listen(self) -> ServiceReceiver:
        """Open one more receiver."""
        self._opened += 1
        uri = f"{ROOT}{self._opened}"
        self._boxes[uri] = box = Mailbox(lambda: self._clock.now)
        return ServiceReceiver(uri, box, self)

    def close(self, uri: str) -> None:
        """Close a receiver; what still comes for it is given up."""
        self._boxes.pop(uri, None)

    def carry(self) -> None:
        """Carry everything that is due now."""
        while due := self._outbox.take_due():
            for delivery in due:
                try:
                    status = self._send(delivery)
                except Unmet as unmet:
                    self._outbox.drop(delivery, unmet.reason)
                else:
                    self._outbox.note_answer(delivery, status)

    def _send(self, delivery: Delivery) -> int | None:
        box = self._boxes.get(_find_address(delivery.uri))
        if box is None:
            return self._elsewhere(delivery)
        began = self._clock.now
        box(delivery.request)
        answer = box.last_answer
        if answer is NoReply.SLOW:
            self._clock.reached(began + PATIENCE)
        return answer if isinstance(answer, int) else None

    def carry_until(self, done: Callable[[], bool], seconds: float) -> None:
        """Carry what comes within `seconds` of logical time, until `done`; idle time is skipped."""
        end = self._clock.now + seconds
        while True:
            self.carry()
            if done() or self._clock.now >= end:
                return
            busy = self._outbox.attend()
            due = self._outbox.next_due
            steps = [end, *([self._clock.now + PACE] if busy else []), *([due] if due is not None else [])]
            self._clock.reached(min(steps))


def _find_address(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


class ServiceReceiver:
    """A `wire.Inbox` for a service in this process."""

    def __init__(self, uri: str, box: Mailbox, post: ServicePost) -> None:
        self.uri = uri
        self._box = box
        self._post = post
        self._read = 0

    def answer(self, *answers: Answer) -> None:
        """Script the next answers."""
        self._box.answer(*answers)

    def refuse_first(self, header: str) -> None:
        """Refuse the first delivery with each value of a header."""
        self._box.refuse_first(header)

    def collect(self, count: int, seconds: float) -> list[Arrival]:
        """Let logical time pass until so many deliveries have come."""
        self._post.carry_until(lambda: len(self._box.arrivals) - self._read >= count, seconds)
        came = self._box.arrivals[self._read :]
        self._read += len(came)
        return came

    def close(self) -> None:
        """Close the receiver."""
        self._post.close(self.uri)
