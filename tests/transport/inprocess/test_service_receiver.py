"""Receivers of what a service in this process sends: logical time, scripted answers, addresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.outcome import Unmet
from harness.transport import ServiceDriver
from harness.wire import Headers, LogicalClock, Request, Response
from harness.wire.delivery import Delivery, NoReply


class Sender:
    """A service whose outbox holds what the test puts there; a failed attempt is due again 60 s later."""

    def __init__(self) -> None:
        self.clock = LogicalClock()
        self.outbox = self
        self.jobs: list[tuple[float, Delivery]] = []
        self.statuses: list[int | None] = []
        self.dropped: list[str] = []
        self.work = 0

    def __call__(self, request: Request) -> Response:
        return Response.whole(200, Headers(), b"")

    def send(self, uri: str, name: str = "a", after: float = 0.0) -> None:
        """Put a delivery into the outbox."""
        request = Request("POST", "/", Headers((("id", name),)))
        self.jobs.append((self.clock.now + after, Delivery(uri, request)))

    @property
    def next_due(self) -> float | None:
        return min((due for due, _ in self.jobs), default=None)

    def attend(self, reaches: Callable[[str], bool] = bool) -> bool:
        self.work -= self.work > 0
        return self.work > 0

    def take_due(self) -> list[Delivery]:
        due = [job for job in self.jobs if job[0] <= self.clock.now]
        self.jobs = [job for job in self.jobs if job not in due]
        return [delivery for _, delivery in due]

    def note_answer(self, delivery: Delivery, status: int | None) -> None:
        self.statuses.append(status)
        if status != 200:
            self.jobs.append((self.clock.now + 60, delivery))

    def drop(self, delivery: Delivery, reason: str) -> None:
        self.dropped.append(reason)


def test_an_idle_hour_costs_nothing_and_a_retry_is_seen_when_it_is_due() -> None:
    """Answers are given in their order; each arrival knows its moment."""
    sender = Sender()
    receiver = ServiceDriver(sender, sender.clock).listen()
    receiver.answer(500, NoReply.HANG_UP, NoReply.SLOW)
    sender.send(receiver.uri, after=3600)
    arrivals = receiver.collect(4, 7200)
    assert sender.statuses == [500, None, None, 200]
    assert [arrival.moment for arrival in arrivals] == [3600, 3660, 3720, 3790]
    assert [arrival.exchange.status for arrival in arrivals] == [500, None, 200, 200]


def test_collect_gives_up_after_its_time() -> None:
    """What came is returned, and only what is new."""
    sender = Sender()
    receiver = ServiceDriver(sender, sender.clock).listen()
    sender.send(receiver.uri)
    assert len(receiver.collect(2, 5)) == 1
    assert (receiver.collect(1, 5), sender.clock.now) == ([], 10)


def test_the_first_of_each_can_be_refused() -> None:
    """By the value of a header, until that ends."""
    sender = Sender()
    receiver = ServiceDriver(sender, sender.clock).listen()
    receiver.refuse_first("id")
    for name in ("a", "b"):
        sender.send(receiver.uri, name)
    receiver.collect(4, 100)
    receiver.refuse_first("")
    sender.send(receiver.uri, "c")
    receiver.collect(1, 1)
    assert sender.statuses == [503, 503, 200, 200, 200]


def test_other_addresses_and_closed_receivers_get_nothing() -> None:
    """The delivery is given up, in words."""
    sender = Sender()
    driver = ServiceDriver(sender, sender.clock)
    open_one, closed = driver.listen(), driver.listen()
    closed.close()
    sender.send(closed.uri)
    sender.send("https://example.com/hook")
    assert open_one.collect(1, 1) == []
    assert sender.dropped == ["no receiver in this process has this address"] * 2


def test_a_service_without_an_outbox_cannot_be_listened_to() -> None:
    """A replay, for example, sends nothing by itself."""
    with pytest.raises(Unmet, match="sends nothing by itself"):
        ServiceDriver(lambda request: Response.whole(200, Headers(), b"")).listen()
