"""Why there is no connection is told in words that lead on: a name with a typo, a plain server behind https."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from harness.transport import Limits, UrlDriver
from harness.transport.server.server import InThread
from harness.transport.tap.tap import Tap
from harness.wire import Ending, Exchange, Request
from tests.foreign.listening import listening
from tests.transport.peers import deaf, get, raw_exchange, until

LIMITS = Limits(connect_seconds=1, head_seconds=5, idle_seconds=5, total_seconds=8)
pytestmark = pytest.mark.usefixtures("no_proxy")


def by_driver(url: str) -> Ending:
    """How a request of the driver ends."""
    with contextlib.closing(UrlDriver(url, limits=LIMITS, environment=False)) as driver:
        return driver.send(Request("GET", "/v1beta/interactions/1")).ending


def by_tap(url: str) -> Ending:
    """How a request through the recorder ends."""
    seen: list[Exchange] = []
    with InThread(Tap(url, seen.append, limits=LIMITS)) as tap:
        raw_exchange(tap.port, get(connection="close"))
        until(lambda: bool(seen))
    return seen[0].ending


def test_a_name_that_does_not_resolve_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server refused anything: the message names the host, so that a typo is seen."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    ending = by_driver("http://no-such-host.invalid")
    assert ending.unresolved
    assert ending.detail == "no address for the host name 'no-such-host.invalid' (Name or service not known)"


class HangsUp(BaseHTTPRequestHandler):
    """A plain server that hangs up on what is no HTTP."""

    def handle(self) -> None:
        self.rfile.peek(1)  # type: ignore[attr-defined]


class Waits(BaseHTTPRequestHandler):
    """A plain server that waits for the end of a line that does not come."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.rfile.read1(65536):  # type: ignore[attr-defined]
                pass


@pytest.mark.parametrize("kind", [HangsUp, Waits])
def test_https_at_a_plain_port_may_be_a_mistake(kind: type[BaseHTTPRequestHandler]) -> None:
    """Whether the server waits for the rest of a line or hangs up, the message says what to write."""
    with listening(kind) as url:
        assert "write http:// if it uses plain HTTP" in by_driver(url.replace("http:", "https:")).detail


@pytest.mark.parametrize("ask", [by_driver, by_tap])
def test_a_port_that_says_nothing_is_no_plain_one(ask: Callable[[str], Ending]) -> None:
    """What does not even connect is told as the time that it took."""
    with deaf() as port:
        assert ask(f"https://127.0.0.1:{port}").detail == f"no connection to 127.0.0.1:{port} in 1 s"
