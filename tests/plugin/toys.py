"""Run toy repositories with the plugin, as a user's pytest would."""

from __future__ import annotations

from importlib.metadata import entry_points

import httpcore  # noqa: F401  see `run`
import httpcore2  # noqa: F401
import pytest
import yaml  # noqa: F401

import harness.checks.catalogue  # noqa: F401

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
    """Run pytest once in the toy repository, with warnings as errors.

    Modules that an in-process run imports first are removed after it. So the libraries below httpx are imported
    before: otherwise httpx would keep exception classes of theirs that are no longer raised. So is yaml: its part
    in C keeps the classes of its first import. So is the catalogue: a package keeps its modules as attributes.
    """
    runner = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
    return runner(*options(), *arguments)
