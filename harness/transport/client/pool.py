"""Connections kept for the next request, as long as they look usable.

Layer 3. Knows idle sockets; must not know requests. A server may close an idle connection at any time. That must
never look like a defect of the response, so a caller that takes a connection must be ready to dial again.
"""

from __future__ import annotations

import select
import socket
import threading
import time

_KEPT = 32
_KEPT_SECONDS = 15.0


class Pool:
    """Idle connections to one origin, most recently used first; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[float, socket.socket]] = []
        self._closed = False

    def take(self) -> socket.socket | None:
        """A connection on which nothing has arrived while it was idle; None if there is none."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, sock = self._idle.pop()
            if time.monotonic() - since < _KEPT_SECONDS and not _readable(sock):
                return sock
            sock.close()

    def give(self, sock: socket.socket) -> None:
        """Keep a connection whose last response ended cleanly; close it if the pool is full or closed."""
        with self._lock:
            if not self._closed and len(self._idle) < _KEPT:
                self._idle.append((time.monotonic(), sock))
                return
        sock.close()

    def close(self) -> None:
        """Close the kept connections, and every connection given from now on."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for _, sock in idle:
            sock.close()


def _readable(sock: socket.socket) -> bool:
    """Whether a FIN or unsolicited data waits on an idle connection."""
    poll = select.poll() if hasattr(select, "poll") else None
    if poll is None:
        return bool(select.select([sock], [], [], 0)[0])
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
