"""Where connections to a tap are told apart: a browser that asks for the page, or a client of the target.

Layer 3. Knows heads of requests; an `OwnPage` knows which of them are not for the target. A client's first bytes
wait until its first head is whole, before which a link forwards none, either. What is no request does not wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from harness.errors import BadHead
from harness.transport.http1.heads import END_OF_HEAD, parse_request_head
from harness.transport.server.connection import Hub, ServerConnection
from harness.wire import Request, Response

_HEAD_BYTES = 64 * 1024
_BLANK_LINE = len(b"\r\n\r\n")


class OwnPage(Protocol):
    """A service for certain requests to a server that otherwise forwards what comes."""

    def claims(self, request: Request) -> bool:
        """Whether a request, without its body, is for it."""

    def answer(self, request: Request) -> Response:
        """Answer a request that is for it; any later one of the same connection, too."""


class Door(asyncio.Protocol):
    """A new connection whose first request has not been seen yet."""

    def __init__(self, page: OwnPage, hub: Hub, new_end: Callable[[], asyncio.Protocol], doors: set[Door]) -> None:
        self._page = page
        self._hub = hub
        self._new_end = new_end
        self._doors = doors
        self._came = bytearray()
        self._transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._doors.add(self)

    def data_received(self, data: bytes) -> None:
        came = self._came
        unseen = max(len(came) - _BLANK_LINE + 1, 0)  # a head that comes byte by byte is read once
        came += data
        end = END_OF_HEAD.search(came, unseen)
        if end is not None:
            self._enter(self._choose(bytes(came[: end.end()])))
        elif len(came) > _HEAD_BYTES or not came[:1].isalpha():
            self._enter(self._new_end())

    def _choose(self, raw: bytes) -> asyncio.Protocol:
        try:
            head = parse_request_head(raw)
        except BadHead:
            return self._new_end()
        is_for_page = self._page.claims(Request(head.method, head.target, head.headers))
        return ServerConnection(self._hub) if is_for_page else self._new_end()

    def _enter(self, inside: asyncio.Protocol) -> None:
        """Hand the connection over, with what has come."""
        self._doors.discard(self)
        self._transport.set_protocol(inside)
        inside.connection_made(self._transport)
        inside.data_received(bytes(self._came))
        self._came.clear()

    def eof_received(self) -> bool | None:
        if not self._came:
            return None
        end = self._new_end()
        self._enter(end)
        return end.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._doors.discard(self)

    def stop(self) -> None:
        """Hang up now."""
        self._transport.abort()
