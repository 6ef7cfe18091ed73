"""Collects why a value does not fit a schema: enough to explain it, however long and however wrong the value is.

jsonschema lists every error of every branch of a union before it says that no branch fits, and each error quotes
the whole value. A list of ten thousand wrong items so costs a million errors. Here a list, or a map, is left after
its first wrong members, and what is said of a union or a type quotes nothing. jsonschema is imported here and
nowhere else, and late, for it loads slowly. Layer 1. Must not know how errors are worded, or which branch is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.contract.schema.openness import Schema

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_WRONG = 10
"""So many wrong members of a list or a map are looked at; more than a reader is ever told of."""

_ERRORS = 2_000
"""So many errors of its members end a list early: lists of lists of unions would multiply."""

Keyword = Callable[[Any, Any, Any, Any], Iterator["ValidationError"]]
Fits = Callable[[Schema | bool, Any], bool]
"""Tells fast whether a value fits a part of the schema."""


def build_validator(schema: Schema, fits: Fits) -> Any:
    """A validator of jsonschema whose errors are bounded; it skips members and references that `fits` accepts."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    follow = Draft202012Validator.VALIDATORS["$ref"]
    unlisted = Draft202012Validator.VALIDATORS["additionalProperties"]

    def follow_misfit(validator: Any, reference: str, value: Any, around: Any) -> Iterator[ValidationError]:
        if not (isinstance(value, dict | list) and fits({"$ref": reference}, value)):
            yield from follow(validator, reference, value, around)

    def judge_items(validator: Any, part: Any, value: Any, around: Any) -> Iterator[ValidationError]:
        if isinstance(value, list):
            yield from _take_first(
                validator.descend(item, part, path=index)
                for index, item in enumerate(value)
                if not fits(part, item)
            )

    def judge_others(validator: Any, part: Any, value: Any, around: Any) -> Iterator[ValidationError]:
        if not isinstance(part, dict):
            yield from unlisted(validator, part, value, around)
        elif isinstance(value, dict):
            listed = around.get("properties", {})
            yield from _take_first(
                validator.descend(member, part, path=name)
                for name, member in value.items()
                if name not in listed and not fits(part, member)
            )

    keywords: Mapping[str, Keyword] = {
        "$ref": follow_misfit,
        "items": judge_items,
        "additionalProperties": judge_others,
        "propertyNames": _judge_names,
        "type": _judge_type,
        "anyOf": _judge_any,
        "oneOf": _judge_one,
    }
    return extend(Draft202012Validator, keywords)(schema)  # type: ignore[no-untyped-call]


def _take_first(members: Iterable[Iterable[ValidationError]]) -> Iterator[ValidationError]:
    """The errors of the first members that have any."""
    wrong = seen = 0
    for errors in members:
        before = seen
        for error in errors:
            seen += _count(error)
            yield error
        wrong += seen > before
        if wrong == _WRONG or seen >= _ERRORS:
            return


def _count(error: ValidationError) -> int:
    return 1 + sum(map(_count, error.context or ()))


def _judge_names(validator: Any, part: Any, value: Any, around: Any) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        yield from _take_first(validator.descend(name, part) for name in value)


def _judge_type(validator: Any, wanted: Any, value: Any, around: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    kinds = [wanted] if isinstance(wanted, str) else wanted
    if not any(validator.is_type(value, kind) for kind in kinds):
        yield ValidationError("has another type")


def _judge_any(validator: Any, branches: Any, value: Any, around: Any) -> Iterator[ValidationError]:
    errors, fitting = _try_branches(validator, branches, value)
    if fitting is None:
        yield _gather(errors)


def _judge_one(validator: Any, branches: Any, value: Any, around: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    errors, fitting = _try_branches(validator, branches, value)
    if fitting is None:
        yield _gather(errors)
    elif any(validator.evolve(schema=branch).is_valid(value) for branch in branches[fitting + 1 :]):
        yield ValidationError("fits several branches")


def _try_branches(validator: Any, branches: Any, value: Any) -> tuple[list[ValidationError], int | None]:
    """The errors of all branches, and None; or the first branch that fits."""
    errors: list[ValidationError] = []
    for index, branch in enumerate(branches):
        wrong = list(validator.descend(value, branch, schema_path=index))
        if not wrong:
            return [], index
        errors += wrong
    return errors, None


def _gather(errors: list[ValidationError]) -> ValidationError:
    """The error of a union. No branch points back at it: such a cycle holds a large body for long."""
    from jsonschema.exceptions import ValidationError

    error = ValidationError("fits no branch")
    error.context = errors
    return error
