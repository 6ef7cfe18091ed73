"""Servers that end at a request: a process of its own, and a supervisor that starts it again or does not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.foreign.judging import check, check_at
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, Handler, Refused
from tests.transport.peers import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@contextmanager
def supervised(
    dies_of: str, *words: str, again: bool = False, running: list[subprocess.Popen[bytes]] | None = None
) -> Iterator[str]:
    """Run the server in a process, and start it `again` whenever it ends; yields the URL. `running` gets it."""
    port = free_port()
    over = threading.Event()
    command = [sys.executable, "-m", "tests.foreign.mortal", str(port), *words]
    running = [] if running is None else running

    def supervise() -> None:
        while not over.is_set():
            with _start(command, dies_of) as started:
                running[:] = [started]
                started.wait()
            if not again:
                return

    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        _await_listener(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        over.set()
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(running[0].pid, signal.SIGKILL)
        thread.join()


def _start(command: list[str], dies_of: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DIES_OF": dies_of}
    quiet: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **quiet)


def _await_listener(port: int) -> None:
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
        else:
            return
    raise TimeoutError("the server did not start")


def test_a_request_that_ends_the_server_is_a_crash(capsys: pytest.CaptureFixture[str]) -> None:
    """A supervisor starts it again, so it is sent the same once more, and the accusation can be run."""
    with supervised("[" * 200, again=True) as url:
        report = check_at(url, "rob.*,err.no-crash,get.ok", words=("-v",))
    assert report.codes["err.no-crash"] == ["err.no-crash/died"]
    assert report.exit == 1
    said = capsys.readouterr().out
    assert "nested 10,001 deep stops the server" in said
    assert "printf '%10000s' '' | tr ' ' '['" in said


def test_a_server_that_is_gone_for_good_is_not_green(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes first after the findings, and in the last line, is what it got last."""
    with supervised("[" * 200, again=False) as url:  # one request at a time, so that one is the last
        report = check_at(url, "rob.*,err.no-crash,get.ok", words=("-j", "1"))
    assert (report.exit, report.verdicts["err.no-crash"]) == (4, "untestable")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("INCOMPLETE: the target stopped responding at ")
    assert "; its last request was POST /v1beta/interactions with a body of 20,0" in lines[-1]
    told = next(number for number, line in enumerate(lines) if line.startswith("the target stopped responding at"))
    assert "curl -sS" in lines[told + 1]


def test_a_server_that_dies_of_nothing_is_green() -> None:
    """The same server, told to die of what nobody sends."""
    with supervised("harness-sends-no-such-thing", again=True) as url:
        report = check_at(url, "rob.*,err.no-crash,get.ok")
    assert (report.exit, report.faults) == (0, {})


