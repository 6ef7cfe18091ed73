"""Carriers serve a service to clients, drivers send requests to a target.

The only package with sockets, sleeps and real clocks. It knows HTTP/1.1 and `harness.wire`; it must not know any
API. Names are imported on first use, so a caller pays only for the carrier it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.late_names import late_names

if TYPE_CHECKING:
    from harness.transport.client.driver import UrlDriver
    from harness.transport.http1.reader import Limits, ServerLimits
    from harness.transport.inprocess.httpx_transport import Transport, transport
    from harness.transport.inprocess.service_driver import ServiceDriver
    from harness.transport.inprocess.tee_transports import async_tee_transport, tee_transport
    from harness.transport.server.server import Server, ServerThread, WallClock
    from harness.transport.tap.tap import Tap

__all__ = [
    "ServiceDriver", "UrlDriver", "Limits",
    "Server", "ServerThread", "ServerLimits",
    "transport", "Transport",
    "Tap", "tee_transport", "async_tee_transport",
    "WallClock",
]  # fmt: skip

__getattr__ = late_names(__name__)
