"""Runs toy repositories with the plugin, the way a user's pytest would."""

from __future__ import annotations

from importlib.metadata import entry_points

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
    """One pytest run in the toy repository, warnings being errors."""
    runner = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
    return runner(*options(), *arguments)
