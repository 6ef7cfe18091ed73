"""Validates request bodies against small tables of fields, and refuses what the API refuses.

Layer 2. Knows JSON types and how to say what is wrong with a value; must not know any resource. An unknown key is
refused, with a suggestion of the likely name, because the live service refuses it; null counts as absent, as in
protocol buffers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.emulator.values.call import Refusal, invalid
from harness.emulator.values.suggestions import suggestion

_JSON_NAMES = {
    str: "a string",
    int: "an integer",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    float: "a number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What one key may hold: values of the types `kinds`; `choices`, if not empty, is a closed list of strings."""

    kinds: tuple[type, ...]
    required: bool = False
    choices: tuple[str, ...] = ()


STRING = Field((str,))
STRING_REQUIRED = Field((str,), required=True)
INTEGER = Field((int,))
OBJECT = Field((dict,))
OBJECT_REQUIRED = Field((dict,), required=True)
ARRAY = Field((list,))
ARRAY_REQUIRED = Field((list,), required=True)
STRING_OR_OBJECT = Field((str, dict))

Shape = Mapping[str, Field]


def conflict(message: str) -> Refusal:
    """The 409 of those resources that answer a conflict with `aborted` (credentials, files)."""
    return Refusal(409, "aborted", message)


def over_quota(message: str) -> Refusal:
    """The 429 of a store that is full: the emulator bounds its memory."""
    return Refusal(429, "quota_exceeded", message)


def read(value: Any, shape: Shape, what: str) -> dict[str, Any]:
    """Check `value` against `shape` and return its fields without nulls; `what` names `value` in messages.

    Raises `Refusal` 400 for a value that is not an object, an unknown key, a wrong type, a value outside the
    choices, or a required field that is absent, null or an empty string or array.
    """
    if not isinstance(value, dict):
        raise invalid(f"An object is needed for {what}, but {json_name(value)} was sent.")
    known_keys(value, shape, what)
    given = {name: item for name, item in value.items() if item is not None}
    for name, field in shape.items():
        if name in given:
            _check(given[name], field, f"{name!r} of {what}")
        if field.required and given.get(name) in (None, "", []):
            raise invalid(f"The field {name!r} of {what} is required and must not be empty.")
    return given


def known_keys(value: Mapping[str, Any], names: Iterable[str], what: str) -> None:
    """Raise `Refusal` 400 for the first key that is not among `names`; the message suggests the nearest name."""
    known = list(names)
    for key in value:
        if key not in known:
            hint = suggestion(key, known) or f" It takes {', '.join(known) or 'none'}."
            raise invalid(f"Unknown field {key!r} in {what}.{hint}")


def _check(value: Any, field: Field, what: str) -> None:
    # bool is a subclass of int in Python, never in JSON
    if type(value) not in field.kinds:
        wanted = " or ".join(json_name_of(kind) for kind in field.kinds)
        raise invalid(f"The field {what} must be {wanted}, but {json_name(value)} was sent.")
    if field.choices and isinstance(value, str) and value not in field.choices:
        raise invalid(f"The field {what} is {value!r}: it must be one of {', '.join(field.choices)}.")


def one_of(kind: Any, known: tuple[str, ...], what: str) -> str:
    """Return `kind` if it is a known 'type' of `what`; raise `Refusal` 400 otherwise."""
    if isinstance(kind, str) and kind in known:
        return kind
    if kind:
        came = f"The 'type' of {what} is {msgspec.json.encode(kind).decode()}"
    else:
        came = f"{what.capitalize()} needs a 'type'"
    raise invalid(f"{came}: it must be one of {', '.join(known)}.")


def strings(value: Any, what: str) -> list[str]:
    """Return `value` if it is a list of strings; raise `Refusal` 400 otherwise."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(f"The field {what} must be an array of strings.")
    return value


def usable_id(value: str, what: str) -> str:
    """Return `value` if it can be one segment of a path and precede a `:verb`; raise `Refusal` 400 otherwise."""
    if re.fullmatch(r"[^\s/:?#%]+", value) is None:
        raise invalid(f"The id {value!r} of {what} cannot be used in a path: avoid blanks and / : ? # %.")
    return value


def apply_mask(changes: dict[str, Any], mask: str | None, shape: Shape) -> dict[str, Any]:
    """The fields of a PATCH body that `update_mask` (comma-separated names) selects; without a mask, all of them.

    Raises `Refusal` 400 for a name that is not in `shape`.
    """
    if not mask:
        return changes
    names = [name.strip() for name in mask.split(",")]
    known_keys(dict.fromkeys(names), shape, "update_mask")
    return {name: value for name, value in changes.items() if name in names}


def json_name(value: Any) -> str:
    """`a string`, `an array` … for messages."""
    return json_name_of(type(value))


def json_name_of(kind: type) -> str:
    """The JSON name of a Python type."""
    return _JSON_NAMES.get(kind, kind.__name__)
