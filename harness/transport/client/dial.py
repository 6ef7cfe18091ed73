"""Connecting to a target: name lookup, TCP, a proxy's CONNECT if the environment asks for one, TLS.

Knows how a connection is established and why it fails; must not know what is sent on it.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time

from harness.outcome import TargetFault
from harness.transport.client.origin import Origin, Proxy, format_address, proxy_of
from harness.transport.http1.reader import Limits, ResponseReader
from harness.wire import At, By, Ending, How
from harness.wire.message import UNRESOLVED

_WRONG_HOST = {62, 64}
"""OpenSSL's codes for a valid certificate that belongs to another host or address."""


class NoConnection(TargetFault):
    """Raised when no connection was established; `ending` is the reason, and the ending of the exchange."""

    def __init__(self, by: By, how: How, detail: str) -> None:
        super().__init__(detail)
        self.ending = Ending(by, how, At.BEFORE_HEADERS, detail=detail)


def dial(origin: Origin, limits: Limits, tls: ssl.SSLContext | None, *, environment: bool = True) -> socket.socket:
    """A connected socket within `limits.connect_seconds`; raises `NoConnection`.

    For https, HTTPS_PROXY and NO_PROXY apply unless `environment` is false. A name lookup has no time limit but
    the resolver's own.
    """
    deadline = time.monotonic() + limits.connect_seconds
    proxy = proxy_of(origin) if environment and tls is not None else None
    sock: socket.socket | None = None
    try:
        sock = connect(origin, proxy, limits)
        if tls is not None:
            sock = tls.wrap_socket(
                sock, server_hostname=origin.host, suppress_ragged_eofs=False, do_handshake_on_connect=False
            )
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock.do_handshake()
        return sock
    except OSError as error:
        if sock is not None:
            sock.close()
        address = name_address(origin, proxy, sock)
        secured = tls is not None and sock is not None
        if isinstance(error, TimeoutError):
            raise too_late(address, limits, may_be_plain=secured and proxy is None) from None
        if isinstance(error, ssl.SSLError):
            raise tls_failure(origin, error) from None
        if isinstance(error, socket.gaierror):
            host = f"{proxy.host!r} of the proxy" if proxy else repr(origin.address[0])
            raise NoConnection(By.SERVER, How.REFUSED, f"{UNRESOLVED}{host} ({error.strerror})") from None
        raise failure(address, error, How.TLS if secured else How.REFUSED) from None


def name_address(origin: Origin, proxy: Proxy | None, tunnel: socket.socket | None) -> str:
    """The address that could not be reached; with a proxy, the proxy or the tunnel through it."""
    if proxy is None:
        return format_address(origin.host, origin.port)
    through = f"the proxy {format_address(proxy.host, proxy.port)}"
    return through if tunnel is None else f"{format_address(origin.host, origin.port)} through {through}"


_MAY_BE_PLAIN = "write http:// if it uses plain HTTP"


def too_late(address: str, limits: Limits, *, may_be_plain: bool = False) -> NoConnection:
    """The error for a connection to `address` that took too long; over TLS a plain server may wait for a line."""
    hint = f" ({_MAY_BE_PLAIN})" if may_be_plain else ""
    return NoConnection(By.LIMIT, How.TIMEOUT, f"no connection to {address} in {limits.connect_seconds:g} s{hint}")


def failure(address: str, error: OSError, how: How = How.REFUSED) -> NoConnection:
    """The error for no connection to `address`: our limit if no more files can be opened, else the server's."""
    by = By.LIMIT if error.errno in (errno.EMFILE, errno.ENFILE) else By.SERVER
    code = error.errno or 0  # asyncio writes its own words, such as "Connect call failed ('127.0.0.1', 1)"
    hint = f" ({_MAY_BE_PLAIN})" if how is How.TLS else ""
    return NoConnection(by, how, f"{address}: {os.strerror(code) if code > 0 else error.strerror or error}{hint}")


def tls_failure(origin: Origin, error: ssl.SSLError) -> NoConnection:
    """The error for a failed TLS handshake with `origin`; for an untrusted certificate it has the next step."""
    problem = error.reason or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = f"its certificate is not trusted: {error.verify_message}"
        if error.verify_code not in _WRONG_HOST:
            problem += " (--ca-file FILE trusts your own certificate)"
    elif problem == "WRONG_VERSION_NUMBER":
        problem = f"its response is not TLS: {_MAY_BE_PLAIN}"
    elif isinstance(error, ssl.SSLEOFError):
        problem = f"it disconnected: {_MAY_BE_PLAIN}"
    return NoConnection(By.SERVER, How.TLS, f"no TLS with {origin.host}: {problem}")


def connect(origin: Origin, proxy: Proxy | None, limits: Limits) -> socket.socket:
    """A connection to `origin` before TLS, through `proxy` if there is one; raises `NoConnection` or OSError."""
    deadline = time.monotonic() + limits.connect_seconds
    address = origin.address if proxy is None else (proxy.host, proxy.port)
    sock = socket.create_connection(address, timeout=limits.connect_seconds)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy is not None:
            _open_tunnel(sock, proxy, origin, limits, deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_tunnel(sock: socket.socket, proxy: Proxy, origin: Origin, limits: Limits, deadline: float) -> None:
    target = format_address(origin.host, origin.port)
    sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{proxy.authorization}\r\n".encode())
    reader = ResponseReader("HEAD", limits)  # CONNECT has no body if it succeeds, none of interest if it fails
    while reader.head is None and reader.ended is None:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        data = sock.recv(1)  # one byte at a time: what follows the head belongs to the tunnel
        if not data:
            reader.fin()
        reader.feed(data)
    if reader.head is None or reader.head.status != 200:
        status = f"status {reader.head.status}" if reader.head else str(reader.ended and reader.ended.how)
        address = format_address(proxy.host, proxy.port)
        raise NoConnection(By.SERVER, How.REFUSED, f"the proxy {address} gave no tunnel: {status}")
