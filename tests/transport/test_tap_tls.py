"""The tap in front of a server behind TLS, and through a proxy that tunnels."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from harness.transport import ServerThread
from harness.transport.in_thread import InThread
from harness.transport.tap import Tap
from harness.wire import Chunk, Chunked, Ending, Exchange, How, Length
from tests.transport.certificates import Certificate, certificate_in
from tests.transport.peers import Serving, connected, get, raw_exchange, read_head, until


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One for all tests of this file."""
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's own proxy stays out of this."""
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("how", [How.COMPLETE, How.FIN, How.RST])
@pytest.mark.parametrize("framing", [Chunked(), Length(9)], ids=["chunked", "length"])
def test_bytes_and_endings_come_out_of_tls(how: How, framing: Chunked | Length, certificate: Certificate) -> None:
    """The plain client gets the bytes and the ending that a TLS client would, and the record has both."""
    whole = how is How.COMPLETE and framing == Length(9)
    data = Chunk(b"abcdefghi" if whole else b"ab")
    seen: list[Exchange] = []
    with (
        ServerThread(Serving(data, Ending(how=how), framing=framing), tls=certificate.context) as server,
        InThread(Tap(server.url, seen.append, ca_file=certificate.ca_file)) as tap,
    ):
        _, closed = raw_exchange(tap.port, get(connection="close"))
        until(lambda: bool(seen))
    assert seen[0].body == data.data
    assert closed == ("rst" if how is How.RST else "fin")
    wanted = How.FIN if how is How.COMPLETE and not whole and isinstance(framing, Length) else how
    assert seen[0].ending.how is wanted


def test_a_certificate_that_nobody_trusts_is_a_tls_ending(certificate: Certificate) -> None:
    """The client is reset, the record says why."""
    seen: list[Exchange] = []
    with (
        ServerThread(Serving(Chunk(b"ab")), tls=certificate.context) as server,
        InThread(Tap(server.url, seen.append)) as tap,
    ):
        assert raw_exchange(tap.port, get()) == (b"", "rst")
        until(lambda: bool(seen))
    assert seen[0].ending.how is How.TLS


def test_a_client_that_leaves_a_tls_stream_ends_it_upstream(certificate: Certificate) -> None:
    """The hang-up reaches the service behind TLS."""
    serving = Serving(Chunk(b"ab"), Ending(how=How.STALL))
    with (
        ServerThread(serving, tls=certificate.context) as server,
        InThread(Tap(server.url, lambda exchange: None, ca_file=certificate.ca_file)) as tap,
    ):
        with connected(tap.port) as sock:
            sock.sendall(get())
            while not sock.recv(65536).endswith(b"ab\r\n"):
                pass
        assert serving.bodies[0].closed.wait(10)


class Tunnel:
    """A proxy that knows CONNECT, and counts."""

    def __init__(self) -> None:
        self.connects: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._stopping = threading.Event()
        self._socks: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.port: int = self._listener.getsockname()[1]

    @contextlib.contextmanager
    def running(self) -> Iterator[Tunnel]:
        """Accepts as long as it lasts."""
        self._threads[0].start()
        try:
            yield self
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join()
            for sock in (self._listener, *self._socks):
                sock.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = self._listener.accept()
                head = read_head(sock).decode()
                place = head.split()[1]
                self.connects.append(place)
                host, _, port = place.rpartition(":")
                other = socket.create_connection((host, int(port)))
                self._socks += [sock, other]
                sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for one, two in ((sock, other), (other, sock)):
                    thread = threading.Thread(target=self._pump, args=(one, two))
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, one: socket.socket, two: socket.socket) -> None:
        one.settimeout(5)
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                two.sendall(data)
        with contextlib.suppress(OSError):
            two.shutdown(socket.SHUT_WR)


def test_the_environments_proxy_is_asked_for_a_tunnel(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With HTTPS_PROXY set the connection goes through it, and TLS is still with the target."""
    seen: list[Exchange] = []
    with (
        Tunnel().running() as tunnel,
        ServerThread(Serving(Chunk(b"ab")), tls=certificate.context) as server,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{tunnel.port}")
        with InThread(Tap(server.url, seen.append, ca_file=certificate.ca_file)) as tap:
            raw_exchange(tap.port, get(connection="close"))
            until(lambda: bool(seen))
    assert tunnel.connects == [f"127.0.0.1:{server.port}"]
    assert seen[0].body == b"ab"
