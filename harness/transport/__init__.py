"""Carriers serve a service to clients, drivers send requests to a target. Layer 3.

The only package with sockets, sleeps and real clocks. It knows HTTP/1.1 and `harness.wire`; it must not know any
API. Names are imported on first use, so a caller pays only for the carrier it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.transport.client.driver import UrlDriver
    from harness.transport.http1.limits import Limits, ServerLimits
    from harness.transport.inprocess.httpx_transport import Transport, transport
    from harness.transport.inprocess.service_driver import ServiceDriver
    from harness.transport.inprocess.tee_transports import async_tee_transport, tee_transport
    from harness.transport.server.server import Server, ServerThread, WallClock
    from harness.transport.tap.tap import Tap

_HOMES = {
    "Limits": "http1.limits",
    "ServerLimits": "http1.limits",
    "ServiceDriver": "inprocess.service_driver",
    "UrlDriver": "client.driver",
    "Server": "server.server",
    "ServerThread": "server.server",
    "transport": "inprocess.httpx_transport",
    "Transport": "inprocess.httpx_transport",
    "Tap": "tap.tap",
    "tee_transport": "inprocess.tee_transports",
    "async_tee_transport": "inprocess.tee_transports",
    "WallClock": "server.server",
}

__all__ = [
    "ServiceDriver", "UrlDriver", "Limits",
    "Server", "ServerThread", "ServerLimits",
    "transport", "Transport",
    "Tap", "tee_transport", "async_tee_transport",
    "WallClock",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
