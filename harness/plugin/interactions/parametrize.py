"""Parametrize a test function by its markers: one test for each route, and for each known cut.

A test whose markers are wrong fails before its fixtures are made, with all that is wrong; others run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Any

import pytest

from harness.outcome import UsageFault
from harness.plugin.interactions import CASSETTE, PARAMETRIZED, TORTURE
from harness.plugin.names import find_unknown_markers, find_wrong_options

_EMULATOR = "interactions_emulator"
_NAMED = ("interactions_lifecycle", "interactions_incident")
"""The markers that take names, one after the other, and no options."""
_MODULES = {
    "interactions_lifecycle": "interactions.lifecycle",
    "interactions_dropped_stream": "interactions.dropped_stream",
    "interactions_incident": "interactions.incidents",
    "interactions_schedule": "schedule",
    TORTURE: "interactions.torture",
    CASSETTE: "cassette_files",
    _EMULATOR: "interactions.emulator",
}
"""By marker, the module whose `MarkerOptions` it takes, and whose `list_cases` are the tests that it makes.

Only that of a marker or a fixture that a test has is imported: few tests have any.
"""
_FIXTURES = {
    **{name: (name,) for name in (*PARAMETRIZED, TORTURE)},
    _EMULATOR: (
        _EMULATOR, "interactions_client", "interactions_async_client", "interactions_lifecycle",
        "interactions_chain", "interactions_dropped_stream", "interactions_incident", "interactions_torture",
    ),
}  # fmt: skip
"""The fixtures that read a marker; without one of them, the marker has no effect."""


def parametrize(metafunc: pytest.Metafunc, fixtures: Collection[str]) -> str:
    """Make as many tests as the markers ask for; return what is wrong with the markers, "" if nothing is.

    `fixtures` are the plugin's, for the message about a marker that does not exist.
    """
    definition = metafunc.definition
    mistakes = [*find_unknown_markers(definition, fixtures), *_find_unread_markers(metafunc)]
    misread = {name: found for name in _MODULES if (found := list(_find_wrong_arguments(definition, name)))}
    mistakes += [mistake for found in misread.values() for mistake in found]
    seed = metafunc.config.getoption("--interactions-seed")
    marked = definition.get_closest_marker(TORTURE) is not None
    for fixture in (*PARAMETRIZED, *([TORTURE] if marked else [])):
        if fixture in metafunc.fixturenames and fixture not in misread:
            try:
                cases = _find_module(fixture).list_cases(definition, seed)
                metafunc.parametrize(fixture, cases, indirect=True, ids=str)
            except UsageFault as fault:
                mistakes.append(str(fault))
    return "\n".join(f"In {definition.nodeid}: {mistake}" for mistake in mistakes)


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


def _find_unread_markers(metafunc: pytest.Metafunc) -> Iterator[str]:
    """The errors in each of a function's own markers that no fixture reads.

    Markers of a module or class are not checked: they need not apply to each of its tests.
    """
    for marker in metafunc.definition.own_markers:
        fixtures = _FIXTURES.get(marker.name)
        if fixtures is not None and not any(fixture in metafunc.fixturenames for fixture in fixtures):
            yield (
                f"the marker {marker.name} has no effect on a test that does not take the fixture {fixtures[0]}: "
                "add it to the arguments"
            )


def _find_wrong_arguments(definition: pytest.Item, name: str) -> Iterator[str]:
    """The errors in the arguments of the markers of this name: unknown ones, and those that cannot be read."""
    for marker in definition.iter_markers(name):
        options, unnamed = dict(marker.kwargs), marker.args
        if name in _NAMED:
            yield from (f"{name} takes names, one after the other, and no {option}=" for option in options)
            continue
        takes = _find_module(name).MarkerOptions
        if name == CASSETTE:
            options, unnamed = {**dict(zip(["path"], unnamed, strict=False)), **options}, unnamed[1:]
        yield from (f"{name} takes its options by name, and no {value!r} alone" for value in unnamed)
        if name == _EMULATOR:
            from harness.emulator.values.settings import Settings

            settings = {
                option: options.pop(option) for option in marker.kwargs if option not in takes.__annotations__
            }
            try:
                Settings().with_values(settings)
            except UsageFault as fault:
                yield f"{name}: {fault}"
        yield from find_wrong_options(name, options, takes)


def settings_of(node: pytest.Item) -> dict[str, Any]:
    """The settings of a test's emulator; of several markers, the closest one counts."""
    settings: dict[str, Any] = {}
    for marker in node.iter_markers(_EMULATOR):
        settings = {**marker.kwargs, **settings}
    return settings


def _find_module(name: str) -> Any:
    return import_module(f"harness.plugin.{_MODULES[name]}")
