"""The two ends of a link as asyncio protocols: they report events and how a connection ended to the link.

Layer 3. Knows asyncio's protocols and how TLS closes; how to react is decided in `link`.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from harness.transport.server.reset import reset_now
from harness.transport.server.socket_state import unread
from harness.transport.tap.link import TapLink
from harness.wire import How


class _End(asyncio.Protocol):
    """One end of a link. While its write buffer is full, nothing is read from the other end."""

    other = ""

    def __init__(self, link: TapLink) -> None:
        self._link = link

    def pause_writing(self) -> None:
        self._link.hush(self.other, "full")

    def resume_writing(self) -> None:
        self._link.unhush(self.other, "full")


class ClientEnd(_End):
    """The client's end of a link."""

    other = "upstream"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link.client_came(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._link.from_client(data)

    def eof_received(self) -> None:
        self._link.client_left(How.FIN)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.client_left(How.FIN if exc is None else How.RST)
        self._link.note_closed("client")


class OverLimitEnd(asyncio.Protocol):
    """A client connection above the maximum: it is reset and gets no link."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset_now(cast("asyncio.Transport", transport))


class UpstreamEnd(_End):
    """The end towards the target."""

    other = "client"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._link.upstream_came(self._transport)

    def data_received(self, data: bytes) -> None:
        self._link.from_upstream(data)

    def eof_received(self) -> None:
        self._send_fin()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._send_fin()
        else:
            self._salvage()
            self._link.upstream_left(_classify(exc), getattr(exc, "strerror", None) or str(exc))
        self._link.note_closed("upstream")

    def _send_fin(self) -> None:
        torn = _torn(self._transport)
        self._link.upstream_left(How.FIN, "TLS ended without close_notify" if torn else "", torn=torn)

    def _salvage(self) -> None:
        """Hand over data that arrived before a reset: after a failed write, event loops do not read any more."""
        if self._transport.get_extra_info("ssl_object") is None:
            for data in unread(self._transport.get_extra_info("socket")):
                self._link.from_upstream(data)


def _torn(transport: asyncio.Transport) -> bool:
    """Whether TLS ended without close_notify, so that the data may have been truncated on the way.

    Event loops do not report this, but one more read of the TLS object does: after close_notify it is at its end,
    otherwise it still wants data.
    """
    tls = transport.get_extra_info("ssl_object")
    try:
        return tls is not None and tls.read(1) != b""
    except ssl.SSLZeroReturnError:
        return False
    except ssl.SSLError:
        return True


def _classify(error: Exception) -> How:
    if isinstance(error, ssl.SSLError):
        return How.TLS
    return How.TIMEOUT if isinstance(error, TimeoutError) else How.RST
