"""A target is waited for, and a service that leaves requests without a response is reported."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.benches.server.reachability import is_responding, report_silent_requests, wait_until_up
from harness.outcome import TargetFault
from harness.transport import ServiceDriver
from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Ending,
    Exchange,
    Headers,
    How,
    PieceBody,
    Request,
    Response,
    UntilClose,
)
from tests.engine import toys

# --- waiting for a target: it returns at the first answer, and gives up in time


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


def test_waits_for_a_slow_answer() -> None:
    """A target that needs seconds for each answer is up, and so is one that never answers an early request."""
    given: list[float | None] = []

    class Slow(toys.ToyService):
        def __call__(self, request: Request) -> Response:
            late = Response.dead(Ending(by=By.LIMIT, how=How.TIMEOUT, at=At.BEFORE_HEADERS))
            return late if (given[-1] or 0.0) < 3.0 else super().__call__(request)

    class Driver(ServiceDriver):
        def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
            given.append(timeout)
            return super().send(request, timeout=timeout)

    wait_until_up(replace(toys.toy_target(Slow()), connect=lambda session="": Driver(Slow())), 60.0)
    assert given == [1.0, 2.0, 4.0]


def test_waits_no_longer_for_what_has_ended() -> None:
    service = Sleepy(1_000_000)
    with pytest.raises(TargetFault):
        wait_until_up(toys.toy_target(service), 60.0, has_ended=lambda: "exit code 1")
    assert service.refusals == 1_000_000 - 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_waits_until_it_is_ready(status: int) -> None:
    """A server that loads something answers that it is not ready."""

    class Loads(toys.ToyService):
        def __call__(self, request: Request) -> Response:
            answer = super().__call__(request)
            return Response.json(status, b"{}") if len(self.log) < 3 else answer

    service = Loads()
    wait_until_up(toys.toy_target(service), 60.0)
    assert len(service.log) == 3


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (404, True), (503, False), (None, False)])
def test_a_front_whose_backend_does_not_run_is_not_up(status: int | None, is_there: bool) -> None:
    """A proxy may stand before what a command starts: it is silent or returns 503 until then."""
    late = Ending(by=By.LIMIT, how=How.TIMEOUT, at=At.BEFORE_HEADERS)
    answer = Response.dead(late) if status is None else Response.json(status, b"{}")
    assert is_responding(toys.toy_target(lambda request: answer)) is is_there


def test_gives_up() -> None:
    """A target that never answers is a fault of the target, and the message names the time allowed."""
    with pytest.raises(TargetFault, match=r"within 0\.01 s \(connection refused\)"):
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


# --- reporting requests that a service leaves unanswered


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending(how=How.REFUSED, at=At.BEFORE_HEADERS), True),
        (Ending(how=How.RST, at=At.BEFORE_HEADERS), True),
        (Ending(by=By.CLIENT, how=How.FIN, at=At.BEFORE_HEADERS), False),
        (Ending(how=How.RST, at=At.IN_BODY), False),
        (COMPLETE, False),
    ],
)
def test_only_an_answer_that_never_came_is_told(ending: Ending, told: bool) -> None:
    """Only a connection that the server drops before the head is reported; pieces and `close` pass unchanged."""
    heard, closed = list[Ending](), list[bool]()
    body = PieceBody((Chunk(b"x"), ending), lambda: closed.append(True))
    service = report_silent_requests(
        lambda request: Response(200, Headers(), UntilClose(), body), lambda request, died: heard.append(died)
    )
    response = service(Request("GET", "/x"))
    assert list(response.body) == [Chunk(b"x"), ending]
    response.body.close()
    assert (heard, closed) == ([ending] if told else [], [True])
