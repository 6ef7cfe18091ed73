"""What only the operating system knows of a socket: its send queue, and how its closing looks to the other side.

Layer 3. Knows socket options; must not know HTTP or event loops.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Protocol

_LINGER_NOT = struct.pack("ii", 1, 0)


class SocketLike(Protocol):
    """What event loops hand out as the socket of a transport."""

    def fileno(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None: ...


def undelivered(sock: SocketLike) -> int:
    """Bytes that the other side's kernel has not acknowledged yet; 0 where the system does not tell.

    A reset throws them away, which is why one that shall be exact to the byte waits for 0.
    """
    if sys.platform == "win32":  # there a reset may overtake the bytes before it
        return 0
    import fcntl
    import termios

    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def reset_on_close(sock: SocketLike) -> None:
    """Make the close of this socket a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
