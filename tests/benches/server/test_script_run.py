"""Commands of curl are run as a user would run them, and their answers are read from what they print."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from harness.benches.server.reachability import is_responding, report_silent_requests, wait_until_up
from harness.benches.server.script_run import is_alike, is_runnable, run_commands
from harness.outcome import TargetFault
from harness.transport import ServiceDriver
from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    Length,
    PieceBody,
    Request,
    Response,
    UntilClose,
)
from tests.engine import toys
from tests.engine.search import foreign_servers as foreign


def answer(status: int, body: bytes) -> Exchange:
    """An answer."""
    builder = ExchangeBuilder(Request("GET", "/"))
    builder.head(status, Headers(), Length(len(body)))
    builder.chunk(Chunk(body), 0.0)
    return builder.finish(COMPLETE, 0.0)


@pytest.mark.skipif(not is_runnable(), reason="curl is not installed")
def test_answers_are_read_in_order() -> None:
    """Each request gets its own answer, also where a variable captures it; keys come from the environment."""
    with foreign.serving(foreign.Plain()) as url:
        create = f'curl -sS -i -X POST {url}/v1beta/interactions -H "x-goog-api-key: $KEY"'
        body = ' --data-raw \'{"model": "gemini-3", "input": "hi"}\''
        take = 'grep -o \'"id": *"[^"]*"\' | sed -n 1p | cut -d\'"\' -f4'
        shown = "printf '%s\\n' \"$OUT0\""
        first = f"OUT0=$({create}{body}); {shown}\nID0=$({shown} | {take})"
        lines = [first, f"curl -sS -i {url}/v1beta/interactions/$ID0", "true"]
        answers = run_commands(lines, [Request("GET", "/")] * 3, {"KEY": "k"})
    assert [exchange.status for exchange in answers] == [200, 200, None]
    assert answers[1].body.strip().startswith(b'{"id": "v1_foreign0001"')


@pytest.mark.skipif(not is_runnable(), reason="curl is not installed")
def test_a_command_that_hangs_is_ended() -> None:
    """Commands that were not reached in time count as unanswered."""
    answers = run_commands(["sleep 60", "true"], [Request("GET", "/")] * 2, {}, seconds=0.2)
    assert [exchange.status for exchange in answers] == [None, None]


HALF = """import socket, threading
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    held = [server.accept()[0] for _ in range(1)]
    held[0].recv(9999)
    held[0].sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\n\\r\\ndata: {}")
    threading.Event().wait()
"""


@contextmanager
def half_an_answer() -> Iterator[str]:
    """A URL whose answer never ends."""
    with subprocess.Popen([sys.executable, "-c", HALF], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/"
        server.kill()


@pytest.mark.skipif(not is_runnable(), reason="curl is not installed")
@pytest.mark.slow
def test_an_answer_that_never_ends_is_seen_as_that() -> None:
    """Curl gave up: what came is there, in the background or not, and the answer hung."""
    for kept in ("", " > answer0.txt 2>&1 &\nsleep 0.1"):
        with half_an_answer() as url:
            lines = [f"curl -sS -N -i {url} --max-time 1{kept}", "true", "wait"]
            answers = run_commands(lines, [Request("GET", "/")] * 2, {}, 30.0, "answer{}.txt".format)
        assert (answers[0].status, answers[0].body.strip()) == (200, b"data: {}")
        assert (answers[0].hung, answers[0].excuse) == (True, "")
        assert not is_alike(answers[0], answer(200, b"data: {}"))


@pytest.mark.skipif(not is_runnable(), reason="curl is not installed")
@pytest.mark.slow
def test_an_answer_that_nobody_waited_for_proves_nothing() -> None:
    """Where time was up, what had not come to its end has an excuse."""
    for kept in ("", " > answer0.txt 2>&1 &\nwait"):
        with half_an_answer() as url:
            lines = [f"curl -sS -N -i {url} --max-time 60{kept}"]
            (one,) = run_commands(lines, [Request("GET", "/")], {}, 1.0, "answer{}.txt".format)
        assert (one.status, one.hung, one.excuse) == (200, False, "time limit reached")


@pytest.mark.skipif(not is_runnable(), reason="curl is not installed")
@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ((200, b'{"id": "a1", "status": "completed"}'), (200, b'{"id": "b2", "status": "completed"}'), True),
        ((200, b'{"id": "a1", "status": "completed"}'), (200, b'{"id": "b2", "status": "cancelled"}'), False),
        ((200, b'{"id": "a1"}'), (404, b'{"id": "a1"}'), False),
        ((200, b'{"id": "a1"}'), (200, b'{"name": "a1"}'), False),
        (
            (200, b'data: {"event_type": "a"}'),
            (200, b'data: {"event_type": "a"}\ndata: {"event_type": "b"}'),
            True,
        ),
        ((200, b'data: {"event_type": "begun"}'), (200, b'data: {"event_type": "ended"}'), False),
        ((500, b"oops"), (500, b"oh dear"), True),
    ],
)
def test_answers_are_alike_if_they_mean_the_same(
    one: tuple[int, bytes], other: tuple[int, bytes], alike: bool
) -> None:
    """Ids and texts may differ; the status, the words and the form may not."""
    assert is_alike(answer(*one), answer(*other)) is alike


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
