"""What differs between two descriptions, in words.

Layer 2. Must not know where they are printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.drift.comparison import DifferenceKind, TypeDifference
from harness.drift.type_model import FieldType

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
