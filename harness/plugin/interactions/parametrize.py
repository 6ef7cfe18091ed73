"""Parametrize a test function by its markers: one test for each route, and for each known cut.

Layer 7. A test whose markers are wrong fails before its fixtures are made, with all that is wrong; others run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest

from harness.outcome import UsageFault
from harness.plugin.interactions import CASSETTE, PARAMETRIZED, TORTURE
from harness.plugin.names import find_unknown_markers

_EMULATOR = "interactions_emulator"
_OF_THE_FIXTURE = frozenset({"assert_all_used", "judge_turns", "max_requests", "max_settled_reads"})
"""What the marker of the emulator takes beside the emulator's settings."""
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
    mistakes = [
        *find_unknown_markers(metafunc.definition, fixtures),
        *_find_unread_markers(metafunc),
        *_find_wrong_values(metafunc),
    ]
    marked = metafunc.definition.get_closest_marker(TORTURE) is not None
    for fixture in (*PARAMETRIZED, *([TORTURE] if marked else [])):
        if fixture in metafunc.fixturenames:
            try:
                metafunc.parametrize(fixture, _find_cases(fixture, metafunc), indirect=True, ids=str)
            except UsageFault as fault:
                mistakes.append(str(fault))
    return "\n".join(f"In {metafunc.definition.nodeid}: {mistake}" for mistake in mistakes)


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
    """The errors in each of a function's own markers that no fixture reads, or whose arguments none would read.

    Markers of a module or class are not checked: they need not apply to each of its tests.
    """
    for marker in metafunc.definition.own_markers:
        fixtures = _FIXTURES.get(marker.name)
        if fixtures is not None and not any(fixture in metafunc.fixturenames for fixture in fixtures):
            yield (
                f"the marker {marker.name} has no effect on a test that does not take the fixture {fixtures[0]}: "
                "add it to the arguments"
            )
        if marker.name == _EMULATOR and marker.args:
            yield f"{marker.name} takes its settings by name, such as event_ids='sparse': {marker.args!r}"
        if marker.name in ("interactions_lifecycle", "interactions_incident") and marker.kwargs:
            yield f"{marker.name} takes names, one after the other, and no {next(iter(marker.kwargs))}="


def _find_wrong_values(metafunc: pytest.Metafunc) -> Iterator[str]:
    """The errors in the settings of the emulator and in the options of the cassette."""
    settings = settings_of(metafunc.definition)
    if values := {name: value for name, value in settings.items() if name not in _OF_THE_FIXTURE}:
        from harness.emulator.values.settings import Settings

        try:
            Settings().with_values(values)
        except UsageFault as fault:
            yield f"{_EMULATOR}: {fault}"
    if (marker := metafunc.definition.get_closest_marker(CASSETTE)) is not None:
        from harness.plugin.cassette_fixture import find_wrong_options

        yield from find_wrong_options(marker)


def settings_of(node: pytest.Item) -> dict[str, Any]:
    """The settings of a test's emulator; of several markers, the closest one counts."""
    settings: dict[str, Any] = {}
    for marker in node.iter_markers(_EMULATOR):
        settings = {**marker.kwargs, **settings}
    return settings


def _find_cases(fixture: str, metafunc: pytest.Metafunc) -> Sequence[Any]:
    """The cases of a test for one fixture. Only its module is imported: few tests need any."""
    definition, seed = metafunc.definition, metafunc.config.getoption("--interactions-seed")
    if fixture == "interactions_lifecycle":
        from harness.plugin.interactions.lifecycle import routes_of

        return routes_of(definition)
    if fixture == "interactions_incident":
        from harness.plugin.interactions.incidents import names_of

        return names_of(definition)
    if fixture == "interactions_schedule":
        from harness.plugin.schedule import seeds_of

        return seeds_of(definition, seed)
    if fixture == TORTURE:
        from harness.plugin.interactions import torture

        return torture.parameters(definition)
    from harness.plugin.interactions.dropped_stream import parameters

    return parameters(definition, seed)
