"""While a fixture is in use, nothing may connect to anything but this machine.

Layer 6. Watches the standard library's sockets, which asyncio and trio use too, and the loops of uvloop, whose
sockets are its own: there the methods that take an address are watched, once uvloop is imported (the server of a
session imports it where it is installed).
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

Patch = tuple[Any, str, Any]
"""Whose attribute, its name, and what it becomes."""


class OutsideConnection(RuntimeError):
    """The code under test wanted to leave this machine."""


@contextmanager
def loopback_only(*, allow: Collection[str] = (), tell: Callable[[str], object] = str) -> Iterator[None]:
    """Refuse to connect to, and to look up, any host but this machine and `allow`: raises OutsideConnection.

    `tell` is called with each message too: the code under test may swallow the exception.
    """
    watch = _Watch(allow, tell)
    patched = [*_standard(watch), *_uvloop(watch)]
    before = [owner.__dict__.get(name) for owner, name, _ in patched]
    for owner, name, function in patched:
        setattr(owner, name, function)
    try:
        yield
    finally:
        for (owner, name, function), original in zip(patched, before, strict=True):
            if owner.__dict__.get(name) is not function:
                continue  # another guard has taken its own back meanwhile, and ours with it
            if original is None:
                delattr(owner, name)  # it was inherited
            else:
                setattr(owner, name, original)


class _Watch:
    """Hosts that may be reached, and the addresses that their names turn out to have."""

    def __init__(self, allow: Collection[str], tell: Callable[[str], object]) -> None:
        self._allowed = set(allow)
        self._tell = tell

    def check(self, host: Any) -> None:
        """Let a host pass. Raises OutsideConnection."""
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if not isinstance(host, str) or host in self._allowed or _is_here(host):
            return
        message = (
            f"a connection to {host} was refused: while an interactions fixture is in use only this machine can "
            "be reached. Build the client with base_url=interactions_emulator.base_url or from the environment, "
            "or take the fixture `interactions_client`"
        )
        self._tell(message)
        raise OutsideConnection(message)

    def learn(self, host: Any, found: Any) -> None:
        """Addresses of an allowed name are allowed."""
        if host in self._allowed:
            self._allowed.update(entry[4][0] for entry in found)


def _standard(watch: _Watch) -> Iterator[Patch]:
    for name in ("connect", "connect_ex"):
        yield socket.socket, name, _connecting(getattr(socket.socket, name), watch)
    if socket.getaddrinfo.__module__ == "socket":  # a guard that is there already (pytest-socket) stays on top
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
    """Its `sock_connect` goes through the standard library's socket and is seen there."""
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
