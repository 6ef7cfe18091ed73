"""A single finding is rendered as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import pytest

from harness.engine.events import Capabilities, RunEvent
from harness.kit.history import Step
from harness.outcome import Finding, Level, Rule, Where
from harness.report.finding_text import compared_lines, finding_lines
from harness.wire import Exchange
from harness.wire.mask import Mask, hide_secrets

SECRET = "a-secret-of-the-run"


def test_a_finding_is_its_message_and_what_was_compared() -> None:
    """A finding is shown with its comparison if there is one, secrets hidden and control characters escaped."""
    place = Where(pointer="$.id")
    finding = Finding("get.ok", f"lost {SECRET}", f"not {SECRET}", "data: 1\n\n\x1b[2J", where=place)
    assert list(finding_lines(hide_secrets(finding, Mask({"KEY": SECRET})))) == [
        "lost *** (at $.id)",
        "  expected: not ***",
        r"  actual:   data: 1\n\n\x1b[2J",
    ]
    assert list(finding_lines(Finding("get.ok", "lost"))) == ["lost"]


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        ("8 output tokens", "20 output tokens", ["8 output tokens", "^", "20 output tokens", "^^"]),
        (f"v1_{'a' * 60}b", f"v1_{'a' * 60}c", [f"…{'a' * 20}b", f"{' ' * 21}^", f"…{'a' * 20}c", f"{' ' * 21}^"]),
        ("completed", "complete", ["completed", "        ^", "complete"]),
        ("a settled run", "in_progress", ["a settled run", "in_progress"]),
        (f'"{"E" * 90}…', "null", ['"EEEE…', "null"]),
    ],
)
def test_marks_stand_below_what_differs(expected: str, actual: str, lines: list[str]) -> None:
    """Words, or the characters of one word; a long value is shown where it differs; unlike ones have no mark."""
    shown = [str(line) for line in compared_lines(Finding("get.ok", "lost", expected, actual), brief=True)]
    assert [line[12:] for line in shown] == lines


class Pair(NamedTuple):
    """A tuple that takes its members one by one."""

    name: str
    number: int


class Note(msgspec.Struct, frozen=True):
    """A value of msgspec."""

    text: str
    number: int = 0


KEPT = Note("nothing")


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        (Pair(SECRET, 1), Pair("***", 1)),
        (Note(SECRET, 2), Note("***", 2)),
        ({SECRET}, {"***"}),
        (frozenset({(SECRET,)}), frozenset({("***",)})),
        ({SECRET: [Pair(SECRET, 3), KEPT]}, {"***": [Pair("***", 3), KEPT]}),
        ({"a": (Note(SECRET), None, True, 1.5, Level.MUST)}, {"a": (Note("***"), None, True, 1.5, Level.MUST)}),
    ],
)
def test_a_secret_is_hidden_in_each_kind_of_value(value: object, hidden: object) -> None:
    """Whatever an event is made of, its texts are found."""
    shown = hide_secrets(value, Mask({"KEY": SECRET}))
    assert (shown, type(shown)) == (hidden, type(hidden))


@pytest.mark.parametrize("value", [object(), b"bytes", [Note], {"a": iter("a")}])
def test_what_it_does_not_know_is_refused(value: object) -> None:
    """To pass over a value of an unknown kind could show the secret in it."""
    with pytest.raises(TypeError, match="secrets cannot be hidden in a "):
        hide_secrets(value, Mask({"KEY": SECRET}))


def test_every_event_is_made_of_values_that_it_knows() -> None:
    """A member of another type would end each run that has it."""
    allowed = (str, int, float, type(None), tuple, Mapping, UnionType, Enum, Capabilities, Exchange, Rule)
    assert [kind for kind in _list_types(RunEvent, {Step}) if not issubclass(kind, allowed)] == []


def _list_types(kind: Any, seen: set[Any]) -> Iterator[Any]:
    """The types of all members, down to those that have none."""
    if kind in seen or kind is Ellipsis:
        return
    seen.add(kind)
    inside = get_args(kind)
    names = getattr(kind, "__struct_fields__", ()) or getattr(kind, "__dataclass_fields__", ())
    if not inside and names and kind not in (Exchange, Rule):
        hints = get_type_hints(kind)
        inside = tuple(hints[name] for name in names)
    elif isinstance(kind, type) or get_origin(kind):
        yield get_origin(kind) or kind
    for member in inside:
        yield from _list_types(member, seen)
