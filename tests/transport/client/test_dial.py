"""A target at an address with the wrong scheme is told as that, and a slow one is not."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from harness.transport import Limits, UrlDriver
from harness.transport.client import dial
from harness.transport.server.server import InThread
from harness.transport.tap import tap
from harness.transport.tap.tap import Tap
from harness.wire import Ending, Exchange, How, Request
from tests.foreign.listening import listening
from tests.transport.certificates import certificate_in
from tests.transport.peers import deaf, get, raw_exchange, until

LIMITS = Limits(connect_seconds=2, head_seconds=5, idle_seconds=5, total_seconds=8)
GET = Request("GET", "/v1beta/interactions/1")


class Plain(BaseHTTPRequestHandler):
    """Speaks plain HTTP, and waits for the end of a line whatever comes first."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer any GET."""
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def one_at_a_time() -> Iterator[str]:
    """A plain server that serves no second connection while the first is open."""
    with HTTPServer(("127.0.0.1", 0), Plain) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def hanging_up() -> Iterator[str]:
    """A plain server that hangs up on what is no HTTP."""

    class Strict(Plain):
        def handle(self) -> None:
            if self.rfile.peek(1)[:1] == b"G":  # type: ignore[attr-defined]
                super().handle()

    with listening(Strict) as url:
        yield url


def by_driver(url: str, ca_file: str | None = None) -> Ending:
    """How a request of the driver ends."""
    with contextlib.closing(UrlDriver(url, limits=LIMITS, ca_file=ca_file)) as driver:
        return driver.send(GET).ending


def by_tap(url: str, ca_file: str | None = None) -> Ending:
    """How a request through the recorder ends."""
    seen: list[Exchange] = []
    with InThread(Tap(url, seen.append, limits=LIMITS, ca_file=ca_file)) as tap:
        raw_exchange(tap.port, get(connection="close"))
        until(lambda: bool(seen))
    return seen[0].ending


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake is slow after a short time."""
    for module in (dial, tap):
        monkeypatch.setattr(module, "SLOW_HANDSHAKE", 0.2)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_name_that_does_not_resolve_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server refused anything: the message names the host, so that a typo is seen."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    ending = by_driver("http://no-such-host.invalid")
    assert ending.unresolved
    assert ending.detail == "no address for the host name 'no-such-host.invalid' (Name or service not known)"


@pytest.mark.parametrize("ask", [by_driver, by_tap])
@pytest.mark.parametrize(
    "serve", [lambda: listening(Plain), one_at_a_time, hanging_up], ids=["many", "one", "strict"]
)
def test_https_at_a_plain_port_is_told_as_that(
    ask: Callable[[str], Ending], serve: Callable[[], contextlib.AbstractContextManager[str]]
) -> None:
    """Whether the server waits for the rest of a line, serves nobody meanwhile, or hangs up."""
    with serve() as url:
        ending = ask(url.replace("http:", "https:"))
        assert ending.detail.endswith(f" speaks plain HTTP, not TLS: write {url}")
    assert ending.how is How.TLS


@pytest.mark.parametrize("ask", [by_driver, by_tap])
@pytest.mark.slow
def test_a_port_that_says_nothing_is_no_plain_one(ask: Callable[[str], Ending]) -> None:
    """What answers neither is told as the time that it took, in words of the command line."""
    with deaf() as port:
        assert ask(f"https://127.0.0.1:{port}").detail == f"no connection to 127.0.0.1:{port} in 2 s"


@pytest.mark.parametrize("ask", [by_driver, by_tap])
def test_a_slow_handshake_is_waited_for(ask: Callable[..., Ending], tmp_path: Path) -> None:
    """A server that begins TLS only when it was asked on a second connection is asked no third time."""
    certificate = certificate_in(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            first, second = listener.accept()[0], listener.accept()[0]
            second.close()
            with certificate.context.wrap_socket(first, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                with contextlib.suppress(OSError):
                    secured.unwrap()

        thread = threading.Thread(target=serve)
        thread.start()
        ending = ask(f"https://127.0.0.1:{listener.getsockname()[1]}", certificate.ca_file)
        thread.join()
    assert ending.complete
