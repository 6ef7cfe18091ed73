"""Which differences from the SDKs are known, why, and where that is known from: the data of `explained.yaml`.

Layer 2. Must not know how differences are found, or where they are printed. Also writes a difference as words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.drift.comparison import DifferenceKind, TypeDifference
from harness.drift.type_model import FieldType

FILE = Path(__file__).with_name("explained.yaml")

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why some differences are known. It holds for one SDK or any, from `since` and up to `before`, exclusive."""

    reason: str
    source: str
    patterns: tuple[str, ...]
    sdk: str = ""
    since: str = ""
    before: str = ""

    def holds_for(self, sdk: str, version: str) -> bool:
        """Whether it speaks of this version of this SDK."""
        if self.sdk and self.sdk != sdk:
            return False
        at = parse_version(version)
        return at >= parse_version(self.since) and (not self.before or at < parse_version(self.before))


@dataclass(frozen=True, slots=True)
class Explained:
    """Differences, each with its explanation or None; and the lines of explanations that explain nothing."""

    differences: tuple[tuple[TypeDifference, Explanation | None], ...]
    stale: tuple[str, ...]

    @property
    def unexplained(self) -> list[TypeDifference]:
        """The differences without an explanation."""
        return [difference for difference, explanation in self.differences if explanation is None]


@cache
def load_explanations() -> tuple[Explanation, ...]:
    """The known explanations."""
    return tuple(_read(entry) for entry in yaml.safe_load(FILE.read_bytes()))


def explain(
    differences: Iterable[TypeDifference], explanations: Sequence[Explanation], sdk: str, version: str
) -> Explained:
    """Find the explanation of each difference."""
    fitting = [explanation for explanation in explanations if explanation.holds_for(sdk, version)]
    patterns = [(pattern, _compile(pattern), each) for each in fitting for pattern in each.patterns]
    used: set[str] = set()
    found: list[tuple[TypeDifference, Explanation | None]] = []
    for difference in differences:
        matching = [(text, each) for text, pattern, each in patterns if pattern.fullmatch(difference.id)]
        used.update(text for text, _ in matching)
        found.append((difference, matching[0][1] if matching else None))
    stale = dict.fromkeys(text for text, _, each in patterns if text not in used)
    return Explained(tuple(found), tuple(stale))


def parse_version(text: str) -> Version:
    """A version as numbers, for comparison; what is no number counts as 0."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _read(entry: dict[str, Any]) -> Explanation:
    limits = {name: str(entry.get(name, "")) for name in ("sdk", "since", "before")}
    return Explanation(entry["reason"], "; ".join(entry["source"]), tuple(entry["differences"]), **limits)


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


WORDS: dict[DifferenceKind, str] = {
    DifferenceKind.OPERATION_NEW: "new call",
    DifferenceKind.OPERATION_GONE: "call is gone",
    DifferenceKind.PARAMETER_NEW: "new parameter",
    DifferenceKind.PARAMETER_GONE: "parameter is gone",
    DifferenceKind.BODY_NEW: "takes a body now",
    DifferenceKind.BODY_GONE: "takes no body now",
    DifferenceKind.FIELD_NEW: "new field",
    DifferenceKind.FIELD_GONE: "field is gone",
    DifferenceKind.REQUIRED_NEW: "now required",
    DifferenceKind.REQUIRED_GONE: "no longer required",
    DifferenceKind.VALUE_NEW: "new value",
    DifferenceKind.VALUE_GONE: "value is gone",
    DifferenceKind.MEMBER_NEW: "new kind",
    DifferenceKind.MEMBER_GONE: "kind is gone",
    DifferenceKind.TYPE_CHANGED: "another type",
}
"""Each kind of difference in words, seen from the older description."""

_LONGEST = 120


def describe(difference: TypeDifference) -> str:
    """What differs, without where: `new field defer_loading (boolean)`."""
    named = _name(difference)
    parts = [WORDS[difference.kind], named]
    if difference.field is not None:
        parts.append(f"({_describe_field(difference.field)})")
    if difference.kind is DifferenceKind.TYPE_CHANGED:
        parts.append(f"({difference.detail})")
    return " ".join(part for part in parts if part)


def _describe_field(field: FieldType) -> str:
    kinds = " or ".join(sorted(field.shape.kinds)) or "any"
    return f"{kinds}, required" if field.required else kinds


def describe_in_code(difference: TypeDifference) -> str:
    """`describe`, with the name set as code for Markdown."""
    named = _name(difference)
    return describe(difference).replace(named, f"`{named}`", 1) if named else describe(difference)


def _name(difference: TypeDifference) -> str:
    """What is new or gone, without marks for the items of a list or for a value or kind of what has no name."""
    return difference.name.removeprefix("[]").removeprefix(":").removeprefix("=")


def group_by_place(differences: Sequence[TypeDifference]) -> list[tuple[str, list[TypeDifference]]]:
    """The differences by where they are, sorted."""
    found: dict[str, list[TypeDifference]] = {}
    for difference in differences:
        found.setdefault(difference.where, []).append(difference)
    return sorted(found.items())


def shorten(text: str) -> str:
    """A text on one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"
