"""Compares two descriptions of an API, type by type, from the operations down, and explains what is known.

Types are paired by where they are used and not by name, so two descriptions that name everything
differently can be compared: operations by method and path, fields by name, members of a union by their constants.
A pair of types is compared once, wherever it is used. The comparison must not know any API or any language.

Which differences from the SDKs are known, why, and where that is known from, is the data of `explained.yaml`.
Also writes a difference as words; must not know where they are printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.outcome.words import to_one_line
from lab.drift.type_model import ANY, ANYTHING, FieldType, Origin, Record, TypeModel, ValueType


class DifferenceKind(StrEnum):
    """The kind of a difference. *new*: only the newer description has it, *gone*: only the older one."""

    OPERATION_NEW = "operation.new"
    OPERATION_GONE = "operation.gone"
    PARAMETER_NEW = "parameter.new"
    PARAMETER_GONE = "parameter.gone"
    BODY_NEW = "body.new"
    BODY_GONE = "body.gone"
    FIELD_NEW = "field.new"
    FIELD_GONE = "field.gone"
    REQUIRED_NEW = "required.new"
    REQUIRED_GONE = "required.gone"
    VALUE_NEW = "value.new"
    VALUE_GONE = "value.gone"
    MEMBER_NEW = "member.new"
    MEMBER_GONE = "member.gone"
    TYPE_CHANGED = "type.changed"


@dataclass(frozen=True, slots=True)
class TypeDifference:
    """One difference. `where` is the older description's name for the type or operation, `name` what is in it.

    `theirs` names the newer description's type, and `field` or `record` is what is new in it. `origin` is where
    the older description would have to change.
    """

    kind: DifferenceKind
    where: str
    name: str = ""
    detail: str = ""
    theirs: str = ""
    text: str = ""
    origin: Origin | None = None
    field: FieldType | None = None
    record: str = ""

    @property
    def id(self) -> str:
        """The name for an explanation: stable as long as the difference is."""
        return " ".join(part for part in (self.kind, self.where, self.name) if part)


def compare(older: TypeModel, newer: TypeModel) -> list[TypeDifference]:
    """All differences, each once, sorted by id."""
    found = {difference.id: difference for difference in _Comparison(older, newer).run()}
    return [found[name] for name in sorted(found)]


def pair_records(older: TypeModel, newer: TypeModel) -> dict[str, str]:
    """The names of the newer description's records, each with the older one's name for it."""
    comparison = _Comparison(older, newer)
    for _ in comparison.run():
        pass
    return {new: old for old, new in sorted(comparison.met, reverse=True)}


def _compare_values(before: ValueType, after: ValueType) -> Iterator[tuple[DifferenceKind, str, str]]:
    """The differences in the values that two shapes list: kind, value, and detail."""
    if before.values:
        yield from ((DifferenceKind.VALUE_NEW, value, value) for value in after.values - before.values)
    elif after.values and "string" in before.kinds and ANY not in before.kinds:
        yield DifferenceKind.VALUE_NEW, "*", f"now lists {', '.join(sorted(after.values))}"
    if after.values:
        yield from ((DifferenceKind.VALUE_GONE, value, value) for value in before.values - after.values)


class _Comparison:
    """The state of one comparison: the pairs of records that were met."""

    def __init__(self, older: TypeModel, newer: TypeModel) -> None:
        self._older, self._newer = older, newer
        self.met: set[tuple[str, str]] = set()
        self._waiting: list[tuple[str, str]] = []
        self._whole = older.whole_numbers and newer.whole_numbers

    def run(self) -> Iterator[TypeDifference]:
        older = {operation.key: operation for operation in self._older.operations.values()}
        newer = {operation.key: operation for operation in self._newer.operations.values()}
        for key in older.keys() - newer.keys():
            yield TypeDifference(DifferenceKind.OPERATION_GONE, key, detail=older[key].name)
        for key in newer.keys() - older.keys():
            yield TypeDifference(DifferenceKind.OPERATION_NEW, key, detail=newer[key].name, theirs=newer[key].name)
        for key in sorted(older.keys() & newer.keys()):
            before, after = older[key], newer[key]
            yield from self._compare_fields(
                key, before.parameters, after.parameters, after.name, "parameter", None
            )
            for part in ("body", "answer", "events"):
                yield from self._compare_parts(f"{key} {part}", part, getattr(before, part), getattr(after, part))
            yield from self._drain()

    def _compare_parts(
        self, where: str, part: str, before: ValueType | None, after: ValueType | None
    ) -> Iterator[TypeDifference]:
        if before is None or after is None:
            if part == "body" and before is not after:
                yield TypeDifference(
                    DifferenceKind.BODY_NEW if before is None else DifferenceKind.BODY_GONE, where
                )
            return
        yield from self._compare_shapes(where, "", before, after, "", None)

    def _drain(self) -> Iterator[TypeDifference]:
        while self._waiting:
            before, after = self._waiting.pop()
            yield from self._compare_records(self._older.records[before], self._newer.records[after])

    def _compare_records(self, before: Record, after: Record) -> Iterator[TypeDifference]:
        yield from self._compare_fields(
            before.name, before.fields, after.fields, after.name, "field", before.origin
        )

    def _compare_fields(
        self,
        where: str,
        old: Mapping[str, FieldType],
        new: Mapping[str, FieldType],
        theirs: str,
        word: str,
        origin: Origin | None,
    ) -> Iterator[TypeDifference]:
        for name in old.keys() - new.keys():
            yield TypeDifference(DifferenceKind(f"{word}.gone"), where, name, theirs=theirs, origin=origin)
        for name in new.keys() - old.keys():
            part = new[name]
            yield TypeDifference(
                DifferenceKind(f"{word}.new"),
                where,
                name,
                theirs=theirs,
                text=part.text,
                origin=origin,
                field=part,
            )
        for name in sorted(old.keys() & new.keys()):
            if old[name].required != new[name].required and not (old[name].shape.fixed or new[name].shape.fixed):
                kind = DifferenceKind.REQUIRED_GONE if old[name].required else DifferenceKind.REQUIRED_NEW
                yield TypeDifference(kind, where, name, theirs=theirs, origin=origin)
            yield from self._compare_shapes(
                where, name, old[name].shape, new[name].shape, theirs, old[name].origin
            )

    def _compare_shapes(
        self, where: str, name: str, before: ValueType, after: ValueType, theirs: str, origin: Origin | None
    ) -> Iterator[TypeDifference]:
        if before.title:  # written once, so reported once
            where, name = before.title, ""
        origin = before.origin or origin
        for kind, value, detail in _compare_values(before, after):
            yield TypeDifference(kind, where, f"{name}={value}", detail, theirs, origin=origin)
        old, new = self._list_kinds(before), self._list_kinds(after)
        if old != new and ANY not in old | new:
            detail = f"{_join(old)} became {_join(new)}"
            yield TypeDifference(DifferenceKind.TYPE_CHANGED, where, name, detail, theirs, origin=origin)
        if before.item is not None and after.item is not None:
            yield from self._compare_shapes(where, f"{name}[]", before.item, after.item, theirs, origin)
        one, other = _entry_of(before), _entry_of(after)
        if one is not None and other is not None:
            if (ANY in one.kinds) != (ANY in other.kinds):  # a map of anything is open only if both sides say so
                detail = f"{_join(one.kinds)} became {_join(other.kinds)}"
                kind = DifferenceKind.TYPE_CHANGED
                yield TypeDifference(kind, where, f"{name}{{}}", detail, theirs, origin=origin)
            yield from self._compare_shapes(where, f"{name}{{}}", one, other, theirs, origin)
        if before.records and after.records:
            yield from self._pair_members(where, name, before.records, after.records, theirs, origin)

    def _list_kinds(self, shape: ValueType) -> frozenset[str]:
        return shape.kinds if self._whole else frozenset("number" if k == "integer" else k for k in shape.kinds)

    def _pair_members(
        self,
        where: str,
        name: str,
        before: Sequence[str],
        after: Sequence[str],
        theirs: str,
        origin: Origin | None,
    ) -> Iterator[TypeDifference]:
        """Pair the records of two unions, the most certain pairs first."""
        pairs = sorted(
            ((self._rate_likeness(old, new), old, new) for old in before for new in after),
            key=lambda pair: -pair[0],
        )
        old_left, new_left = set(before), set(after)
        alone = len(before) == len(after) == 1
        for likeness, old, new in pairs:
            if old in old_left and new in new_left and (likeness > 0 or alone):
                old_left.discard(old)
                new_left.discard(new)
                if (old, new) not in self.met:
                    self.met.add((old, new))
                    self._waiting.append((old, new))
        at = f"{name}:" if name else ""
        for old in sorted(old_left):
            label = _label(self._older.records[old])
            yield TypeDifference(DifferenceKind.MEMBER_GONE, where, f"{at}{label}", theirs=theirs, origin=origin)
        for new in sorted(new_left):
            record = self._newer.records[new]
            yield TypeDifference(
                DifferenceKind.MEMBER_NEW,
                where,
                f"{at}{_label(record)}",
                record.name,
                theirs,
                record.text,
                origin,
                record=new,
            )

    def _rate_likeness(self, old: str, new: str) -> float:
        """Above 0 if the two may be the same: 4 and more by a common constant, else by common fields."""
        before, after = self._older.records[old], self._newer.records[new]
        shared = before.tags.keys() & after.tags.keys()
        if any(before.tags[name] != after.tags[name] for name in shared):
            return -1
        names = before.fields.keys() | after.fields.keys()
        likeness = len(before.fields.keys() & after.fields.keys()) / len(names) if names else 0.5
        needed = {name for name, part in before.fields.items() if part.required and name not in before.tags}
        met = {name for name in needed if name in after.fields and after.fields[name].required}
        return likeness + (len(met) / len(needed) if needed else 0) + (4 if shared else 0)


def _entry_of(shape: ValueType) -> ValueType | None:
    """The shape of the values of a map, also of one that may have any; None if the shape is no map."""
    is_open = "object" in shape.kinds and not shape.records
    return shape.entry if shape.entry is not None else ANYTHING if is_open else None


def _label(record: Record) -> str:
    return ", ".join(record.tags.values()) or record.name


def _join(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds)) or "nothing"


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
    DifferenceKind.OPERATION_GONE: "removed call",
    DifferenceKind.PARAMETER_NEW: "new parameter",
    DifferenceKind.PARAMETER_GONE: "removed parameter",
    DifferenceKind.BODY_NEW: "takes a body now",
    DifferenceKind.BODY_GONE: "takes no body now",
    DifferenceKind.FIELD_NEW: "new field",
    DifferenceKind.FIELD_GONE: "removed field",
    DifferenceKind.REQUIRED_NEW: "now required",
    DifferenceKind.REQUIRED_GONE: "no longer required",
    DifferenceKind.VALUE_NEW: "new value",
    DifferenceKind.VALUE_GONE: "removed value",
    DifferenceKind.MEMBER_NEW: "new kind",
    DifferenceKind.MEMBER_GONE: "removed kind",
    DifferenceKind.TYPE_CHANGED: "another type",
}
"""Each kind of difference in words, seen from the older description."""

_LONGEST = 120


def describe(difference: TypeDifference) -> str:
    """The difference, without its place: `new field defer_loading (boolean)`."""
    return " ".join(filter(None, describe_parts(difference)))


def describe_parts(difference: TypeDifference) -> tuple[str, str, str]:
    """The difference, without its place: its kind in words, its name in the SDK, and its type; each may be ""."""
    details = []
    if difference.field is not None:
        details.append(f"({_describe_field(difference.field)})")
    if difference.kind is DifferenceKind.TYPE_CHANGED:
        details.append(f"({difference.detail})")
    return WORDS[difference.kind], _name(difference), " ".join(details)


def _describe_field(field: FieldType) -> str:
    kinds = " or ".join(sorted(field.shape.kinds)) or "any"
    return f"{kinds}, required" if field.required else kinds


def describe_in_code(difference: TypeDifference) -> str:
    """`describe`, with the name set as code for Markdown."""
    word, name, details = describe_parts(difference)
    shown = to_one_line(name).replace("`", "'")
    return " ".join(filter(None, (word, name and f"`{shown}`", details)))


def _name(difference: TypeDifference) -> str:
    """The name of the new or gone part, without marks for items of a list or for values without a name."""
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
