"""The building blocks of the pytest fixtures, usable without the fixtures too. Layer 7.

Everything a fixture does is here; `harness.pytest_plugin` only connects it to markers, options and tests. Names
are imported on first use, so that the plugin costs nothing in a project that does not use it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.errors import BlockingCallWarning, LeftBehindWarning, OutsideConnection, UncheckedResultWarning
    from harness.plugin.cassette_fixture import CassetteFixture
    from harness.plugin.environment_variables import EnvironmentVariables
    from harness.plugin.interactions.assert_conforms import assert_conforms
    from harness.plugin.interactions.chain import Chain, ChainTurn
    from harness.plugin.interactions.clients import async_client, client
    from harness.plugin.interactions.dropped_stream import DroppedStream, cases_of
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.interactions.lifecycle import ROUTES, Lifecycle
    from harness.plugin.interactions.torture import Torture, TortureReport
    from harness.plugin.interactions.webhooks import WebhookDelivery, WebhooksFixture
    from harness.plugin.network_guard import loopback_only
    from harness.plugin.observed_service import ObservedService
    from harness.plugin.schedule import TaskSchedule
    from harness.plugin.sent_requests import OtherCall, SentRequest, SentRequests
    from harness.plugin.session_server import SessionServer, Tenant
    from harness.plugin.virtual_time import Sleeps, no_sleep

_HOMES = {
    "Chain": "interactions.chain",
    "ChainTurn": "interactions.chain",
    "client": "interactions.clients",
    "async_client": "interactions.clients",
    "assert_conforms": "interactions.assert_conforms",
    "DroppedStream": "interactions.dropped_stream",
    "cases_of": "interactions.dropped_stream",
    "EnvironmentVariables": "environment_variables",
    "OutsideConnection": "network_guard",
    "loopback_only": "network_guard",
    "Lifecycle": "interactions.lifecycle",
    "ROUTES": "interactions.lifecycle",
    "Torture": "interactions.torture",
    "TortureReport": "interactions.torture",
    "WebhooksFixture": "interactions.webhooks",
    "WebhookDelivery": "interactions.webhooks",
    "CassetteFixture": "cassette_fixture",
    "TaskSchedule": "schedule",
    "OtherCall": "sent_requests",
    "SentRequest": "sent_requests",
    "SentRequests": "sent_requests",
    "InteractionsEmulator": "interactions.emulator",
    "ObservedService": "observed_service",
    "SessionServer": "session_server",
    "Tenant": "session_server",
    "Sleeps": "virtual_time",
    "no_sleep": "virtual_time",
    "UncheckedResultWarning": "after_test",
    "BlockingCallWarning": "blocking_calls",
    "LeftBehindWarning": "after_test",
}

__all__ = [
    "SessionServer", "Tenant", "EnvironmentVariables", "ObservedService", "InteractionsEmulator",
    "SentRequests", "SentRequest", "OtherCall",
    "client", "async_client",
    "Lifecycle", "ROUTES", "Chain", "ChainTurn",
    "DroppedStream", "cases_of", "CassetteFixture",
    "WebhooksFixture", "WebhookDelivery", "Torture", "TortureReport",
    "assert_conforms",
    "TaskSchedule", "no_sleep", "Sleeps", "loopback_only", "OutsideConnection", "UncheckedResultWarning",
    "BlockingCallWarning", "LeftBehindWarning",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
