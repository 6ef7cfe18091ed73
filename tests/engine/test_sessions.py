"""Sessions keep the workers on a scriptable target apart, and leave nothing behind."""

from __future__ import annotations

import json
import threading
from contextlib import closing, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any

import pytest

from harness.engine.targets import TargetOptions, resolve_target
from harness.engine.workers import count_jobs, count_shared_jobs, session_of
from harness.interactions import INTERACTIONS
from harness.outcome import TargetFault
from harness.transport import ServerThread
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
        assert (count_jobs(target) > 1) is several


def test_one_worker_where_there_are_no_sessions() -> None:
    """A control API of somebody else may have scripts and no sessions: then the exercises run in turn."""
    assert count_jobs(toys.toy_target(toys.ToyService(announces=[]))) == 1


class OneAtATime(ThreadingHTTPServer):
    """A front with threads before a service that does one thing at a time; a create takes half a second."""

    busy = threading.Lock()


class PlainServer(BaseHTTPRequestHandler):
    """Creates a completed interaction; knows no other route."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        with getattr(self.server, "busy", nullcontext()):
            self.answer(404, {"error": {"code": "not_found", "message": "No such route."}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with getattr(self.server, "busy", nullcontext()):
            threading.Event().wait(0.5 if isinstance(self.server, OneAtATime) else 0)
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
    ("kind", "several"), [(ThreadingHTTPServer, True), (HTTPServer, False), (OneAtATime, False)]
)
def test_a_server_that_answers_side_by_side_gets_several_workers(kind: type[HTTPServer], several: bool) -> None:
    """A server that serves one connection at a time, or one request, would delay exercises by each other."""
    with kind(("127.0.0.1", 0), PlainServer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            target = resolve_target(
                INTERACTIONS, f"http://127.0.0.1:{server.server_port}", TargetOptions(api_key="k")
            )
            with closing(target.connect()) as driver:
                created = driver.send(target.target.create({}, input="Say hi."))
            jobs, received = count_shared_jobs(target, [created])
        finally:
            server.shutdown()
    assert (jobs > 1) is several
    assert received
