"""What only the operating system knows about a socket: its queues, and how its closing looks to the peer.

Layer 3. Knows socket options; must not know HTTP or event loops.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Protocol

_READ_BYTES = 64 * 1024
_LINGER_NOT = struct.pack("ii", 1, 0)


class SocketLike(Protocol):
    """What event loops provide as the socket of a transport."""

    def fileno(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None: ...


def count_undelivered(sock: SocketLike) -> int:
    """How many bytes the peer's kernel has not acknowledged yet; 0 if the system does not tell.

    A reset discards them, so a reset that must be exact to the byte waits for 0.
    """
    if sys.platform == "win32":  # it does not tell: a reset may overtake the bytes before it
        return 0
    import fcntl
    import termios

    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def unread(sock: SocketLike) -> Iterator[bytes]:
    """Yield what arrived on a non-blocking socket and was never read; the owner keeps the socket."""
    try:
        with socket.socket(fileno=os.dup(sock.fileno())) as twin:
            while data := twin.recv(_READ_BYTES):
                yield data
    except OSError:  # nothing more, or the error that ended it
        return


def reset_on_close(sock: SocketLike) -> None:
    """Make the close of this socket a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
