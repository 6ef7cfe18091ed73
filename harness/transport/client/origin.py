"""The way to a target: its address, the certificates and the proxy of the environment, and its connection.

`dial` connects: name lookup, TCP, a proxy's CONNECT if the environment asks for one, TLS. It knows why that fails;
must not know what is sent.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from harness.files import read_file
from harness.outcome import TargetFault, UsageFault
from harness.transport.http1.reader import Limits, ResponseReader
from harness.wire import At, By, Ending, How
from harness.wire.addresses import is_loopback, split_url
from harness.wire.message import UNRESOLVED

_PORTS = {"http": 80, "https": 443}
_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----[\s\w+/=]*-----END (?:X509 )?CERTIFICATE-----")


class Origin(NamedTuple):
    """The address of a target; `prefix` is the path below which its API begins, without a trailing slash."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Origin:
        """The origin of `url`; raises `UsageFault` for anything but an http or https URL."""
        try:
            parts = split_url(url)
            port = parts.port
        except ValueError as error:  # from the address in brackets, or from the port
            raise UsageFault(f"{url!r} is not a URL ({error}): write http://HOST:PORT or https://HOST") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise UsageFault(f"{url!r} is not an http or https URL: write http://HOST:PORT or https://HOST")
        if not is_resolvable(parts.hostname):
            raise UsageFault(f"{url!r} has no valid host: {parts.hostname!r} has {_NO_LABEL}")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))

    @property
    def url(self) -> str:
        """The URL of its root."""
        return f"{self.scheme}://{format_address(self.host, self.port)}{self.prefix}"

    @property
    def address(self) -> tuple[str, int]:
        """The address to connect to; a name below `.localhost` is this machine, even if a resolver differs."""
        # RFC 6761, 6.3. Such names count as this machine where keys and webhooks are concerned.
        return "localhost" if self.host.endswith(".localhost") else self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_NO_LABEL = "an empty part, or one of more than 63 characters"


def is_resolvable(host: str) -> bool:
    """Whether a resolver takes the name. Python's own raises UnicodeError, no OSError, for `a..example`."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def format_address(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_ANY = frozenset({"0.0.0.0", "::"})


def upstream_origin(target: str, name: str = "--target") -> Origin:
    """The origin that `target`, set by `name`, names. Raises `UsageFault` if it has more than host and port."""
    origin = Origin.parse(target)
    if origin.prefix or "?" in target or "#" in target or "@" in target:
        shown = "" if "@" in target or "?" in target else f" {target!r}"  # a password or a key may be in it
        raise UsageFault(
            f"{name}{shown} names more than a server: paths are forwarded as clients send them, "
            f"so write {origin.scheme}://{origin.authority}"
        )
    return origin


def refuse_itself(target: str, host: str, port: int) -> None:
    """Raise `UsageFault` if `target` is, under any name, the address to listen on: the tap would dial itself."""
    if is_listener(upstream_origin(target), host, port):
        raise UsageFault(
            f"--target {target!r} is the address to listen on, and what listens there would ask itself: "
            "name the server's own port, or listen elsewhere (--port; 0 takes a free one)"
        )


def is_listener(origin: Origin, host: str, port: int) -> bool:
    """Whether `origin` is, under any name, the address of a server that listens on `host` and `port`."""
    if origin.port != port:
        return False
    theirs, ours = _resolve(origin.address[0]), _resolve(host)
    return bool(theirs & ours) or (bool(ours & _ANY) and any(map(is_loopback, theirs)))


def _resolve(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:  # the name does not resolve
        return set()


_IGNORE_EOF = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
"""Set by Python before 3.11.4: a connection that breaks off would look like one that ended."""


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """A context that trusts the system and `ca_file`, and offers HTTP/1.1 only; raises `UsageFault`."""
    context = ssl.create_default_context()
    context.options &= ~_IGNORE_EOF
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            # By its path, the library would wait for a pipe for ever, and follow a link that came meanwhile.
            found = _CERTIFICATE.findall(read_file(ca_file))
            context.load_verify_locations(cadata=b"\n".join(found).decode("ascii") or "none")
        except (OSError, ssl.SSLError) as error:
            raise UsageFault(
                f"{ca_file!r} cannot be trusted ({error.strerror or error}): name a file of PEM certificates"
            ) from None
    return context


class Proxy(NamedTuple):
    """The proxy that the environment names; `authorization` is a whole field line, or empty."""

    host: str
    port: int
    authorization: str


def proxy_of(origin: Origin) -> Proxy | None:
    """The proxy that the environment names for `origin`, or None; raises `UsageFault` if its URL is invalid."""
    # late: it brings http.client and email.parser, and most who import this module never dial
    from urllib.request import getproxies, proxy_bypass

    url = getproxies().get(origin.scheme, "")
    if not url or proxy_bypass(f"{origin.host}:{origin.port}") or proxy_bypass(origin.host):
        return None
    try:
        parts = split_url(url if "://" in url else f"http://{url}")
        host = parts.hostname or ""
        is_usable = host and parts.port != 0 and is_resolvable(host)
    except ValueError:  # from the host or the port
        is_usable = False
    if not is_usable:
        raise UsageFault(
            f"the proxy {url.rpartition('@')[2]!r} of the environment is not a URL: write http://HOST:PORT"
        )
    user = unquote(parts.username or "")
    token = b64encode(f"{user}:{unquote(parts.password or '')}".encode()).decode() if user else ""
    return Proxy(host, parts.port or 80, f"Proxy-Authorization: Basic {token}\r\n" if token else "")


@contextlib.contextmanager
def without_user_settings(url: str) -> Iterator[None]:
    """While the block runs, other libraries and programs send to a URL what `dial` would, and in the same way.

    They use no proxy for http, which would read the key; for https it only passes bytes on. They add no password
    of `~/.netrc`, and run no module: that of a name may be in the current folder.
    """
    values: dict[str, str | None] = {"NETRC": os.devnull, "SCHEMATHESIS_HOOKS": None}
    if not url.lower().startswith("https:"):
        values |= {"NO_PROXY": "*", "no_proxy": "*"}
    before = {name: os.environ.get(name) for name in values}
    _change_environment(values)
    try:
        yield
    finally:
        _change_environment(before)


def _change_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


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
