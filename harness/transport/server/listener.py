"""Listening on an address, and the URL of that address.

Layer 3. Must not know what happens on a connection.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from harness.outcome import UsageFault

_BACKLOG = 1024


async def listen(
    connection: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
) -> asyncio.Server:
    """A listener that makes a `connection` for each client; raises `UsageFault` if the address cannot be used.

    `options` are those of `loop.create_server`; a bound `sock` among them replaces the address.
    """
    where: dict[str, Any] = {} if options.get("sock") else {"host": host, "port": port}
    try:
        return await asyncio.get_running_loop().create_server(connection, **where, backlog=_BACKLOG, **options)
    except OSError as error:
        code = error.errno or 0
        why = os.strerror(code) if code > 0 else error.strerror or str(error)
        raise UsageFault(
            f"cannot listen on {host}:{port} ({why}): "
            "choose another host or port (--host, --port; 0 takes a free one)"
        ) from error


def port_of(listener: asyncio.Server) -> int:
    """The port that the listener got."""
    return int(listener.sockets[0].getsockname()[1])


def url_of(scheme: str, host: str, port: int) -> str:
    """The URL of a server, without a trailing slash."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
