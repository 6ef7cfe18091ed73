"""A reset that takes no byte with it: whatever was written before has arrived when the connection breaks.

Layer 3. Knows an asyncio transport and how kernels acknowledge; must not know HTTP or why there is a reset.
On a connection that was used before, a kernel acknowledges a short segment some 40 ms late, to let the next
request carry that. It does so at once when a second one arrives that was pushed like the first. So two bytes are
held back: they travel together after bytes that nobody has acknowledged yet, else each alone.
"""

from __future__ import annotations

import asyncio
from typing import cast

from harness.transport.kernel import SocketLike, reset_on_close, undelivered

_HELD_BACK = 2
_SPIN_SECONDS = 0.001
_POLL_SECONDS = 0.001


async def reset_after(transport: asyncio.Transport, data: bytes, *, seconds: float) -> None:
    """Write `data`, wait up to `seconds` until the other side's kernel has all of it, and reset."""
    first, last = data[:-_HELD_BACK], data[-_HELD_BACK:]
    write(transport, first)
    if await _delivered(transport, _SPIN_SECONDS):
        write(transport, last[:1])
        await asyncio.sleep(0)  # event loops join what is written in one turn
        last = last[1:]
    write(transport, last)
    await _delivered(transport, seconds)
    reset_now(transport)


def write(transport: asyncio.Transport, data: bytes) -> None:
    """Hand over what there is, unless the connection is over."""
    if data and not transport.is_closing():  # uvloop raises where the other side has just gone
        transport.write(data)


async def _delivered(transport: asyncio.Transport, seconds: float) -> bool:
    """Whether everything is acknowledged before `seconds` are over, or nobody is there any more."""
    loop = asyncio.get_running_loop()
    sock = cast("SocketLike", transport.get_extra_info("socket"))
    began = loop.time()
    await asyncio.sleep(0)
    while not transport.is_closing() and (transport.get_write_buffer_size() or undelivered(sock)):
        passed = loop.time() - began
        if passed > seconds:
            return False
        await asyncio.sleep(0 if passed < _SPIN_SECONDS else _POLL_SECONDS)
    return True


def reset_now(transport: asyncio.Transport) -> None:
    """Reset, and let go of what is still on its way."""
    if not transport.is_closing():
        reset_on_close(cast("SocketLike", transport.get_extra_info("socket")))
    transport.abort()
