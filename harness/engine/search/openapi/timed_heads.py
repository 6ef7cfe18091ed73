"""Bounds the head of an answer as a whole for the tool, whose `requests` bounds only the wait for each byte of it.

Layer 4.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

from harness.engine.traffic.deadline import Timer


@contextmanager
def timing_heads() -> Iterator[None]:
    """Within this context, a head that urllib3 reads takes no longer than its timeout in all."""
    from urllib3.connection import HTTPConnection

    usual = HTTPConnection.response_class
    HTTPConnection.response_class = _TimedResponse
    try:
        yield
    finally:
        HTTPConnection.response_class = usual


class _TimedResponse(HTTPResponse):
    """Raises `TimeoutError` as the socket does, when the head has not ended within the socket's timeout."""

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp.close()
        self._source = _TimedReader(sock)
        self.fp = io.BufferedReader(self._source)

    def begin(self) -> None:
        super().begin()
        self._source.timer = None


class _TimedReader(io.RawIOBase):
    """What a socket receives, until the time is up; without a timer, for as long as it takes."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._bytes = sock.makefile("rb", buffering=0)
        self.timer: Timer | None = Timer(sock.gettimeout())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.timer is not None and self.timer.over():
            raise TimeoutError("the head never ended")
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._bytes.close()
        super().close()
