"""The building blocks of the pytest fixtures, usable without the fixtures too.

Everything a fixture does is here; `harness.pytest_plugin` only connects it to markers, options and tests. Names
are imported on first use, so that the plugin costs nothing in a project that does not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.late_names import late_names

if TYPE_CHECKING:
    from harness.errors import (
        BlockingCallWarning,
        LeftBehindWarning,
        OutsideConnection,
        TurnWarning,
        UncheckedResultWarning,
    )
    from harness.plugin.cassette_fixture import CassetteFixture
    from harness.plugin.environment_variables import EnvironmentVariables
    from harness.plugin.interactions.assert_conforms import assert_conforms
    from harness.plugin.interactions.chain import Chain, ChainTurn
    from harness.plugin.interactions.clients import async_client, client
    from harness.plugin.interactions.dropped_stream import DroppedStream, cases_of
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.interactions.incidents import PlayedIncident
    from harness.plugin.interactions.lifecycle import ROUTES, Lifecycle
    from harness.plugin.interactions.torture import Torture, TortureReport
    from harness.plugin.interactions.webhooks import WebhookDelivery, WebhooksFixture
    from harness.plugin.network_guard import loopback_only
    from harness.plugin.observed_service import ObservedService
    from harness.plugin.schedule import TaskSchedule
    from harness.plugin.sent_requests import OtherCall, SentRequest, SentRequests
    from harness.plugin.session_server import SessionServer, Tenant
    from harness.plugin.virtual_time import Sleeps, no_sleep

__all__ = [
    "SessionServer", "Tenant", "EnvironmentVariables", "ObservedService", "InteractionsEmulator",
    "SentRequests", "SentRequest", "OtherCall",
    "client", "async_client",
    "Lifecycle", "ROUTES", "PlayedIncident", "Chain", "ChainTurn",
    "DroppedStream", "cases_of", "CassetteFixture",
    "WebhooksFixture", "WebhookDelivery", "Torture", "TortureReport",
    "assert_conforms",
    "TaskSchedule", "no_sleep", "Sleeps", "loopback_only", "OutsideConnection", "UncheckedResultWarning",
    "BlockingCallWarning", "LeftBehindWarning", "TurnWarning",
]  # fmt: skip

__getattr__ = late_names(__name__)
