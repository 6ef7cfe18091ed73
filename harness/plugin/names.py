"""The names of fixtures, markers and their options: a wrong one gets an error with the name that was meant.

Knows the prefix and spelling; which fixtures and options there are is passed in, which markers there are is asked
of pytest. A name that the user has defined or registered is never wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from harness.outcome.words import did_you_mean, nearest

PREFIX = "interactions_"
_SINGULAR = "interaction_"
_SECTION = "interactions"
_NO_KEY = re.compile(r"No API key was provided|Missing key inputs")
_IN_PYTHON = {"array": "list", "object": "dict", "null": "None"}
_EARLY = (
    "a client was built while pytest imported this module, without a key: `interactions_early = true` in "
    "the pytest configuration sets the base URL and a placeholder key before anything is imported"
)


def name_function(item: pytest.Item) -> str:
    """The name that all parameters of a test share."""
    return item.nodeid.removesuffix(item.name) + str(getattr(item, "originalname", item.name))


def find_unknown_markers(definition: pytest.Item, fixtures: Collection[str]) -> Iterator[str]:
    """The errors in markers with our prefix that are not registered."""
    lines: list[str] = definition.config.getini("markers")
    known = {re.split(r"[:(]", str(line), maxsplit=1)[0].strip() for line in lines}
    for name in (marker.name for marker in definition.iter_markers() if marker.name not in known):
        if name in fixtures:
            yield f"the fixture {name} has no marker: add it to the test's arguments, and remove the marker"
        elif name.startswith(PREFIX):
            ours = [marker for marker in known if marker.startswith(PREFIX)]
            yield f"there is no marker {name}: {_propose(name, ours)}"


def find_wrong_options(marker: str, options: Mapping[str, Any], takes: type) -> Iterator[str]:
    """The errors in the options of a marker; `takes` is the TypedDict of those that there are."""
    known = get_type_hints(takes, include_extras=True)
    for name, value in options.items():
        hint = known.get(name)
        if hint is None:
            yield f"{marker} has no option {name!r}{did_you_mean(name, known)}"
        elif get_origin(hint) is Literal:
            if value not in get_args(hint):
                near = did_you_mean(str(value), get_args(hint), otherwise=".").rstrip(".")
                yield f"{marker}: {name}={value!r} is not one of {', '.join(get_args(hint))}{near}"
        else:
            try:
                msgspec.convert(os.fspath(value) if isinstance(value, os.PathLike) else value, hint)
            except msgspec.ValidationError as wrong:
                words = re.sub(r"array|object|null", lambda word: _IN_PYTHON[word[0]], str(wrong))
                yield f"{marker}: {name}={value!r} cannot be read: {words}"


def explain_missing_fixture(report: pytest.TestReport, error: object, fixtures: Iterable[str]) -> None:
    """Add a proposal to the report of a test whose fixture does not exist, if its name begins like ours."""
    name = (error.argname or "") if isinstance(error, pytest.FixtureLookupError) else ""
    if name.startswith((PREFIX, _SINGULAR)):
        report.sections.append((_SECTION, f"there is no fixture {name}: {_propose(name, fixtures)}"))


def explain_missing_key(report: pytest.CollectReport) -> None:
    """Add advice to the report of a module whose import built a client of google-genai without a key."""
    if "google/genai" in (text := str(report.longrepr)).replace("\\", "/") and _NO_KEY.search(text):
        report.sections.append((_SECTION, _EARLY))


def _propose(name: str, ours: Iterable[str]) -> str:
    """The similar names, or all. The prefix is not compared: it would make every name similar."""
    known = sorted(word.removeprefix(PREFIX) for word in ours)
    near = nearest(name.removeprefix(PREFIX).removeprefix(_SINGULAR), known)
    if near:
        return f"did you mean {' or '.join(PREFIX + word for word in near)}?"
    return f"known are {', '.join(PREFIX + word for word in known)}"
