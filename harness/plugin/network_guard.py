"""Refuse connections to anything but this machine while a fixture is in use.

Patches the standard library's sockets, which asyncio and trio use too. Not guarded: child processes, and libraries
with sockets of their own, such as uvloop and those in other languages.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.errors import OutsideConnection
from harness.plugin.blocking_calls import note_blocking
from harness.plugin.late_patches import Patch, patched_attributes

_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"})


@contextmanager
def loopback_only(
    *,
    allow: Collection[str] = (),
    tell: Callable[[str], object] = str,
    before: Callable[[], object] = lambda: None,
    proxies: bool = False,
) -> Iterator[None]:
    """Raise OutsideConnection for connections to, and look-ups of, any host but this machine and those in `allow`.

    A name in `allow` may begin with `*.`. Environment variables that name a proxy are hidden, unless `proxies` are
    to be used. `tell` is also called with each message, because the code under test may swallow the exception.
    `before` is called first, at each connection, and may raise.
    """
    watch = _Watch(allow, tell, before)
    names = () if proxies else [name for name in os.environ if name.lower() in _PROXIES]
    found = {name: os.environ[name] for name in names}
    for name in found:
        del os.environ[name]
    try:
        with patched_attributes(list(_patch_sockets(watch))):
            yield
    finally:
        os.environ.update({name: value for name, value in found.items() if name not in os.environ})


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
        if not isinstance(host, str) or self._allows(host):
            return
        if host in ("", "localhost") or host.endswith(".localhost"):
            return
        with suppress(ValueError):  # a name
            address = ipaddress.ip_address(host.partition("%")[0])
            if address.is_loopback or address.is_unspecified:
                return
        message = (
            f"a connection to {host} was refused: while an interactions fixture is in use only this machine can "
            "be reached. Only clients on httpx are redirected by themselves: build the client with "
            "base_url=interactions_emulator.base_url or from the environment (GOOGLE_GEMINI_BASE_URL; "
            "`interactions_environment = NAME` sets another variable), or take the fixture `interactions_client`; "
            "for a client that a module builds while it is imported, set `interactions_early = true`. If "
            f"{host} is another service that the test needs, set `interactions_allowed_hosts = {host}`. "
            "All three are settings of the pytest configuration"
        )
        self._tell(message)
        raise OutsideConnection(message)

    def explain(self, refused: RuntimeError) -> None:
        """Add to what the guard of another plugin raised how it lets clients reach the server of a fixture."""
        message = (
            f"another plugin refused a connection ({refused}). To reach the server of a fixture, take "
            "`interactions_client`, which needs no socket, or allow this machine: `--allowed-hosts=127.0.0.1` of "
            "pytest-recording, `--allow-hosts=127.0.0.1` of pytest-socket"
        )
        self._tell(message)
        refused.add_note(message)

    def _allows(self, host: str) -> bool:
        return host.lower() in self._allowed or host.lower().endswith(self._suffixes or ("\0",))

    def learn(self, host: Any, found: Any) -> None:
        """Allow the addresses of an allowed name."""
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if isinstance(host, str) and self._allows(host):
            self._allowed.update(entry[4][0] for entry in found)


def _patch_sockets(watch: _Watch) -> Iterator[Patch]:
    def connecting(original: Callable[..., Any]) -> Any:
        def connect(self: socket.socket, address: Any, *rest: Any) -> Any:
            if isinstance(address, tuple) and address:
                watch.check(address[0])
                if self.gettimeout() != 0:  # asyncio and trio connect without blocking
                    advice = "Use an async client, or `await asyncio.to_thread(…)`."
                    note_blocking("a connection of a synchronous client", advice)
            try:
                return original(self, address, *rest)
            except RuntimeError as refused:
                watch.explain(refused)
                raise

        return connect

    def sending(original: Callable[..., Any]) -> Any:
        def send(self: socket.socket, *arguments: Any) -> Any:
            # A datagram's address comes with each call, as the last argument; without one the socket is connected.
            if len(arguments) > 1 and isinstance(arguments[-1], tuple) and arguments[-1]:
                watch.check(arguments[-1][0])
            return original(self, *arguments)

        return send

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        watch.check(host)
        found = look_up(host, *args, **kwargs)
        watch.learn(host, found)
        return found

    for name in ("connect", "connect_ex"):
        yield socket.socket, name, connecting(getattr(socket.socket, name))
    for name in ("sendto", "sendmsg"):
        if hasattr(socket.socket, name):
            yield socket.socket, name, sending(getattr(socket.socket, name))
    if look_up.__module__ == "socket":  # do not cover a guard that is already there (pytest-socket)
        yield socket, "getaddrinfo", getaddrinfo
