"""What arrives on a blocking socket, read into a response; whatever goes wrong there is an `Ending`, never raised.

Layer 3. Knows sockets and deadlines; must not know HTTP's grammar (`response_reader`), nor who wants the answer.
"""

from __future__ import annotations

import socket
import ssl
import time

from harness.transport.response_reader import Event, ResponseReader
from harness.wire import By, How

_READ_BYTES = 64 * 1024


def receive(sock: socket.socket, reader: ResponseReader, *, until: float, limit: str) -> list[Event]:
    """What arrives before the moment `until`, as events; `limit` names the field of `Limits` that says so."""
    left = until - time.monotonic()
    try:
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        data = sock.recv(_READ_BYTES)
    except TimeoutError:
        return [reader.stop(How.TIMEOUT, By.LIMIT, f"nothing came in time (Limits.{limit})")]
    except (OSError, ValueError) as error:
        return [reader.stop(*_broken(error))]
    return reader.feed(data) if data else [reader.fin()]


def _broken(error: OSError | ValueError) -> tuple[How, By, str]:
    """How a connection ended whose reading raised this."""
    if isinstance(error, ssl.SSLEOFError):
        # OpenSSL 3 names a FIN; of a reset nothing but the broken end is left.
        how = How.FIN if error.reason == "UNEXPECTED_EOF_WHILE_READING" else How.RST
        return how, By.SERVER, "TLS ended without close_notify"
    if isinstance(error, ssl.SSLError):
        return How.TLS, By.SERVER, str(error.reason or error)
    if isinstance(error, OSError):
        return How.RST, By.SERVER, error.strerror or ""
    return How.RST, By.SERVER, str(error)  # closed by another thread
