"""The client that a command names: installed if it has a driver, and started with what it has to know.

Shared by the commands that play cases to clients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.child_processes import tool_environment
from harness.cli.serving import command_environment

if TYPE_CHECKING:
    from harness.benches.client.client_commands import Client, Task

TIMEOUT = 30.0
"""Seconds for each case."""

STARTING = 60.0
"""Seconds more that a client with a driver has for its first case: some take long to be imported."""

NOWHERE = "http://127.0.0.1:9"
"""The initial base URL of a client that gets another one for each case; nothing answers there."""


def new_client(
    command: Sequence[str], *, loop: bool, starting: float = 0.0, is_ready: bool = False
) -> Callable[[], Client]:
    """Make clients of a command; `loop` if it reads tasks. The first one may take `starting` seconds longer.

    A ready one was installed by us: it gets no variable but those that a tool needs, and runs where its driver
    is, because some SDKs read a `.env` of the current folder.
    """
    from harness.benches.client.client_commands import CommandClient, LoopClient

    def list_variables() -> Mapping[str, str]:
        return tool_environment() if is_ready else os.environ

    folder = Path(command[-1]).parent if is_ready else None
    if loop:
        return lambda: LoopClient(
            command, command_environment(NOWHERE, list_variables()), starting=starting, folder=folder
        )
    return lambda: CommandClient(command, lambda task: environment_of(task, list_variables()), folder=folder)


def environment_of(task: Task, variables: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The environment of a client: where the server is, and what to read there."""
    of_case = {"INTERACTION_ID": task.interaction, "HARNESS_CASE": task.case, "HARNESS_MODE": task.mode}
    return {**command_environment(task.base_url, os.environ if variables is None else variables), **of_case}
