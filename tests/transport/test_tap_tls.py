"""The tap in front of a server behind TLS, and through a proxy that tunnels."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.transport import ServerThread
from harness.transport.server.server import InThread
from harness.transport.tap.tap import Tap
from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, Exchange, How, Length
from tests.transport.certificates import Certificate
from tests.transport.peers import (
    RawConnection,
    RawServer,
    Serving,
    free_port,
    get,
    raw_exchange,
    read_head,
    saying,
    until,
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove any proxy from the environment."""
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("how", [How.COMPLETE, How.FIN, How.RST])
@pytest.mark.parametrize("framing", [Chunked(), Length(9)], ids=["chunked", "length"])
def test_bytes_and_endings_come_out_of_tls(how: How, framing: Chunked | Length, certificate: Certificate) -> None:
    """The plain client gets the bytes and the ending that a TLS client would get, and the record has both."""
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


@contextlib.contextmanager
def tls_server(certificate: Certificate, answer: bytes, *, goodbye: bool) -> Iterator[int]:
    """The port of a server behind TLS that answers once and closes, with close_notify or without."""

    def serve() -> None:
        with listener.accept()[0] as raw, certificate.context.wrap_socket(raw, server_side=True) as sock:
            read_head(sock)
            sock.sendall(answer)
            if goodbye:
                sock.settimeout(0)  # close_notify is sent, but the peer's is not awaited
                with contextlib.suppress(ssl.SSLWantReadError, OSError):
                    sock.unwrap()
            sock.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


@pytest.mark.parametrize("loop", [None, "uvloop"])
@pytest.mark.parametrize("goodbye", [True, False], ids=["close_notify", "torn"])
def test_a_body_until_the_close_is_whole_only_with_a_goodbye(
    goodbye: bool, loop: str | None, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gets the same either way; the record, like a direct TLS client, tells a cut from an end."""
    make = pytest.importorskip(loop).new_event_loop if loop else None
    monkeypatch.setattr("harness.transport.server.server.loop_factory", lambda: make)
    seen: list[Exchange] = []
    with (
        tls_server(certificate, b"HTTP/1.1 200 OK\r\n\r\nab", goodbye=goodbye) as port,
        InThread(Tap(f"https://127.0.0.1:{port}", seen.append, ca_file=certificate.ca_file)) as tap,
    ):
        assert raw_exchange(tap.port, get()) == (b"HTTP/1.1 200 OK\r\n\r\nab", "fin")
        until(lambda: bool(seen))
    cut = Ending(how=How.FIN, detail="TLS ended without close_notify")
    assert (seen[0].body, seen[0].ending) == (b"ab", COMPLETE if goodbye else cut)


def why_there_is_none(target: str, **options: str) -> str:
    """The recorded ending of a request that gets no connection; its client must be reset."""
    seen: list[Exchange] = []
    with InThread(Tap(target, seen.append, **options)) as tap:  # type: ignore[arg-type]
        assert raw_exchange(tap.port, get()) == (b"", "rst")
        until(lambda: bool(seen))
    assert (seen[0].status, seen[0].ending.at) == (None, At.BEFORE_HEADERS)
    return f"{seen[0].ending.how}: {seen[0].ending.detail}"


def test_a_certificate_that_is_not_trusted_says_why(certificate: Certificate) -> None:
    """The record suggests --ca-file for an untrusted certificate, not for another host's, and http for no TLS."""
    with ServerThread(Serving(Chunk(b"ab")), tls=certificate.context) as server:
        untrusted = why_there_is_none(server.url)
        another = why_there_is_none(server.url.replace("127.0.0.1", "localhost"), ca_file=certificate.ca_file)
    assert untrusted.startswith("tls: no TLS with 127.0.0.1: its certificate is not trusted: self")
    assert untrusted.endswith("(--ca-file FILE trusts your own certificate)")
    assert "'localhost'" in another
    assert "--ca-file" not in another
    with ServerThread(Serving(Chunk(b"ab"))) as server:
        assert "write http://" in why_there_is_none(server.url.replace("http", "https"))


_NO_PROXY = "refused: the proxy {!r} of the environment is not a URL: write http://HOST:PORT"


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://127.0.0.1:{closed}", "refused: the proxy 127.0.0.1:{closed}: Connection refused"),
        ("http://u:p@127.0.0.1:{stern}", "refused: the proxy 127.0.0.1:{stern} gave no tunnel: status 407"),
        ("http://:80", _NO_PROXY.format("http://:80")),
        ("http://proxy:port", _NO_PROXY.format("http://proxy:port")),
        ("http://a..example:80", _NO_PROXY.format("http://a..example:80")),
    ],
    ids=["dead", "stern", "nonsense", "port", "label"],
)
def test_a_proxy_that_does_not_help_is_named(proxy: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record names the proxy, and neither the target nor the proxy's credentials."""
    port = free_port()
    with RawServer(saying(b"HTTP/1.1 407 Who Are You\r\n\r\n")) as stern:
        monkeypatch.setenv("HTTPS_PROXY", proxy.format(closed=port, stern=stern.port))
        assert why_there_is_none("https://target.invalid") == said.format(closed=port, stern=stern.port)


def tunneling(heads: list[str]) -> Callable[[RawConnection], None]:
    """A handler that supports CONNECT, as a proxy does, and keeps the heads that it was sent."""

    def pump(one: socket.socket, two: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                two.sendall(data)
        with contextlib.suppress(OSError):
            two.shutdown(socket.SHUT_WR)

    def handler(connection: RawConnection) -> None:
        heads.append(read_head(connection.sock).decode())
        host, _, port = heads[-1].split()[1].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as other, ThreadPoolExecutor(2) as pool:
            connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pool.map(pump, (connection.sock, other), (other, connection.sock))

    return handler


def test_the_environments_proxy_is_asked_for_a_tunnel(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With HTTPS_PROXY set the connection goes through it, and TLS is still with the target."""
    seen: list[Exchange] = []
    heads: list[str] = []
    with (
        RawServer(tunneling(heads), read_request=False) as proxy,
        ServerThread(Serving(Chunk(b"ab")), tls=certificate.context) as server,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://us%40er:pass%3Aword@127.0.0.1:{proxy.port}")
        with InThread(Tap(server.url, seen.append, ca_file=certificate.ca_file)) as tap:
            raw_exchange(tap.port, get(connection="close"))
            until(lambda: bool(seen))
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            raw_exchange(tap.port, get(connection="close"))
            until(lambda: len(seen) == 2)
    assert [head.split()[1] for head in heads] == [f"127.0.0.1:{server.port}"]
    credentials = base64.b64encode(b"us@er:pass:word").decode()
    assert f"\r\nProxy-Authorization: Basic {credentials}\r\n" in heads[0]
    assert [exchange.body for exchange in seen] == [b"ab", b"ab"]
