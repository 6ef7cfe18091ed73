"""Explains to people why a value does not fit a schema.

A union fails in as many ways as it has branches; only the branch that fits the value best is worth reporting. It
is found by elimination: first branches of another JSON type are ruled out, then those with another discriminator,
then those with more errors. Knows JSON Schema; must not know any message of the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from harness.contract.schema.openness import Schema, step_into
from harness.outcome import Finding, Where
from harness.outcome.words import format_count, nearest, shorten

if TYPE_CHECKING:
    import jsonschema_rs

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
        code = f"{rule}/{keyword_word(self.keyword)}"
        return Finding.from_code(code, self.message, self.expected, self.actual, where=Where(pointer=self.pointer))


def keyword_word(keyword: str) -> str:
    """The keyword as a word of a code: `additional-properties`."""
    return _CAPITAL.sub(lambda found: f"-{found[0].lower()}", keyword)


def explain(errors: Iterable[jsonschema_rs.ValidationError], schema: Schema, value: Any) -> list[SchemaProblem]:
    """The reasons why a value does not fit the bundled `schema`, each once, in the order of the value."""
    problems = (problem for misfit in _read_misfits(errors, schema, value) for problem in _list_problems(misfit))
    return list(dict.fromkeys(problems))


Path: TypeAlias = tuple[str | int, ...]


class _Misfit(Struct):
    """An error of the validator: the `value` at `path` is not what a `keyword` of a `part` of the schema wants.

    Of a union, `branches` has the misfits of each.
    """

    path: Path
    value: Any
    part: Schema
    keyword: str
    missing: str
    branches: list[list[_Misfit]]

    @property
    def wanted(self) -> Any:
        return self.part[self.keyword]

    @property
    def is_rule(self) -> bool:
        """Whether the part is a rule between fields, which its description words."""
        return "x-rule" in self.part

    @property
    def pointer(self) -> str:
        return reduce(step_into, self.path, "$")

    def problem(self, message: str, expected: str, missing: str = "") -> SchemaProblem:
        actual = _show(self.value)
        return SchemaProblem(self.pointer, message, expected or message, actual, self.keyword, missing)


def _read_misfits(errors: Iterable[jsonschema_rs.ValidationError], schema: Schema, value: Any) -> list[_Misfit]:
    """The errors of the validator, which sorts members by name, in the order of the value."""
    found: list[tuple[list[int], _Misfit]] = []
    for error in errors:
        kind: Any = error.kind
        is_name = kind.name == "propertyNames"  # its value is the name, at the place of the object
        while kind.name == "propertyNames":
            error, kind = kind.error, kind.error.kind
        inside, numbers = value, []
        path: list[str | int] = []
        for key in error.instance_path:
            # The validator leaves members whose name is empty out of its paths.
            while isinstance(inside, dict) and key not in inside and "" in inside:
                path.append("")
                numbers.append(list(inside).index(""))
                inside = inside[""]
            if isinstance(inside, dict) and isinstance(key, int):  # it reads the names 7, 07 and +7 as a number
                key = next(name for name in inside if re.fullmatch(rf"\+?0*{key}", name))
            path.append(key)
            numbers.append(key if isinstance(key, int) else list(inside).index(key))
            inside = inside[key]
        part: Any = schema
        *above, keyword = error.schema_path
        for key in above:
            part = part[key]
        if keyword == "additionalProperties":  # what is unlisted stands after what is wrong
            numbers.append(len(inside))
        branches = [_read_misfits(branch, schema, value) for branch in getattr(kind, "context", ())]
        misfit = _Misfit(
            tuple(path),
            error.instance if is_name else inside,
            part,
            str(keyword),
            kind.property if keyword == "required" else "",
            branches,
        )
        found.append((numbers, misfit))
    return [misfit for _, misfit in sorted(found, key=itemgetter(0))]


def _list_problems(misfit: _Misfit) -> Iterator[SchemaProblem]:
    if misfit.is_rule:
        yield misfit.problem(misfit.part["description"], "")
    elif any(misfit.branches):
        yield from _list_branch_problems(misfit)
    else:
        yield _describe_leaf(misfit)


def _list_branch_problems(union: _Misfit) -> Iterator[SchemaProblem]:
    branches, path = union.branches, union.path
    types = [_find_wrong_type(branch, path) for branch in branches]
    if all(types):
        expected = _join(types)
        yield union.problem(f"should be {expected}, not {json_type(union.value)}", expected)
        return
    if all(len(branch) == 1 and branch[0].missing and branch[0].path == path for branch in branches):
        lacking = list(dict.fromkeys(branch[0].missing for branch in branches))
        if len(lacking) > 1:
            expected = _join(json.dumps(name) for name in lacking)
            yield union.problem(f"{expected} is required", f"a field {_join(lacking)}")
            return
    best = min(branches, key=lambda branch: _measure_distance(branch, path))
    if other := _find_other_constant(best, path):
        name = str(other.path[-1])
        constants = (_find_other_constant(branch, path) for branch in branches)
        values = [constant.wanted for constant in constants if constant and constant.path == other.path]
        message = f"unknown {name} {_show(other.value)}{_suggest(other.value, values)}"
        yield other.problem(message, _join(map(json.dumps, values)))
        return
    for misfit in best:
        yield from _list_problems(misfit)


def _measure_distance(branch: list[_Misfit], path: Path) -> tuple[bool, bool, int]:
    """How far the branch of a union at `path` is from the value; the smallest wins."""
    excluded = any(misfit.keyword == "not" and len(misfit.path) <= len(path) + 1 for misfit in branch)
    other = _find_other_constant(branch, path) is not None
    return bool(_find_wrong_type(branch, path)), other or excluded, len(branch)


def _find_wrong_type(branch: list[_Misfit], path: Path) -> str:
    """The JSON type that the branch of a union at `path` expects, if the value has another one."""
    for misfit in branch:
        if misfit.path == path and misfit.keyword == "type":
            return str(misfit.wanted)
        if misfit.path == path and misfit.branches:
            types = [_find_wrong_type(inner, path) for inner in misfit.branches]
            if all(types):
                return _join(types)
    return ""


def _find_other_constant(branch: list[_Misfit], path: Path) -> _Misfit | None:
    """The discriminator that the branch of a union at `path` expects, if the value has another one."""
    for misfit in branch:
        if misfit.keyword == "const" and len(misfit.path) == len(path) + 1 and not misfit.is_rule:
            return misfit
    return None


def _describe_leaf(misfit: _Misfit) -> SchemaProblem:
    value, wanted, keyword = misfit.value, misfit.wanted, misfit.keyword
    match keyword:
        case "required":
            missing = misfit.missing
            return misfit.problem(f'"{missing}" is required', f"a field {missing}", missing)
        case "type":
            return misfit.problem(f"should be {wanted}, not {json_type(value)}", str(wanted))
        case "const" | "enum":
            allowed = [wanted] if keyword == "const" else wanted
            message = f"{_show(value)} is not allowed{_suggest(value, allowed)}"
            return misfit.problem(message, _join(map(json.dumps, allowed)))
        case "additionalProperties":  # one error for all unlisted fields of an object: the first of them
            known = list(misfit.part["properties"])
            name = next(name for name in value if name not in known)
            message = f'"{name}" is not a known field{_suggest(name, known)}'
            place, expected = step_into(misfit.pointer, name), _join(known or ["no field"])
            return SchemaProblem(place, message, expected, _show(value[name]), keyword)
        case "dependentRequired":
            name, needed = next((n, m) for n, ms in wanted.items() if n in value for m in ms if m not in value)
            return misfit.problem(f'"{name}" goes only with "{needed}"', f"a field {needed}")
        case "not" | "pattern":
            description = str(misfit.part.get("description", ""))
            # an abbreviation such as RFC stays as it is
            begin = description[:1] if description[1:2].isupper() else description[:1].lower()
            why = f": {begin}{description[1:].rstrip('.')}" if description else ""
            return misfit.problem(f"{_show(value)} has a form that is not allowed{why}", description)
        case "oneOf":
            return misfit.problem("fits more than one of the forms allowed here", "one form")
        case "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties":
            bound, counted, size = keyword[:3], _COUNTED[keyword[3:]], len(value)
            came = f"has {format_count(size, counted)}" if size else "is empty"
            limit, verdict = (
                (f"at least {wanted}", "needed") if bound == "min" else (f"at most {wanted}", "allowed")
            )
            message = f"{came}: {limit} {'is' if wanted == 1 else 'are'} {verdict}"
            return misfit.problem(message, f"{limit} {counted}{'' if wanted == 1 else 's'}")
        case "minimum" | "maximum":
            word, limit = (
                ("small", f"at least {wanted}") if keyword == "minimum" else ("large", f"at most {wanted}")
            )
            return misfit.problem(f"{_show(value)} is too {word}: {limit} is needed", limit)
        case _:
            limit = _show(wanted)
            return misfit.problem(f"{_show(value)} breaks {keyword} {limit}", limit)


def _suggest(value: Any, known: Iterable[Any]) -> str:
    names = [item for item in known if isinstance(item, str)]
    close = nearest(value, names, most=1) if isinstance(value, str) else []
    return f"; did you mean {json.dumps(close[0])}?" if close else ""


def _join(items: Iterable[str]) -> str:
    *most, last = dict.fromkeys(items)
    return f"{', '.join(most)} or {last}" if most else last


def _show(value: Any) -> str:
    begin = value[:80] if isinstance(value, str) else value
    return shorten(json.dumps(begin, ensure_ascii=False, default=repr), 80)


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
