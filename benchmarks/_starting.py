"""Servers in processes of their own: a port for each, and waiting until it accepts connections."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable

_PATIENCE = 20.0


def free_port() -> int:
    """Return a port that nobody listens on now.

    It is below the ports that systems choose themselves: a server that takes any free port cannot come first.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for(port: int, name: str, *, alive: Callable[[], bool] = lambda: True) -> None:
    """Wait until something listens on the port; raise SystemExit if it is not `alive` or takes too long."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and alive():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise SystemExit(f"{name} did not come up on port {port}")
