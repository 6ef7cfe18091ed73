"""Sessions keep the workers on a scriptable target apart, and leave nothing behind."""

from __future__ import annotations

import json
import threading
from contextlib import closing, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest

from harness.engine import workers
from harness.engine.capabilities import everything
from harness.engine.cleanup import CreatedResources
from harness.engine.plan import RunPlan, Selection, make_plan
from harness.engine.targets import TargetOptions, resolve_target
from harness.engine.workers import are_apart, count_jobs, do_wait, session_of, take_until_done
from harness.interactions import INTERACTIONS
from harness.outcome import TargetFault
from harness.transport import ServerThread
from harness.wire import COMPLETE, By, Ending, Exchange, ExchangeBuilder, Headers, How, Length, Request
from tests.engine import toys


def test_two_sessions_share_nothing() -> None:
    """What one session stored is unknown in another, and gone once the sessions have ended."""
    from harness.emulator import Emulator

    emulator = Emulator()
    with ServerThread(emulator, clock=emulator.clock) as server:
        target = resolve_target(INTERACTIONS, server.url, TargetOptions(api_key="k"))
        with session_of(target) as one, session_of(target) as two:
            created = one.send(target.target.create(input="hi"))
            found = created.body.partition(b'"id":"')[2].partition(b'"')[0].decode()
            assert one.send(target.target.get(found)).status == 200
            assert two.send(target.target.get(found)).status == 404
        with session_of(target) as three:
            assert three.send(target.target.get(found)).status == 404


def test_a_target_without_sessions() -> None:
    """If a control API offers no sessions, the error suggests `-j 1`."""
    with pytest.raises(TargetFault, match="use -j 1"), session_of(toys.toy_target(toys.ToyService(announces=[]))):
        pytest.fail("there is no session to be in")


@pytest.mark.parametrize(
    ("set_up", "several"),
    [
        (None, True),
        (("faults", {"plan": "event:5,rst"}), False),
        (("scripts", {"text": "This one."}), False),
    ],
    ids=["nothing", "a fault plan", "a script"],
)
def test_workers_overlap_their_waits_where_nothing_is_set_up(
    set_up: tuple[str, dict[str, str]] | None, several: bool
) -> None:
    """A plan or a script is for the requests of this run, and other sessions would not have it."""
    from harness.benches.server.fault_control import Faulty
    from harness.contract import PROTOCOL
    from harness.emulator import Emulator

    emulator = Emulator()
    with ServerThread(Faulty(emulator, PROTOCOL, control=emulator), clock=emulator.clock) as server:
        target = resolve_target(INTERACTIONS, server.url, TargetOptions(api_key="k"))
        if set_up is not None:
            with closing(target.connect()) as driver:
                assert driver.send(target.target.control("POST", *set_up)).status == 200
        assert (count_jobs(target, target, CreatedResources(INTERACTIONS), scriptable=True)[0] > 1) is several


def test_one_worker_where_there_are_no_sessions() -> None:
    """A control API of somebody else may have scripts and no sessions: then the exercises run in turn."""
    target = toys.toy_target(toys.ToyService(announces=[]))
    assert count_jobs(target, target, CreatedResources(INTERACTIONS), scriptable=True) == (1, [])


class OneAtATime(ThreadingHTTPServer):
    """A front with threads before a service that does one thing at a time; a create takes half a second."""

    busy = threading.Lock()


class Distant(ThreadingHTTPServer):
    """Whatever is asked takes half a second, and nothing waits for anything else."""


