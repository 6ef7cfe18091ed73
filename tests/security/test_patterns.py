"""No regular expression of the package takes more than linear time: strangers choose what it reads.

Each one reads texts of its own parts, repeated: a text of twice the length may take about twice as long.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import pytest

from tests.packages import PACKAGE, parse_package

pytestmark = pytest.mark.slow

Pattern = re.Pattern[Any]
_parser: Any = re._parser  # type: ignore[attr-defined]  # the only reader of patterns that knows all of their syntax

LENGTH, TIMES = 2_000, 4
PERHAPS_SLOW = 0.000_4
"""Seconds of the processor from which on a text of this length is read again, at more lengths."""
STEEPEST = 8.0
"""Between linear (4) and quadratic (16), for a text of four times the length."""
SHOWN = " \t\n\r\"\\a0-/:;,.=_<>[](){}*+?!#&%@|~'$^`Z\x1b\x80\xe9\u2028"
METHODS = {"match", "fullmatch", "search", "finditer", "findall", "split", "sub", "subn"}
"""The ways to read with a pattern. All but the first two begin at each place of a text."""


@cache
def find_patterns() -> dict[str, tuple[Pattern, frozenset[str]]]:
    """Each compiled pattern of the package by its name, and the ways in which it is used."""
    found = {}
    for path, module in parse_package().items():
        names = ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
        for name, call in list_compiled(module):
            for number, pattern in enumerate(read_patterns(names, name, call)):
                found[f"{names}.{name}.{number}"] = pattern, find_uses(name, path)
        for number, (pattern, how) in enumerate(list_inline(module)):
            found[f"{names}:{how}.{number}"] = pattern, frozenset({how})
    return found


def list_compiled(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The names that a module or a class of it gives to a value with patterns, and the value."""
    bodies = [module.body, *(node.body for node in ast.walk(module) if isinstance(node, ast.ClassDef))]
    for statement in (statement for body in bodies for statement in body):
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            calls = (node.func for node in ast.walk(statement.value) if isinstance(node, ast.Call))
            if isinstance(targets[0], ast.Name) and any(_find_function(call) == "compile" for call in calls):
                yield targets[0].id, statement.value


def read_patterns(module: str, name: str, value: ast.expr) -> Iterator[Pattern]:
    """The patterns in a value of a module."""
    owner = import_module(module.removesuffix(".__init__"))
    holders = [owner, *(part for part in vars(owner).values() if isinstance(part, type))]
    waiting = [vars(holder)[name] for holder in holders if name in vars(holder)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, re.Pattern):
            yield part
        elif isinstance(part, dict):
            waiting += (*part.keys(), *part.values())
        elif isinstance(part, (tuple, list, set, frozenset)):
            waiting += part


def list_inline(module: ast.Module) -> Iterator[tuple[Pattern, str]]:
    """The patterns that a call of `re` has as a text."""
    for node in ast.walk(module):
        how = _find_function(node.func) if isinstance(node, ast.Call) and node.args else ""
        if how and how not in ("compile", "escape") and isinstance(pattern := node.args[0], ast.Constant):
            yield re.compile(pattern.value), how


def _find_function(called: ast.expr) -> str:
    """The name of a function of `re` that is called; "" if it is another's."""
    is_of_re = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re"
    return called.attr if is_of_re else ""


@cache
def read_sources() -> dict[Path, str]:
    """The texts of the package."""
    return {path: path.read_text("utf-8") for path in parse_package()}


def find_uses(name: str, home: Path) -> frozenset[str]:
    """The ways in which a pattern is used; all of them if some use does not tell."""
    texts = [text for path, text in read_sources().items() if path == home or not name.startswith("_")]
    uses = [
        use[1]
        for text in texts
        if name in text
        for use in re.finditer(rf"(?<![\w.]){name}\b(?!\s*[:=][^=])(\.\w+|)", text)
    ]
    named = frozenset(use.removeprefix(".") for use in uses)
    return named if named and named <= METHODS else frozenset(METHODS)


def list_texts(pattern: Pattern) -> Iterator[Any]:
    """Texts of parts of the pattern, each repeated, behind what the pattern has before them; the last fits not."""
    is_bytes = isinstance(pattern.pattern, bytes)
    source = pattern.pattern.decode("latin-1") if is_bytes else pattern.pattern
    tree = _parser.parse(source, pattern.flags & ~re.UNICODE if is_bytes else pattern.flags)
    if not any(is_open(op, value) for op, value in list_nodes(tree)):
        return
    before, beginnings = "", {""}
    for op, value in tree:
        before += write_one(op, value)
        beginnings.add(before[:60])
    units = {part for op, value in list_nodes(tree) for part in write_all(op, value)} | beginnings
    few = sorted((unit for unit in units if 0 < len(unit) < 40), key=lambda unit: (len(unit), unit))[:12]
    for text in (
        *(begun + unit for unit in few for begun in islice(sorted(beginnings), 4)),
        *(one + other for one, other in permutations(few, 2)),
    ):
        head = next((begun for begun in sorted(beginnings, key=len, reverse=True) if text.startswith(begun)), "")
        for unit in {text, text.removeprefix(head) or text}:
            yield unit, is_bytes


