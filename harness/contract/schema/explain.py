"""Explains to people why a value does not fit a schema.

A union fails in as many ways as it has branches; only the branch that fits the value best is worth reporting. It
is found by elimination: first branches of another JSON type are ruled out, then those with another discriminator,
then those with more errors. Runs only after the fast validator has rejected the value, so it may be slow.
jsonschema is imported here and nowhere else, and late, because it loads slowly.

jsonschema lists every error of every branch of a union before it reports that no branch fits, and each error
quotes the whole value: a list of ten thousand wrong items so costs a million errors. `build_validator` therefore
leaves a list or a map after its first wrong members. Layer 1. Knows JSON Schema; must not know any message of the
API.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Set, Sized
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct
from msgspec.structs import replace

from harness.contract.schema.openness import Schema, resolve, step_into
from harness.outcome import Finding, Where
from harness.outcome.words import nearest, shorten

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema.exceptions import ValidationError


Keyword = Callable[[Any, Any, Any, Any], Iterator["ValidationError"]]
Fits = Callable[[Schema | bool, Any], bool]
"""Tells fast whether a value fits a part of the schema."""


def build_validator(schema: Schema, fits: Fits) -> Any:
    """A validator of jsonschema whose errors are bounded; it skips members and references that `fits` accepts."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    unlisted = Draft202012Validator.VALIDATORS["additionalProperties"]

    def follow_misfit(validator: Any, reference: str, value: Any, around: Any) -> Iterator[ValidationError]:
        if not (isinstance(value, dict | list) and fits({"$ref": reference}, value)):
            # a bundled schema refers to itself alone; jsonschema takes longer to find a part than to judge by it
            yield from validator.descend(value, resolve(schema, reference))

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
        "properties": _build_properties(Draft202012Validator.VALIDATORS.keys()),
        "items": judge_items,
        "additionalProperties": judge_others,
        "pattern": _judge_pattern,
        "propertyNames": _judge_names,
        "type": _judge_type,
        "anyOf": _judge_any,
        "oneOf": _judge_one,
    }
    return extend(Draft202012Validator, keywords)(schema)  # type: ignore[no-untyped-call]


def _build_properties(keywords: Set[str]) -> Keyword:
    """The judge of members that leaves out those which fit for certain."""
    known = keywords - {"format"}  # which judges nothing without a checker
    plain: dict[int, tuple[Any, Any] | None] = {}  # the schema holds its parts, so that no other one gets an id

    def judge_properties(validator: Any, parts: Any, value: Any, around: Any) -> Iterator[ValidationError]:
        for name, part in parts.items() if isinstance(value, dict) else ():
            if name not in value:
                continue
            if id(part) not in plain:
                plain[id(part)] = _read_plain(part, known)
            if (wanted := plain[id(part)]) is None or not _is_plainly(value[name], *wanted):
                yield from validator.descend(value[name], part, path=name, schema_path=name)

    return judge_properties


_ANY = object()


def _read_plain(part: Any, known: Container[str]) -> tuple[Any, Any] | None:
    """The type and the constant of a part that demands nothing else, `_ANY` where it demands none; else None.

    Most members have such a part, and fit: to say so takes a tenth of the time of a validator of their own.
    """
    if not isinstance(part, dict) or any(word in known for word in part.keys() - {"type", "const"}):
        return None
    return part.get("type", _ANY), part.get("const", _ANY)


def _is_plainly(value: Any, kind: Any, constant: Any) -> bool:
    """Whether a text or an object fits for certain; of other values a validator knows more."""
    if isinstance(value, str):
        return kind in (_ANY, "string") and (constant is _ANY or value == constant)
    return isinstance(value, dict) and kind in (_ANY, "object") and constant is _ANY


def _take_first(members: Iterable[Iterable[ValidationError]]) -> Iterator[ValidationError]:
    """The errors of the first members that have any."""
    wrong = seen = 0
    for errors in members:
        before = seen
        for error in errors:
            seen += _count(error)
            yield error
        wrong += seen > before
        # So many wrong members of a list or a map are looked at; more than a reader is ever told of.
        # So many errors of its members end a list early: lists of lists of unions would multiply.
        if wrong == 10 or seen >= 2_000:
            return


def _count(error: ValidationError) -> int:
    return 1 + sum(map(_count, error.context or ()))


def _judge_names(validator: Any, part: Any, value: Any, around: Any) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        yield from _take_first(validator.descend(name, part) for name in value)


