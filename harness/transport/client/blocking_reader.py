"""Reads a response from a blocking socket; whatever goes wrong becomes an `Ending` and never raises.

Layer 3. Knows sockets and deadlines; must not know HTTP's grammar (`response_reader`), nor who needs the response.
"""

from __future__ import annotations

import socket
import ssl
import time

from harness.transport.http1.response_reader import Event, ResponseReader
from harness.wire import By, How

_READ_BYTES = 64 * 1024


_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


_TLS_CUT = "UNEXPECTED_EOF_WHILE_READING"
"""The reason that OpenSSL 3 gives a FIN; after a reset it reports only the broken end."""

_NO_CLOSE_NOTIFY = "TLS ended without close_notify"


def acknowledge_at_once(sock: socket.socket) -> None:
    """Acknowledge the first bytes of the next response without delay.

    A server that writes head and body separately, as Python's own does, otherwise waits 40 ms for that.
    """
    if _QUICKACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def receive(sock: socket.socket, reader: ResponseReader, *, until: float, limit: str) -> list[Event]:
    """Read once, until the moment `until` at the latest; `limit` names what sets it."""
    left = until - time.monotonic()
    try:
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        data = sock.recv(_READ_BYTES)
    except TimeoutError:
        return [reader.stop(How.TIMEOUT, By.LIMIT, f"nothing came in time ({limit})")]
    except (OSError, ValueError) as error:
        return [reader.stop(*_classify_error(error))]
    return reader.feed(data) if data else [reader.fin()]


def _classify_error(error: OSError | ValueError) -> tuple[How, By, str]:
    """How a connection ended if reading from it raised `error`."""
    if isinstance(error, ssl.SSLError) and error.reason == _TLS_CUT:  # before Python 3.11.4 no SSLEOFError
        return How.FIN, By.SERVER, _NO_CLOSE_NOTIFY
    if isinstance(error, ssl.SSLEOFError):
        return How.RST, By.SERVER, _NO_CLOSE_NOTIFY
    if isinstance(error, ssl.SSLError):
        return How.TLS, By.SERVER, str(error.reason or error)
    if isinstance(error, OSError):
        return How.RST, By.SERVER, error.strerror or ""
    return How.RST, By.SERVER, str(error)  # closed by another thread
