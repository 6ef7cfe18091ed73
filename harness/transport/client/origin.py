"""The address of a target, and what the way to it trusts: certificates, and the proxy of the environment.

Opens no connection; `dial` does.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from harness.files import read_file
from harness.outcome import UsageFault
from harness.wire.addresses import is_loopback, split_url

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


def upstream_origin(target: str) -> Origin:
    """The origin that `target` names. Raises `UsageFault` if it has more than scheme, host and port."""
    origin = Origin.parse(target)
    if origin.prefix or "?" in target or "#" in target or "@" in target:
        shown = "" if "@" in target or "?" in target else f" {target!r}"  # a password or a key may be in it
        raise UsageFault(
            f"--target{shown} names more than a server: paths are forwarded as clients send them, "
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