def make(unit: str, is_bytes: bool, length: int) -> Any:
    """The unit so many times that the text has this length, and one character more."""
    text = unit * (length // len(unit)) + "\0"
    return text.encode("latin-1", "replace") if is_bytes else text


def list_nodes(tree: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Each node of a parsed pattern: its kind and its value."""
    for op, value in tree:
        kind = str(op)
        yield kind, value
        if kind == "BRANCH":
            for branch in value[1]:
                yield from list_nodes(branch)
        elif kind == "SUBPATTERN":
            yield from list_nodes(value[3])
        elif kind.endswith("_REPEAT"):
            yield from list_nodes(value[2])
        elif kind in ("ASSERT", "ASSERT_NOT"):
            yield from list_nodes(value[1])
        elif kind == "ATOMIC_GROUP":
            yield from list_nodes(value)


def is_open(kind: str, value: Any) -> bool:
    """Whether a node repeats something so often that its length matters."""
    return kind.endswith("_REPEAT") and int(value[1]) > 1_000


def write_one(op: Any, value: Any) -> str:
    """A text that fits a node."""
    return next(iter(write_all(str(op), value)), "")


def write_all(kind: str, value: Any) -> list[str]:
    """Some texts that fit a node."""
    if kind == "LITERAL":
        return [chr(value)]
    if kind in ("NOT_LITERAL", "ANY"):
        return [letter for letter in "xb" if kind == "ANY" or ord(letter) != value][:1]
    if kind == "IN":
        one = re.compile(_write_class(value))
        return ([letter for letter in SHOWN if one.fullmatch(letter)] or _list_literals(value))[:3]
    if kind == "BRANCH":
        return [write_tree(branch) for branch in value[1]]
    if kind == "SUBPATTERN":
        return [write_tree(value[3])]
    if kind.endswith("_REPEAT"):
        return [write_tree(value[2]) * max(1, min(value[0], 3))]
    return [write_tree(value)] if kind == "ATOMIC_GROUP" else []


def write_tree(tree: Iterable[Any]) -> str:
    """A text that fits a part of a pattern, as far as one that looks at no neighbor can."""
    return "".join(write_one(op, value) for op, value in tree)


_CATEGORIES = {
    "DIGIT": r"\d",
    "SPACE": r"\s",
    "WORD": r"\w",
    "NOT_DIGIT": r"\D",
    "NOT_SPACE": r"\S",
    "NOT_WORD": r"\W",
}


def _write_class(items: Iterable[Any]) -> str:
    written = ""
    for op, value in items:
        match str(op):
            case "NEGATE":
                written += "^"
            case "LITERAL":
                written += f"\\U{value:08x}"
            case "RANGE":
                written += f"\\U{value[0]:08x}-\\U{value[1]:08x}"
            case "CATEGORY":
                written += _CATEGORIES[str(value).removeprefix("CATEGORY_").removeprefix("UNI_")]
    return f"[{written}]"


def _list_literals(items: Iterable[Any]) -> list[str]:
    return [
        chr(value if str(op) == "LITERAL" else value[0]) for op, value in items if str(op) in ("LITERAL", "RANGE")
    ]


def measure(read: Callable[[Any], object], text: Any, times: int) -> float:
    """The least time of the processor that one of so many readings takes, in seconds."""
    best = float("inf")
    for _ in range(times):
        begun = time.thread_time()
        read(text)
        best = min(best, time.thread_time() - begun)
    return best


def is_steep(read: Callable[[Any], object], unit: str, is_bytes: bool) -> bool:
    """Whether the time grows faster than the length; twice, because a machine may be busy."""
    return all(
        measure(read, make(unit, is_bytes, LENGTH * TIMES), 3)
        > STEEPEST * measure(read, make(unit, is_bytes, LENGTH), 5)
        for _ in range(2)
    )


def find_slow_text(pattern: Pattern, uses: frozenset[str]) -> str | None:
    """What takes a pattern more than linear time if it is repeated; None if nothing was found that does."""
    reads: list[Callable[[Any], object]] = [getattr(pattern, use) for use in uses & {"match", "fullmatch"}]
    if uses - {"match", "fullmatch"}:
        reads.append(lambda text: sum(1 for _ in pattern.finditer(text)))
    for unit, is_bytes in list_texts(pattern):
        for read in reads:
            if any(measure(read, make(unit, is_bytes, length), 2) > PERHAPS_SLOW for length in (20, 200)):
                return unit  # a longer text could take for ever
            if measure(read, make(unit, is_bytes, LENGTH), 1) > PERHAPS_SLOW and is_steep(read, unit, is_bytes):
                return unit
    return None


OURS = {"harness.finding_codes._CODE"}
"""It reads our own source alone."""


def test_no_pattern_takes_more_than_linear_time() -> None:
    """One response of megabytes would hold a run for hours, and no signal ends a search of `re`."""
    found = {
        name: (pattern.pattern, unit)
        for name, (pattern, uses) in find_patterns().items()
        if name.rpartition(".")[0] not in OURS
        for unit in [find_slow_text(pattern, uses)]
        if unit is not None
    }
    assert found == {}
    assert len(find_patterns()) > 250


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"\s*:", "search"), (r'"(?:[^"\\]|\\.)*"', "sub"), (r"(a+)+b", "match"), (r"(?:a|a)*b", "fullmatch"),
        (r"a*a*b", "match"), (rb"[ \t]*\r?\n", "sub"), (r"x-[\w-]+=\w", "findall"), (r"(\w+\s?)*:", "fullmatch"),
    ],
)  # fmt: skip
def test_a_slow_pattern_is_found(pattern: Any, use: str) -> None:
    """Those that a person writes by mistake."""
    assert find_slow_text(re.compile(pattern), frozenset({use})) is not None


@pytest.mark.parametrize("pattern", [r"\s*:", r"[\w.]*(?:Error|Exception): "])
def test_what_begins_at_one_place_is_not_slow(pattern: str) -> None:
    assert find_slow_text(re.compile(pattern), frozenset({"match"})) is None
