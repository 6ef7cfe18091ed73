"""A reset that loses no byte: everything written before it has arrived when the connection breaks.

Layer 3. Knows an asyncio transport and how kernels acknowledge; must not know HTTP or why there is a reset.
On a connection that was used before, a kernel acknowledges a short segment some 40 ms late, so that the next
request can carry the acknowledgment. It acknowledges at once when a second segment arrives that was pushed like
the first. So the last two bytes are held back: they are sent together if the bytes before them are still
unacknowledged, else one by one.
"""

from __future__ import annotations

import asyncio
from typing import cast

from harness.transport.server.socket_state import SocketLike, count_undelivered, reset_on_close

_HELD_BACK = 2
_SPIN_SECONDS = 0.001
_POLL_SECONDS = 0.001


async def reset_after(transport: asyncio.Transport, data: bytes, *, seconds: float) -> None:
    """Write `data`, wait up to `seconds` until the peer's kernel has acknowledged all of it, and reset."""
    first, last = data[:-_HELD_BACK], data[-_HELD_BACK:]
    write(transport, first)
    if await _delivered(transport, _SPIN_SECONDS):
        write(transport, last[:1])
        await asyncio.sleep(0)  # event loops merge what is written in one turn
        last = last[1:]
    write(transport, last)
    await _delivered(transport, seconds)
    reset_now(transport)


def write(transport: asyncio.Transport, data: bytes) -> None:
    """Write `data`, if there is any and the connection is not closing."""
    if data and not transport.is_closing():  # uvloop raises if the peer has just gone
        transport.write(data)


async def _delivered(transport: asyncio.Transport, seconds: float) -> bool:
    """Wait up to `seconds`; return whether everything is acknowledged or the connection is closing."""
    loop = asyncio.get_running_loop()
    sock = cast("SocketLike", transport.get_extra_info("socket"))
    began = loop.time()
    await asyncio.sleep(0)
    while not transport.is_closing() and (transport.get_write_buffer_size() or count_undelivered(sock)):
        passed = loop.time() - began
        if passed > seconds:
            return False
        await asyncio.sleep(0 if passed < _SPIN_SECONDS else _POLL_SECONDS)
    return True


def reset_now(transport: asyncio.Transport) -> None:
    """Reset now, and discard what has not been delivered yet."""
    if not transport.is_closing():
        reset_on_close(cast("SocketLike", transport.get_extra_info("socket")))
    transport.abort()
