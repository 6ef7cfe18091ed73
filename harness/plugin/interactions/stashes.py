"""The plugin's values in pytest's stashes, shared by its hooks and fixtures: the session's server and so on.

Layer 7. Loaded in every pytest session, so nothing heavy is imported at the top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.plugin.after_test import Complaining, Promise
    from harness.plugin.environment_variables import EnvironmentVariables
    from harness.plugin.session_server import SessionServer

ENVIRONMENT: pytest.StashKey[EnvironmentVariables] = pytest.StashKey()
SESSION = pytest.StashKey["SessionServer"]()

TOLD = pytest.StashKey[Callable[[], str]]()
"""What a failing test's report tells of its service."""

DRAWN = pytest.StashKey[Callable[[], str]]()
"""How to repeat the order of tasks in which a test failed."""

PROMISES = pytest.StashKey[dict[str, "Promise"]]()
"""The fixtures whose outcome a test has to check."""

SERVICES = pytest.StashKey[list["Complaining"]]()
"""What complains at the end of a test about plans that were never met."""

NOTED = pytest.StashKey[set[str]]()
"""The notes on models that the session's summary has already."""

SHARED = ("interactions_module_emulator", "interactions_session_emulator")
CASSETTE = "interactions_cassette"


def find_session(config: pytest.Config) -> SessionServer:
    """The server of this pytest session, begun by its first use."""
    if SESSION not in config.stash:
        from harness.interactions import INTERACTIONS
        from harness.plugin import environment_variables
        from harness.plugin.after_test import DisarmedSession
        from harness.plugin.session_server import SessionServer

        names, early = config.getini("interactions_environment"), config.getini("interactions_early")
        names = environment_variables.BASE_URL_VARIABLES if names is None else names
        config.stash[ENVIRONMENT] = environment = environment_variables.EnvironmentVariables(names, early=early)
        environment.install()
        config.pluginmanager.register(DisarmedSession(config))
        config.stash[SESSION] = SessionServer(environment, INTERACTIONS)
    return config.stash[SESSION]
