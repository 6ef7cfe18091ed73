"""Connect the tap to its target: asynchronously, and through the environment's proxy if one applies.

Layer 3. Knows how to open connections; must not know what is sent on them. `dial` finds proxies and opens tunnels
through them; its blocking connect cannot be used, because asyncio handles TLS here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

from harness.outcome import UsageFault
from harness.transport.client.dial import (
    SLOW_HANDSHAKE,
    NoConnection,
    Origin,
    Proxy,
    failure,
    may_be_plain,
    open_tunnel,
    place_of,
    proxy_of,
    refuse_plain,
    tls_failure,
    too_late,
)
from harness.transport.http1.limits import Limits
from harness.wire import By, How

_LATE = "it took too long"
_ANY = frozenset({"0.0.0.0", "::"})


def upstream_origin(target: str) -> Origin:
    """The origin that `target` names. Raises `UsageFault` if it has more than scheme, host and port."""
    origin = Origin.parse(target)
    if origin.prefix or "?" in target or "#" in target or "@" in target:
        raise UsageFault(
            f"--target {target!r} names more than a server: paths are forwarded as clients send them, "
            f"so write {origin.scheme}://{origin.authority}"
        )
    return origin


def refuse_itself(target: str, host: str, port: int) -> None:
    """Raise `UsageFault` if `target` is, under any name, the address to listen on: the tap would dial itself."""
    origin = upstream_origin(target)
    if origin.port != port:
        return
    theirs, ours = _resolve(origin.host), _resolve(host)
    if theirs & ours or (ours & _ANY and any(_is_of_this_machine(address) for address in theirs)):
        raise UsageFault(
            f"--target {target!r} is the address to listen on, and what listens there would ask itself: "
            "name the server's own port, or listen elsewhere (--port; 0 takes a free one)"
        )


def _resolve(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:  # the name does not resolve
        return set()


def _is_of_this_machine(address: str) -> bool:
    try:
        socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError:
        return False
    return True


async def dial_upstream(
    protocol: asyncio.Protocol, origin: Origin, tls: ssl.SSLContext | None, limits: Limits
) -> None:
    """Connect `protocol` to `origin`. Raises NoConnection, whose ending is what a direct client would see."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    # Like asyncio.timeout, at a third of its cost, which matters because every first byte waits for this.
    late = loop.call_later(limits.connect_seconds, task.cancel, _LATE)
    proxy, tunnel = None, None
    try:
        if tls is None:
            await loop.create_connection(lambda: protocol, origin.host, origin.port)
            return
        proxy = proxy_of(origin)
        where: dict[str, Any] = {"host": origin.host, "port": origin.port}
        if proxy is not None:
            tunnel = await asyncio.to_thread(open_tunnel, proxy, origin, limits)
            where = {"sock": tunnel}
        secured = loop.create_connection(lambda: protocol, ssl=tls, server_hostname=origin.host, **where)
        await (secured if proxy is not None else _watch(secured, origin))
    except UsageFault as wrong:
        raise NoConnection(By.LIMIT, How.REFUSED, str(wrong)) from None
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (_LATE,):
            raise
        task.uncancel()
        if tls is not None and proxy is None:
            await asyncio.to_thread(refuse_plain, origin)
        raise too_late(_place(origin, proxy, tunnel), limits) from None
    except ssl.SSLError as error:
        raise tls_failure(origin, error) from None
    except OSError as error:
        raise failure(_place(origin, proxy, tunnel), error) from None
    finally:
        late.cancel()


async def _watch(connecting: Coroutine[Any, Any, object], origin: Origin) -> None:
    """Wait for a connection with TLS; who is slow, or hangs up, is asked whether it speaks plain HTTP."""
    task = asyncio.ensure_future(connecting)
    try:
        done, _ = await asyncio.wait({task}, timeout=SLOW_HANDSHAKE)
        if not done or may_be_plain(task.exception()):
            await asyncio.to_thread(refuse_plain, origin)
        await task
    finally:
        task.cancel()


def _place(origin: Origin, proxy: Proxy | None, tunnel: socket.socket | None) -> str:
    """The address that could not be reached; with a proxy, the proxy or the tunnel through it."""
    if proxy is None:
        return place_of(origin.host, origin.port)
    through = f"the proxy {place_of(proxy.host, proxy.port)}"
    return through if tunnel is None else f"{place_of(origin.host, origin.port)} through {through}"
