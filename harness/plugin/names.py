"""The names of fixtures and markers: a wrong one gets an error with the name that was probably meant.

Layer 6. Knows the prefix and spelling; which fixtures there are is passed in, which markers there are is asked of
pytest. A name that the user has defined or registered is never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pytest

from harness.outcome.words import nearest

PREFIX = "interactions_"
_SINGULAR = "interaction_"
_SECTION = "interactions"
_NO_KEY = re.compile(r"No API key was provided|Missing key inputs")
_EARLY = (
    "a client was built while pytest imported this module, without a key: `interactions_early = true` in "
    "the pytest configuration sets the base URL and a placeholder key before anything is imported"
)
_UNKNOWN_MARKER = re.compile(r"(?:Unknown pytest\.mark\.(\w+) - )|(?:'(\w+)' not found in `markers`)")
"""pytest's own words, with warnings as errors and with strict markers."""


def find_unknown_markers(definition: pytest.Item, fixtures: Collection[str]) -> Iterator[str]:
    """The errors in markers with our prefix that are not registered."""
    known = _read_registered(definition.config)
    for marker in definition.iter_markers():
        if marker.name not in known and (hint := marker_hint(marker.name, known, fixtures)):
            yield hint


def marker_hint(name: str, known: Iterable[str], fixtures: Iterable[str]) -> str:
    """The right spelling of an unknown marker; "" if it is not one of ours."""
    ours = [marker for marker in known if marker.startswith(PREFIX)]
    if name in fixtures:
        return f"the fixture {name} has no marker: add it to the test's arguments, and remove the marker"
    if not name.startswith(PREFIX) and not (name.startswith(_SINGULAR) and _with_prefix(name) in ours):
        return ""
    return f"there is no marker {name}: {_propose(name, ours)}"


def fixture_hint(name: str, fixtures: Iterable[str]) -> str:
    """The right spelling of an unknown fixture; "" if it is not one of ours."""
    ours = list(fixtures)
    bare = f"{name}_" in (PREFIX, _SINGULAR)
    if not bare and not name.startswith((PREFIX, _SINGULAR)) and _with_prefix(name) not in ours:
        return ""
    return f"there is no fixture {name}: {_propose(name, ours)}"


def explain_missing_fixture(report: pytest.TestReport, error: object, fixtures: Iterable[str]) -> None:
    """Add a proposal to the report of a test whose fixture does not exist."""
    if isinstance(error, pytest.FixtureLookupError) and (hint := fixture_hint(error.argname or "", fixtures)):
        report.sections.append((_SECTION, hint))


def explain_missing_marker(report: pytest.CollectReport, config: pytest.Config, fixtures: Iterable[str]) -> None:
    """Add a proposal to the report of a module that pytest refused for an unknown marker."""
    for names in _UNKNOWN_MARKER.findall(str(report.longrepr)):
        if hint := marker_hint("".join(names), _read_registered(config), fixtures):
            report.sections.append((_SECTION, hint))
            return


def explain_missing_key(report: pytest.CollectReport) -> None:
    """Add advice to the report of a module whose import built a client of google-genai without a key."""
    if "google/genai" in (text := str(report.longrepr)).replace("\\", "/") and _NO_KEY.search(text):
        report.sections.append((_SECTION, _EARLY))


def _read_registered(config: pytest.Config) -> frozenset[str]:
    lines: list[Any] = config.getini("markers")
    return frozenset(re.split(r"[:(]", str(line), maxsplit=1)[0].strip() for line in lines)


def _with_prefix(name: str) -> str:
    """The name with our prefix, if it has none or the singular."""
    return PREFIX + name.removeprefix(PREFIX).removeprefix(_SINGULAR)


def _propose(name: str, ours: Iterable[str]) -> str:
    """The similar names, or all. The prefix is not compared: it would make every name similar."""
    known = sorted(word.removeprefix(PREFIX) for word in ours)
    near = nearest(_with_prefix(name).removeprefix(PREFIX), known)
    if near:
        return f"did you mean {' or '.join(PREFIX + word for word in near)}?"
    return f"known are {', '.join(PREFIX + word for word in known)}"
