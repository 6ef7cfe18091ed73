"""Runs toy repositories with the plugin, the way a user's pytest would."""

from __future__ import annotations

from importlib.metadata import entry_points

import httpcore  # noqa: F401  see `run`
import httpcore2  # noqa: F401
import pytest

PLUGIN = "harness.pytest_plugin"


def options() -> list[str]:
    """`-p` for the plugin, unless an installed entry point loads it already."""
    installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    unneeded = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "no:schemathesis",
        "-p",
        "no:hypothesispytest",
    ]  # seconds to import
    quiet = [*unneeded, "-o", "asyncio_default_fixture_loop_scope=function"]
    return [*quiet, "-W", "error", *([] if installed else ["-p", PLUGIN])]


def run(pytester: pytest.Pytester, *arguments: str, process: bool = False) -> pytest.RunResult:
    """One pytest run in the toy repository, warnings being errors.

    Modules that are first imported in a run of this process are forgotten after it. The libraries below httpx are
    imported before, or httpx would go on with exceptions of theirs that nobody raises any more.
    """
    runner = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
    return runner(*options(), *arguments)
