"""Closing looks: what is read again before it is deleted, and how a slow target is spared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from harness.checks import RequestBuilder
from harness.engine.cleanup import CreatedResources
from harness.engine.closing_looks import ClosingLooks
from harness.engine.events import RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic.deadline import Timer
from harness.interactions import INTERACTIONS
from harness.kit.actions import Send, Together
from harness.report.presented_run import PresentedRun
from harness.transport import ServiceDriver
from harness.wire import Exchange, Request
from tests.engine import toys
from tests.engine.toys import ToyService

TARGET = RequestBuilder(key="k")


def looks_after(*requests: Request, service: ToyService | None = None) -> list[str]:
    """The closing looks after these requests."""
    driver, ledger = ServiceDriver(service or ToyService()), CreatedResources(INTERACTIONS)
    trail = [driver.send(request) for request in requests]
    for exchange in trail:
        INTERACTIONS.read(exchange, TARGET.contract)
        ledger.note(exchange)
    return [f"{look.method} {look.target}" for look in ledger.list_closing_looks(trail)]


LOOK = "GET /v1beta/interactions/i1"


@pytest.mark.parametrize(
    ("requests", "looks"),
    [
        ([TARGET.create(input="hi")], [LOOK]),
        ([TARGET.create(input="hi", stream=True)], [LOOK]),
        ([TARGET.create(input="hi"), TARGET.get("i1")], [LOOK]),
        ([TARGET.create(input="hi"), TARGET.get("i1"), TARGET.get("i1")], []),
        ([TARGET.create(input="hi"), TARGET.delete("i1")], []),
        ([TARGET.create(input="hi", store=False)], [LOOK]),
        ([TARGET.create(input="hi"), TARGET.create(input="hi")], [LOOK, LOOK.replace("i1", "i2")]),
        ([TARGET.get("i1")], []),
    ],
)
def test_what_is_left_and_was_not_read_twice_is_read_again(requests: list[Request], looks: list[str]) -> None:
    assert looks_after(*requests) == looks


class Answering:
    """Stands in for the runner of actions: each look takes `seconds` of the clock, and is `found` or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0, *, found: bool = True) -> None:
        self.now, self.seconds, self.found = 0.0, seconds, found
        self.sizes: list[int] = []
        monkeypatch.setattr("harness.engine.traffic.deadline.time", SimpleNamespace(perf_counter=lambda: self.now))

    def perform(self, action: Any) -> Any:
        """Answer one look, or several."""
        self.now += self.seconds
        requests = action.requests if isinstance(action, Together) else (action.request,)
        self.sizes.append(len(requests))
        service = ToyService(stored={"i1": "completed"} if self.found else {})
        answers: list[Exchange] = [ServiceDriver(service).send(request) for request in requests]
        return answers[0] if isinstance(action, Send) else answers


def send_all(
    monkeypatch: pytest.MonkeyPatch, number: int, seconds: float = 0.0, **options: Any
) -> tuple[list[int], int]:
    """The sizes of the batches of so many looks, and how many looks were left out."""
    hand = Answering(monkeypatch, seconds, found=options.pop("found", True))
    one_at_a_time = options.pop("one_at_a_time", False)
    timer = Timer(None)
    looks = ClosingLooks(timer, **options)
    runner: Any = hand
    looks.send([TARGET.get("i1")] * number, runner, one_at_a_time=one_at_a_time)
    return hand.sizes, looks.left_out


def test_looks_overlap_unless_the_target_serves_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert send_all(monkeypatch, 10) == ([4, 4, 2], 0)
    assert send_all(monkeypatch, 3, one_at_a_time=True) == ([1, 1, 1], 0)


def test_a_slow_target_is_asked_for_some_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would take more than its share is left out, and counted; nothing is where time is no matter."""
    assert send_all(monkeypatch, 12, 6.0) == ([4], 8)
    assert send_all(monkeypatch, 12, 1.5) == ([4, 4, 4], 0)
    assert send_all(monkeypatch, 12, 6.0, limited=False) == ([4, 4, 4], 0)


def test_a_target_without_the_route_is_not_asked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not offered is no loss."""
    assert send_all(monkeypatch, 20, found=False) == ([4, 4], 0)


def test_the_end_of_a_run_tells_what_was_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that had no time for closing looks says so between its totals and its verdict."""
    monkeypatch.setattr("harness.engine.closing_looks._FREE", -1.0)
    monkeypatch.setattr("harness.engine.closing_looks._SHARE", 0.0)
    target = replace(toys.toy_target(ToyService()), throwaway=False)
    events = [
        *check_target(target, (toys.check("get.ok", toys.create_and_get, lambda got: []),), RunOptions(jobs=1))
    ]
    state = PresentedRun(INTERACTIONS)
    for event in events:
        state.handle(event)
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.unread > 0
    words = f"{finished.unread} resources were not read again before the end, because the target responds slowly"
    assert words in [*state.list_notes()]
