"""The client that a command names: installed if it has a driver, and started with what it has to know.

Layer 8. Shared by the commands that play cases to clients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.cli.commands.serve import command_environment
from harness.cli.output import say

if TYPE_CHECKING:
    from harness.benches.client.client_commands import Client, Task
    from harness.benches.client.ready import ReadyClient

TIMEOUT = 30.0
"""Seconds for each case."""

STARTING = 60.0
"""Seconds more that a client with a driver has for its first case: some take long to be imported."""

NOWHERE = "http://127.0.0.1:9"
"""The initial base URL of a client that gets another one for each case; nothing answers there."""


def install_ready(client: ReadyClient, *, offline: bool = False) -> list[str]:
    """The command of a client with a driver; installs it first, and says so on standard error."""
    from harness.benches.client.ready import install

    return install(client, tell=lambda text: say(f"harness: {text}", to_errors=True), offline=offline)


def new_client(command: Sequence[str], *, loop: bool, starting: float = 0.0) -> Callable[[], Client]:
    """Make clients of a command; `loop` if it reads tasks. The first one may take `starting` seconds longer."""
    from harness.benches.client.client_commands import CommandClient, LoopClient

    if loop:
        return lambda: LoopClient(command, command_environment(NOWHERE, os.environ), starting=starting)
    return lambda: CommandClient(command, environment_of)


def environment_of(task: Task) -> Mapping[str, str]:
    """The environment of a client: where the server is, and what to read there."""
    told = {"INTERACTION_ID": task.interaction, "HARNESS_CASE": task.case, "HARNESS_MODE": task.mode}
    return {**command_environment(task.base_url, os.environ), **told}