class PlainServer(BaseHTTPRequestHandler):
    """Creates a completed interaction; knows no other route."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        threading.Event().wait(0.5 if isinstance(self.server, Distant) else 0)
        with getattr(self.server, "busy", nullcontext()):
            self.answer(404, {"error": {"code": "not_found", "message": "No such route."}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with getattr(self.server, "busy", nullcontext()):
            threading.Event().wait(0.5 if isinstance(self.server, OneAtATime | Distant) else 0)
            self.answer(200, {"id": "v1_a", "object": "interaction", "status": "completed", "steps": []})

    def answer(self, status: int, value: Any) -> None:
        """Write a JSON response."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize(
    ("kind", "several"),
    [(ThreadingHTTPServer, True), (HTTPServer, False), (OneAtATime, False), (Distant, True)],
)
@pytest.mark.slow
def test_a_server_that_answers_side_by_side_gets_several_workers(
    kind: type[HTTPServer], several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that serves one connection at a time, or one request, would delay exercises by each other.

    One whose every answer takes longer than we are patient is not taken for such a server.
    """
    if kind is Distant:
        monkeypatch.setattr(workers, "_PATIENCE", 0.1)
    with kind(("127.0.0.1", 0), PlainServer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            target = resolve_target(
                INTERACTIONS, f"http://127.0.0.1:{server.server_port}", TargetOptions(api_key="k")
            )
            with closing(target.connect()) as driver:
                created = driver.send(target.target.create({}, input="Say hi."))
            ledger = CreatedResources(INTERACTIONS)
            jobs, received = count_jobs(target, target, ledger, [created])
            paced = count_jobs(target, target, ledger, [created], paced=True)
        finally:
            server.shutdown()
    assert (jobs > 1) is several
    assert received
    assert paced == (1, [])


@pytest.mark.parametrize(
    ("create", "seconds", "apart", "wait"),
    [
        (2.0, (2.1, 2.2, 2.9), True, False),
        (2.0, (2.1, 2.2, 3.1), False, False),
        (2.0, (2.1, 4.1, 6.1), False, True),
        (2.0, (2.1, None), False, True),
        (0.12, (0.2, 0.21, 0.21), True, False),
        (0.12, (0.2, 0.21, 0.24), False, False),
    ],
)
def test_creates_do_not_wait_for_each_other(
    create: float, seconds: tuple[float | None, ...], apart: bool, wait: bool
) -> None:
    """Creates at once that take about as long as one alone are mostly on their way; None: no answer.

    A tenth of a second more is what a busy machine makes of a short one, and changes no check. What takes longer
    than that, and less than one after the other, is asked again.
    """

    def took(seconds: float | None) -> Exchange:
        builder = ExchangeBuilder(Request("POST", "/v1beta/interactions"))
        if seconds is None:
            return builder.finish(Ending(by=By.LIMIT, how=How.TIMEOUT), 20.0)
        builder.head(200, Headers(), Length(0))
        return builder.finish(COMPLETE, seconds)

    taken = list(map(took, seconds))
    assert (are_apart(took(create), taken), do_wait(took(create), taken)) == (apart, wait)


# --- what is taken from the workers of a run, and when nothing more is waited for


def filled(*words: int | BaseException | None) -> Queue[int | BaseException | None]:
    """A queue into which workers have put these."""
    said: Queue[int | BaseException | None] = Queue()
    for word in words:
        said.put(word)
    return said


def test_each_worker_is_waited_for() -> None:
    """What one says after another was done is taken, too, and nothing after the last was done."""
    assert list(take_until_done(filled(1, None, 2, None, 3), 2, lambda: None)) == [1, 2]


def test_what_a_worker_raised_is_raised() -> None:
    """A worker's exception ends it, after what was said before."""
    taken = take_until_done(filled(1, ZeroDivisionError(), 2), 1, lambda: None)
    assert next(taken) == 1
    with pytest.raises(ZeroDivisionError):
        next(taken)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_who_has_no_patience_left_takes_nothing_more(seconds: float) -> None:
    """Time may have run out while the last word was handled."""
    assert list(take_until_done(filled(1, 2), 1, iter([None, seconds]).__next__)) == [1]


def test_silence_ends_it() -> None:
    """A worker that says nothing more is waited for only as long as there is patience."""
    assert list(take_until_done(filled(1), 1, lambda: 0.01)) == [1]


def test_silence_lets_more_workers_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """While all wait for the target, more of them work, as long as there is something to do."""
    monkeypatch.setattr(workers, "_SILENCE", 0.001)
    said, more = filled(1), [2, 3]

    def add_workers() -> int:
        if more:
            said.put(more.pop(0))
        said.put(None)
        return int(bool(more))

    assert list(take_until_done(said, 1, lambda: None, add_workers)) == [1, 2, 3]


@pytest.fixture(scope="module")
def plan() -> RunPlan:
    """The plan for a target that can do everything."""
    able = everything(INTERACTIONS.load_capabilities())
    return make_plan(INTERACTIONS.load_catalogue(), Selection(), able, INTERACTIONS.load_profiles())