def _judge_pattern(validator: Any, pattern: Any, value: Any, around: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not _compile_pattern(pattern).is_valid(value):
        yield ValidationError("does not match the pattern")


@lru_cache(64)
def _compile_pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    """A validator of one pattern: `re` has no bound, and to compile one takes longer than to look."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


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


_COUNTED = {"Items": "item", "Length": "character", "Properties": "member"}
_CAPITAL = re.compile(r"[A-Z]")


class SchemaProblem(Struct, frozen=True):
    """One thing wrong with a value: where, what, and the schema keyword that it violates.

    `missing` names the required member that is absent.
    """

    pointer: str
    message: str
    expected: str
    actual: str
    keyword: str
    missing: str = ""

    def __str__(self) -> str:
        return f"{self.pointer}: {self.message}"

    @property
    def place(self) -> str:
        """Where it is, or where what is missing should be."""
        return f"{self.pointer}.{self.missing}" if self.missing else self.pointer

    def finding(self, rule: str) -> Finding:
        """The problem as a finding against `rule`."""
        code = f"{rule}/{keyword_word(self.keyword)}"
        return Finding.from_code(code, self.message, self.expected, self.actual, where=Where(pointer=self.pointer))


def keyword_word(keyword: str) -> str:
    """The keyword as a word of a code: `additional-properties`."""
    return _CAPITAL.sub(lambda found: f"-{found[0].lower()}", keyword)


_MOST_KEPT, _LONGEST_KEPT = 256, 64 * 1024
"""So many values an explainer remembers, and so many characters the longest of them has."""


class Explainer:
    """Explains by one bundled schema. `fits` decides fast whether a value fits a part of it.

    A value that fits is not explained again: without that, a union with dozens of branches takes milliseconds for
    each valid value. Neither is the same value: a run that does not fit is read again and again.
    """

    def __init__(self, schema: Schema, fits: Fits = lambda part, value: False) -> None:
        self._validator = build_validator(schema, fits)
        self._kept: dict[tuple[str, int], tuple[SchemaProblem, ...]] = {}

    def explain(self, value: Any, *, limit: int) -> list[SchemaProblem]:
        """At most `limit` reasons why a value does not fit, in the order of the schema."""
        try:
            key = json.dumps(value), limit  # the order of members, `1`, `1.0` and `true` make other texts
        except (TypeError, ValueError, RecursionError):
            return self._explain(value, limit)
        if (known := self._kept.get(key)) is not None:
            return list(known)
        found = self._explain(value, limit)
        if len(key[0]) <= _LONGEST_KEPT:
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {}
            self._kept[key] = tuple(found)
        return found

    def _explain(self, value: Any, limit: int) -> list[SchemaProblem]:
        found: dict[SchemaProblem, None] = {}
        for error in self._validator.iter_errors(value):
            for problem in _list_problems(error, "$"):
                found.setdefault(problem)
                if len(found) == limit:
                    return list(found)
        return list(found)


def _list_problems(error: ValidationError, base: str) -> Iterator[SchemaProblem]:
    pointer = base
    for part in error.relative_path:
        pointer = step_into(pointer, part)
    if _is_rule(error):
        rule: Any = error.schema
        yield _build_problem(error, pointer, rule["description"], "")
    elif error.context:
        yield from _list_branch_problems(error, pointer)
    else:
        yield _describe_leaf(error, pointer)


def _list_branch_problems(error: ValidationError, pointer: str) -> Iterator[SchemaProblem]:
    branches = _by_branch(error.context or ())
    if all(_find_wrong_type(errors) for errors in branches):
        expected = _join(str(_find_wrong_type(errors)) for errors in branches)
        yield _build_problem(error, pointer, f"should be {expected}, not {json_type(error.instance)}", expected)
        return
    best = min(branches, key=_measure_distance)
    lacking = _list_lacking(branches)
    if len(lacking) > 1:
        expected = _join(json.dumps(name) for name in lacking)
        yield _build_problem(error, pointer, f"{expected} is required", f"a field {_join(lacking)}")
        return
    constants = _find_other_constants(branches, best)
    if constants:
        name, values = constants
        expected = _join(json.dumps(value) for value in values)
        instance: Any = error.instance
        message = f"unknown {name} {_show(instance[name])}{_suggest(instance[name], values)}"
        yield SchemaProblem(step_into(pointer, name), message, expected, _show(instance[name]), "const")
        return
    for child in best:
        yield from _list_problems(child, pointer)


def _list_lacking(branches: list[list[ValidationError]]) -> list[str]:
    """The members of which one is needed, if that is all that each branch lacks."""
    if any(len(errors) != 1 or errors[0].validator != "required" or errors[0].path for errors in branches):
        return []
    return list(dict.fromkeys(_name_missing(errors[0]) for errors in branches))


def _name_missing(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    return next(str(name) for name in wanted if error.message.startswith(repr(name)))


def _by_branch(context: Iterable[ValidationError]) -> list[list[ValidationError]]:
    groups: defaultdict[Any, list[ValidationError]] = defaultdict(list)
    for error in context:
        groups[error.relative_schema_path[0]].append(error)
    return list(groups.values())


def _measure_distance(errors: list[ValidationError]) -> tuple[bool, bool, int]:
    """How far a branch is from the value; the smallest wins."""
    excluded = any(error.validator == "not" and len(error.relative_path) <= 1 for error in errors)
    return bool(_find_wrong_type(errors)), bool(_find_other_constant(errors)) or excluded, len(errors)


def _find_wrong_type(errors: list[ValidationError]) -> str | None:
    """The JSON type that the branch expects, if the value has another one."""
    for error in errors:
        if error.validator == "type" and not error.relative_path:
            return str(error.validator_value)
        if error.context and not error.relative_path:
            inner = [_find_wrong_type(branch) for branch in _by_branch(error.context)]
            if all(inner):
                return _join(str(kind) for kind in inner)
    return None


def _find_other_constant(errors: list[ValidationError]) -> tuple[str, Any] | None:
    """The discriminator that the branch expects, as name and value, if the value has another one."""
    for error in errors:
        if error.validator == "const" and len(error.relative_path) == 1 and not _is_rule(error):
            return str(error.relative_path[0]), error.validator_value
    return None


def _find_other_constants(
    branches: list[list[ValidationError]], best: list[ValidationError]
) -> tuple[str, list[Any]] | None:
    """The discriminator and all values it may have, if even the best branch expects another one."""
    wanted = _find_other_constant(best)
    if wanted is None:
        return None
    others = [constant for errors in branches if (constant := _find_other_constant(errors))]
    return wanted[0], list(dict.fromkeys(value for name, value in others if name == wanted[0]))


def _describe_leaf(error: ValidationError, pointer: str) -> SchemaProblem:
    value: Any = error.instance
    wanted: Any = error.validator_value
    match error.validator:
        case "required":
            missing = _name_missing(error)
            problem = _build_problem(error, pointer, f'"{missing}" is required', f"a field {missing}")
            return replace(problem, missing=missing)
        case "type":
            return _build_problem(error, pointer, f"should be {wanted}, not {json_type(value)}", str(wanted))
        case "const" | "enum":
            allowed = [wanted] if error.validator == "const" else wanted
            expected = _join(json.dumps(item) for item in allowed)
            return _build_problem(
                error, pointer, f"{_show(value)} is not allowed{_suggest(value, allowed)}", expected
            )
        case "additionalProperties":
            return _explain_unlisted(error, pointer)
        case "dependentRequired":
            name, needed = next((n, m) for n, ms in wanted.items() if n in value for m in ms if m not in value)
            return _build_problem(error, pointer, f'"{name}" goes only with "{needed}"', f"a field {needed}")
        case "not" | "pattern":
            description = str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""
            why = f": {_begin_small(description).rstrip('.')}" if description else ""
            return _build_problem(
                error, pointer, f"{_show(value)} has a form that is not allowed{why}", description
            )
        case "oneOf":
            return _build_problem(error, pointer, "fits more than one of the forms allowed here", "one form")
        case "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties":
            return _explain_size(error, pointer)
        case "minimum" | "maximum":
            small = error.validator == "minimum"
            word, limit = ("small", f"at least {wanted}") if small else ("large", f"at most {wanted}")
            return _build_problem(error, pointer, f"{_show(value)} is too {word}: {limit} is needed", limit)
        case _:
            limit = _show(wanted)
            return _build_problem(error, pointer, f"{_show(value)} breaks {error.validator} {limit}", limit)


def _explain_size(error: ValidationError, pointer: str) -> SchemaProblem:
    bound, counted = str(error.validator)[:3], _COUNTED[str(error.validator)[3:]]
    size, wanted = len(cast("Sized", error.instance)), error.validator_value
    came = f"has {size} {counted}{'' if size == 1 else 's'}" if size else "is empty"
    limit, verdict = (f"at least {wanted}", "needed") if bound == "min" else (f"at most {wanted}", "allowed")
    message = f"{came}: {limit} {'is' if wanted == 1 else 'are'} {verdict}"
    return _build_problem(error, pointer, message, f"{limit} {counted}{'' if wanted == 1 else 's'}")


def _explain_unlisted(error: ValidationError, pointer: str) -> SchemaProblem:
    """The first unlisted field; jsonschema reports all unlisted fields of an object as one error."""
    schema: Any = error.schema
    value: Any = error.instance
    known = list(schema["properties"])
    name = next(name for name in value if name not in known)
    message = f'"{name}" is not a known field{_suggest(name, known)}'
    return SchemaProblem(
        step_into(pointer, name), message, _join(known or ["no field"]), _show(value[name]), "additionalProperties"
    )


def _is_rule(error: ValidationError) -> bool:
    return isinstance(error.schema, dict) and "x-rule" in error.schema


def _build_problem(error: ValidationError, pointer: str, message: str, expected: str) -> SchemaProblem:
    return SchemaProblem(pointer, message, expected or message, _show(error.instance), str(error.validator))


def _suggest(value: Any, known: Iterable[Any]) -> str:
    names = [item for item in known if isinstance(item, str)]
    close = nearest(value, names, most=1) if isinstance(value, str) else []
    return f"; did you mean {json.dumps(close[0])}?" if close else ""


def _join(items: Iterable[str]) -> str:
    *most, last = dict.fromkeys(items)
    return f"{', '.join(most)} or {last}" if most else last


def _show(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False, default=repr), 80)


def json_type(value: Any) -> str:
    """The JSON name of a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _begin_small(text: str) -> str:
    """The text as the end of a sentence; an abbreviation such as RFC stays as it is."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
