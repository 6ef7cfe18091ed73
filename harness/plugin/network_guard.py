"""Refuse connections to anything but this machine while a fixture is in use.

Layer 7. Patches the standard library's sockets, which asyncio and trio use too. uvloop has sockets of its own, so
the methods of its loops that take an address are patched once uvloop is imported (the server of a session imports
it if it is installed).
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

Patch = tuple[Any, str, Any]
"""Owner of an attribute, its name, and its new value."""


class OutsideConnection(RuntimeError):
    """The code under test tried to connect to another machine."""


@contextmanager
def loopback_only(
    *,
    allow: Collection[str] = (),
    tell: Callable[[str], object] = str,
    before: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Raise OutsideConnection for connections to, and look-ups of, any host but this machine and those in `allow`.

    A name in `allow` may begin with `*.`. `tell` is also called with each message, because the code under test may
    swallow the exception. `before` is called first, at each connection, and may raise.
    """
    watch = _Watch(allow, tell, before)
    patched = [*_standard(watch), *_uvloop(watch)]
    originals = [owner.__dict__.get(name) for owner, name, _ in patched]
    for owner, name, function in patched:
        setattr(owner, name, function)
    try:
        yield
    finally:
        for (owner, name, function), original in zip(patched, originals, strict=True):
            if owner.__dict__.get(name) is not function:
                continue  # another guard was removed meanwhile, and ours with it
            if original is None:
                delattr(owner, name)  # it was inherited
            else:
                setattr(owner, name, original)


class _Watch:
    """The hosts that may be reached, and the addresses to which their names resolve."""

    def __init__(
        self, allow: Collection[str], tell: Callable[[str], object], before: Callable[[], object]
    ) -> None:
        self._allowed = {host.lower() for host in allow}
        self._suffixes = tuple(host[1:].lower() for host in allow if host.startswith("*."))
        self._tell = tell
        self._before = before

    def check(self, host: Any) -> None:
        """Raise OutsideConnection unless the host may be reached."""
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        self._before()
        if not isinstance(host, str) or self._allows(host) or _is_here(host):
            return
        message = (
            f"a connection to {host} was refused: while an interactions fixture is in use only this machine can "
            "be reached. Build the client with base_url=interactions_emulator.base_url or from the environment, "
            f"or take the fixture `interactions_client`. If {host} is another service that the test needs, write "
            f"`interactions_allowed_hosts = {host}` in the pytest configuration"
        )
        self._tell(message)
        raise OutsideConnection(message)

    def _allows(self, host: str) -> bool:
        return host.lower() in self._allowed or host.lower().endswith(self._suffixes or ("\0",))

    def learn(self, host: Any, found: Any) -> None:
        """Allow the addresses of an allowed name."""
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if isinstance(host, str) and self._allows(host):
            self._allowed.update(entry[4][0] for entry in found)


def _standard(watch: _Watch) -> Iterator[Patch]:
    for name in ("connect", "connect_ex"):
        yield socket.socket, name, _connecting(getattr(socket.socket, name), watch)
    if socket.getaddrinfo.__module__ == "socket":  # do not cover a guard that is already there (pytest-socket)
        yield socket, "getaddrinfo", _looking_up(socket.getaddrinfo, watch)


def _connecting(original: Callable[..., Any], watch: _Watch) -> Any:
    def connect(self: socket.socket, address: Any, *rest: Any) -> Any:
        if isinstance(address, tuple) and address:
            watch.check(address[0])
        return original(self, address, *rest)

    return connect


def _looking_up(original: Callable[..., Any], watch: _Watch) -> Any:
    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        watch.check(host)
        found = original(host, *args, **kwargs)
        watch.learn(host, found)
        return found

    return getaddrinfo


def _uvloop(watch: _Watch) -> Iterator[Patch]:
    """Patches for uvloop; not for `sock_connect`, which calls the standard library's patched socket."""
    uvloop = sys.modules.get("uvloop")
    if uvloop is None:
        return
    loop = uvloop.Loop
    look_up, create, datagrams = loop.getaddrinfo, loop.create_connection, loop.create_datagram_endpoint

    async def getaddrinfo(self: Any, host: Any, *args: Any, **kwargs: Any) -> Any:
        watch.check(host)
        found = await look_up(self, host, *args, **kwargs)
        watch.learn(host, found)
        return found

    async def create_connection(self: Any, factory: Any, host: Any = None, *args: Any, **kwargs: Any) -> Any:
        watch.check(host)
        return await create(self, factory, host, *args, **kwargs)

    async def create_datagram_endpoint(
        self: Any, factory: Any, local_addr: Any = None, remote_addr: Any = None, **kwargs: Any
    ) -> Any:
        watch.check(remote_addr[0] if remote_addr else None)
        return await datagrams(self, factory, local_addr, remote_addr, **kwargs)

    for function in (getaddrinfo, create_connection, create_datagram_endpoint):
        yield loop, function.__name__, function


def _is_here(host: str) -> bool:
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
