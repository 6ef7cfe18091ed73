"""Sessions keep the workers on a scriptable target apart, and leave nothing behind."""

from __future__ import annotations

import threading
from contextlib import closing
from http.server import HTTPServer, ThreadingHTTPServer

import pytest

from harness.engine import run
from harness.engine.run import JOBS, JOBS_WITH_SESSIONS, count_jobs, session_of
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.outcome import TargetFault
from harness.transport import ServerThread
from tests.engine import toys
from tests.foreign.answering import AnsweringHandler, Refused


def test_two_sessions_share_nothing() -> None:
    """What one session stored is unknown in another, and gone once the sessions have ended."""
    from harness.emulator import Emulator

    emulator = Emulator()
    with ServerThread(emulator, clock=emulator.clock) as server:
        target = resolve_target(SERVERS, server.url, TargetOptions(api_key="k"))
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
        target = resolve_target(SERVERS, server.url, TargetOptions(api_key="k"))
        if set_up is not None:
            with closing(target.connect()) as driver:
                assert driver.send(target.target.control("POST", *set_up)).status == 200
        assert count_jobs(target, scriptable=True) == (JOBS_WITH_SESSIONS if several else 1, "")


class PlainServer(AnsweringHandler):
    """Knows no route."""

    def dispatch(self, data: bytes) -> None:
        raise Refused(404, "not_found")


@pytest.mark.parametrize(("kind", "jobs"), [(ThreadingHTTPServer, JOBS), (HTTPServer, 1)])
def test_a_server_that_serves_one_connection_at_a_time_gets_one_worker(
    kind: type[HTTPServer], jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exercises would delay each other; the reader of the run is told."""
    monkeypatch.setattr(run, "_PATIENCE", 1.0)
    with kind(("127.0.0.1", 0), PlainServer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            found, note = count_jobs(resolve_target(SERVERS, url, TargetOptions(api_key="k")), scriptable=False)
        finally:
            server.shutdown()
    assert (found, "one connection at a time" in note) == (jobs, jobs == 1)


# --- what is taken from the workers of a run, and when nothing more is waited for
