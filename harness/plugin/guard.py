"""While a fixture is in use, nothing may connect to anything but this machine.

Layer 6. Works on the standard library's sockets, which asyncio and trio use too; a library with sockets of its own
(uvloop) is not seen.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any


class OutsideConnection(RuntimeError):
    """The code under test wanted to leave this machine."""


@contextmanager
def loopback_only(*, allow: Collection[str] = ()) -> Iterator[None]:
    """Refuse to connect to, and to look up, any host but this machine and `allow`: raises OutsideConnection."""
    allowed = _Allowed(allow)
    patched: list[tuple[Any, str, Any]] = [
        (socket.socket, "connect", _checking(socket.socket.connect, lambda args: args[1], allowed)),
        (socket.socket, "connect_ex", _checking(socket.socket.connect_ex, lambda args: args[1], allowed)),
    ]
    if socket.getaddrinfo.__module__ == "socket":  # a guard that is there already (pytest-socket) stays on top
        patched.append((socket, "getaddrinfo", _looking_up(socket.getaddrinfo, allowed)))
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


class _Allowed(set[str]):
    """Hosts that may be reached; the addresses that their names turn out to have join them."""


def _checking(original: Any, address_of: Any, allowed: _Allowed) -> Any:
    def checked(*args: Any, **kwargs: Any) -> Any:
        address = address_of(args)
        if isinstance(address, tuple) and address:
            _check(address[0], allowed)
        return original(*args, **kwargs)

    return checked


def _looking_up(original: Any, allowed: _Allowed) -> Any:
    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _check(host, allowed)
        found = original(host, *args, **kwargs)
        if host in allowed:
            allowed.update(entry[4][0] for entry in found)
        return found

    return getaddrinfo


def _check(host: Any, allowed: _Allowed) -> None:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in allowed or _is_here(host):
        return
    raise OutsideConnection(
        f"a connection to {host} was refused: while an interactions fixture is in use only this machine can be "
        "reached. Build the client with base_url=interactions_emulator.base_url or from the environment, or take "
        "the fixture `interactions_client`"
    )


def _is_here(host: str) -> bool:
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
