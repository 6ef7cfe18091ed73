"""Waiting for a target: it returns at the first answer, and gives up in time."""

from __future__ import annotations

import pytest

from harness.benches.server.reachability import wait_until_up
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions import INTERACTIONS
from harness.outcome import TargetFault
from harness.transport import ServerThread
from harness.wire import At, Ending, How, Request, Response
from tests.engine import toys


class Sleepy(toys.ToyService):
    """A service that refuses a number of connections before it answers."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def __call__(self, request: Request) -> Response:
        if self.refusals:
            self.refusals -= 1
            return Response.dead(Ending(how=How.REFUSED, at=At.BEFORE_HEADERS))
        return super().__call__(request)


def test_waits_for_the_first_answer() -> None:
    service = Sleepy(2)
    wait_until_up(toys.toy_target(service), 60.0)
    assert len(service.log) == 1


def test_gives_up() -> None:
    """A target that never answers is a fault of the target, and the message names the time allowed."""
    with pytest.raises(TargetFault, match=r"within 0\.01 seconds \(refused\)"):
        wait_until_up(toys.toy_target(Sleepy(1_000_000)), 0.01)


@pytest.mark.parametrize("how", [How.TLS, How.BAD_HTTP])
def test_somebody_who_speaks_otherwise_is_there(how: How) -> None:
    """Waiting makes no HTTP of TLS: whoever asks next says what is wrong."""

    class Otherwise(toys.ToyService):
        def __call__(self, request: Request) -> Response:
            self.log.append(request)
            return Response.dead(Ending(how=how, at=At.BEFORE_HEADERS, detail="it answers plain HTTP"))

    service = Otherwise()
    wait_until_up(toys.toy_target(service), 60.0)
    assert len(service.log) == 1


def test_an_answer_that_is_too_long_to_be_read_is_one() -> None:
    """Waiting makes no head shorter."""
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response.json(200, b"{}", (("x-long", "x" * 100_000),))

    with ServerThread(answer) as server:
        wait_until_up(resolve_target(INTERACTIONS, server.url, TargetOptions()), 2.0)
    assert len(asked) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_waiting_sends_nothing(seconds: float) -> None:
    service = toys.ToyService()
    wait_until_up(toys.toy_target(service), seconds)
    assert service.log == []