@pytest.mark.parametrize("dies_of", ["[" * 200, "model=x"])
def test_a_worker_that_ends_at_a_request_is_a_crash(dies_of: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its parent owns the socket, so no connection is refused: the request alone gets no byte, each time."""
    with supervised(dies_of, "workers") as url:
        report = check_at(url, "rob.*,err.*,get.ok")
    assert report.codes["err.no-crash"] == ["err.no-crash/unanswered"]
    assert (report.exit, [name for name, verdict in report.verdicts.items() if verdict == "fail"]) == (
        1,
        ["err.no-crash"],
    )
    assert "makes the server disconnect each time that it is sent" in capsys.readouterr().out


class Closing(Handler):
    """Closes every third connection after its response, without a word of it before, and after each rejection.

    A rejection comes before the body is read, so that the connection ends in a reset.
    """

    def handle_one_request(self) -> None:
        super().handle_one_request()
        self.close_connection |= next(self.service.numbers) % 3 == 0

    def reply(self, status: int, value: Any, headers: Any = None) -> None:
        self.close_connection |= status == 400
        super().reply(status, value, headers)


class Restarting(Handler):
    """Ends the connection of the first odd body without a response, once, as a restarted proxy does."""

    restarted = False

    def dispatch(self, data: bytes) -> Any:
        if data.startswith(b"model=x") and not Restarting.restarted:
            Restarting.restarted = self.close_connection = True
            raise ConnectionAbortedError
        return super().dispatch(data)


@pytest.mark.parametrize("handler", [Closing, Restarting])
def test_a_connection_that_ends_once_or_when_it_is_idle_is_no_crash(handler: type[Handler]) -> None:
    """Only a request that gets no byte each time that it is sent is blamed."""
    service = ForeignService()
    service.handler = handler
    report = check(service, "rob.*,err.*,get.ok")
    assert (report.verdicts["err.no-crash"], report.codes["err.no-crash"]) == ("pass", [])
    assert report.verdicts["rob.deep-json"] == "pass"


class Places(Handler):
    """Streams two runs at a time, and the next one when one has ended; a place may go with its client."""

    goes = False

    def take(self, most: int) -> threading.Semaphore:
        """Wait for one of the places, which the caller gives back."""
        places: threading.Semaphore = self.service.noted.setdefault("places", threading.Semaphore(most))
        while not places.acquire(timeout=0.05):
            if self.closed.is_set():
                raise ConnectionAbortedError
        return places

    def stream(self, events: Any) -> None:
        places = self.take(2)
        super().stream(events)
        if not self.close_connection or not self.goes:
            places.release()


class Locks(Places):
    """Has one place for all creates, and keeps it when it refuses one."""

    def dispatch(self, data: bytes) -> Any:
        place = self.take(1) if self.command == "POST" else threading.Semaphore()
        answer = super().dispatch(data)
        place.release()
        return answer


class Starves(Handler):
    """Correct: its backend is down from the first refusal on, and refusals do not need it."""

    def dispatch(self, data: bytes) -> Any:
        try:
            answer = super().dispatch(data)
        except Refused:
            self.service.noted["down"] = self.service.noted.get("down") or self.command == "POST"
            raise
        if self.service.noted.get("down") and self.command == "POST" and self.closed.wait():
            raise ConnectionAbortedError
        return answer


GONE = "no request like it succeeded since; "
LAST = f"{GONE}the last response before was 400, to {{"


@pytest.mark.parametrize(
    ("handler", "globs", "said", "faults"),
    [
        (Places, "stream.* resume.* bg.*", "", {}),
        (vary(Places, goes=True), "stream.* resume.* bg.*", f"{GONE}the client had left", {}),
        (Starves, "create.* err.no-crash", LAST, {}),
        (Locks, "create.* err.no-crash", LAST, {"err.no-crash": "fail"}),
    ],
)  # fmt: skip
def test_a_server_whose_calls_stop_is_named(
    handler: type, globs: str, said: str, faults: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The run does not wait for each; the last line says which call is down, since what. A lock is a defect."""
    service = ForeignService()
    service.handler = handler
    report = check(service, *globs.split(), words=("--timeout", "3"))
    assert (report.exit, report.faults) == (1 if faults else 4 if said else 0, faults)
    assert report.codes.get("err.no-crash") in (None, [], ["err.no-crash/stuck"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert (said in last, GONE in last) == (True, bool(said))


def test_a_server_that_serves_one_connection_at_a_time_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    """It reads nothing beside an idle connection, so none is kept."""
    service = ForeignService()
    service.handler = type("Single", (Handler,), {"service": service})
    with HTTPServer(("127.0.0.1", 0), service.handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        report = check_at(f"http://127.0.0.1:{server.server_port}", "get.*,resume.no-gap,stream.text,rob.conc*")
        server.shutdown()
    assert (report.exit, report.faults) == (0, {})
    passed = {name for name, verdict in report.verdicts.items() if verdict == "pass"}
    assert {"get.ok", "resume.no-gap", "stream.text", "rob.concurrent"} <= passed
    assert "note: the target serves one connection at a time" in capsys.readouterr().out
