"""Run toy repositories with the plugin, as a user's pytest would."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import _pytest.pytester
import pytest
from _pytest.pytester import SysModulesSnapshot

import harness.checks.catalogue  # noqa: F401  see `LibrariesStay`

PLUGIN = "harness.pytest_plugin"
LIBRARIES = str(Path(pytest.__file__).parents[1]), str(Path(os.__file__).parent)

HEAD = """
import json, time
import httpx, pytest

PATH, KEY = "/v1beta/interactions", {"x-goog-api-key": "k"}
BODY = {"model": "gemini-3.8-flash", "input": "Hi"}

@pytest.fixture
def client(interactions_emulator):
    with httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test", headers=KEY) as client:
        yield client

def read(client, target, cursor=None):
    query = {"stream": "true"} | ({"last_event_id": cursor} if cursor else {})
    with client.stream("GET", target, params=query) as r:
        for line in r.iter_lines():
            if line.startswith("data: {"):
                yield json.loads(line[6:])

def text_of(events):
    return "".join(event["delta"]["text"] for event in events if event.get("delta", {}).get("type") == "text")
"""
"""The head of a module of tests, with a client of the test's emulator."""


def options() -> list[str]:
    """`-p` for the plugin, unless an installed entry point loads it already."""
    installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    unneeded = ["no:cacheprovider", "no:randomly", "no:schemathesis", "no:hypothesispytest"]  # seconds to import
    words = [word for name in (*unneeded, *([] if installed else [PLUGIN])) for word in ("-p", name)]
    return ["-W", "error", "-o", "asyncio_default_fixture_loop_scope=function", *words]


def run(pytester: pytest.Pytester, *arguments: str, process: bool = False) -> pytest.RunResult:
    """Run pytest once in the toy repository, with warnings as errors."""
    if process:  # the plugin of anyio imports trio, too
        return pytester.runpytest_subprocess(*options(), "-p", "no:anyio", *arguments)
    return pytester.runpytest_inprocess(*options(), *arguments)


class LibrariesStay(SysModulesSnapshot):
    """What pytest restores after a toy of this process, without the libraries that the toy imported first.

    If these were removed, others would still have them, and what imports them later would get new ones, with other
    classes: httpx, for example, would not know the exceptions of httpcore. Our catalogue is imported before.
    """

    def __init__(self, preserve: Callable[[str], bool] | None = None) -> None:
        super().__init__(lambda name: is_library(name) or (preserve is not None and preserve(name)))


def is_library(name: str) -> bool:
    """Whether a module that is imported belongs to an installed package, or to Python."""
    known = getattr(sys.modules[name], "__dict__", {})  # a lazy module would import more, were it asked
    place = known.get("__file__") or next(iter(known.get("__path__", ())), "")
    return str(place).startswith(LIBRARIES)


_pytest.pytester.SysModulesSnapshot = LibrariesStay  # type: ignore[misc]
