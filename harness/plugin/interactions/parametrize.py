"""Parametrize a test function by its markers: one test for each route, and for each known cut.

Layer 7. A wrong marker is a collection error of that test, with a message and without a traceback.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.outcome import UsageFault

_FIXTURES = {
    "interactions_lifecycle": ("interaction_lifecycle",),
    "interactions_dropped": ("dropped_stream",),
    "interactions_emulator": (
        "interactions_emulator", "interactions_client", "interactions_async_client", "interaction_lifecycle",
        "interaction_chain", "dropped_stream",
    ),
}  # fmt: skip
"""The fixtures that read a marker; without one of them, the marker has no effect."""


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make as many tests as the markers ask for. Fails the collection of a function whose markers are wrong."""
    try:
        _heeded(metafunc)
        _routes(metafunc)
        _cuts(metafunc)
    except UsageFault as fault:
        raise pytest.fail.Exception(f"In {metafunc.definition.nodeid}: {fault}", pytrace=False) from None


def parameter_of(request: pytest.FixtureRequest) -> Any:
    """The parameter of a fixture that parametrizes its tests. Raises UsageFault if pytest could not do that."""
    try:
        return request.param
    except AttributeError:
        raise UsageFault(
            f"{request.fixturename} makes one test for each of its cases, which pytest can only do for a test "
            "function that takes it, or a fixture that takes it, as an argument: not for unittest.TestCase, and "
            "not with getfixturevalue()"
        ) from None


def _heeded(metafunc: pytest.Metafunc) -> None:
    """Raise UsageFault for a function's own marker that no fixture reads.

    Markers of a module or class are not checked: they need not apply to each of its tests.
    """
    for marker in metafunc.definition.own_markers:
        fixtures = _FIXTURES.get(marker.name)
        if fixtures is not None and not any(fixture in metafunc.fixturenames for fixture in fixtures):
            raise UsageFault(
                f"the marker {marker.name} has no effect on a test that does not take the fixture {fixtures[0]}: "
                "add it to the arguments"
            )


def _routes(metafunc: pytest.Metafunc) -> None:
    if "interaction_lifecycle" in metafunc.fixturenames:
        from harness.plugin.interactions.lifecycle import routes_of

        metafunc.parametrize("interaction_lifecycle", routes_of(metafunc.definition), indirect=True)


def _cuts(metafunc: pytest.Metafunc) -> None:
    if "dropped_stream" in metafunc.fixturenames:
        from harness.plugin.interactions.dropped_stream import parameters

        cases = parameters(metafunc.definition, metafunc.config.getoption("--interactions-seed"))
        metafunc.parametrize("dropped_stream", cases, indirect=True, ids=str)
