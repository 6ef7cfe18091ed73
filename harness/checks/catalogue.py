"""All checks, in the order in which they are shown: each row of a table of rules with the functions that it names.

Layer 2. A name without a dot is a function of the area's module in `areas/`; with dots it is a path below
`harness.checks`. A judge whose first parameter is `rule` gets the id of the row that names it. What one statement
can say of one response, or of several, needs no function: the row names a shared judge and what it gets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from harness.checks.capabilities import CAPABILITIES, PROFILES, PROOFS, RESTS_ON
from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_refusal,
    expect_reply,
    expect_settled,
    expect_status,
    of_interaction,
    of_rule,
)
from harness.checks.vocabulary.resources import expect_made
from harness.checks.vocabulary.shared import judge_refusals
from harness.checks.vocabulary.streams import expect_stream
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.tables.refusals import REFUSALS
from harness.errors import TableError
from harness.kit.check import Check, Exercise, Judge, take
from harness.outcome import Finding
from harness.outcome.words import did_you_mean
from harness.rules import AREAS, rows_of
from harness.rules.tables import RuleRow
from harness.wire import Exchange

_OF_THE_RULE = (expect_reply, of_interaction, of_rule)
_SHARED: Mapping[str, Callable[..., Iterable[Finding]]] = {
    function.__name__: function
    for function in (
        expect_interaction,
        expect_made,
        expect_refusal,
        expect_settled,
        expect_status,
        expect_stream,
        *_OF_THE_RULE,
    )
}
"""Judges of a response, whose name the row gives: `judge: {expect_status: twice, accepts: [409]}`.

Those of the second list get the id of the rule: what it says of a response is in the contract.
"""

_STATUSES = ("accepts", "tolerates", "notes")
_CLASSES: Mapping[object, Iterable[int]] = {"2xx": SUCCESS, "3xx": range(300, 400), "4xx": CLIENT_ERROR}


def build_check(row: RuleRow, home: str) -> Check:
    """Return the check of a row, whose functions are in the module `home` unless their names have dots.

    Raises TableError for a name that is not there, and for an unknown profile or capability.
    """
    exercise, judge = find_function(row, row.exercise, home), _find_judge(row, home)
    try:
        return make_check(row, exercise, judge)
    except ValueError as wrong:
        raise TableError(f"{row.area}.yaml: {wrong}") from None


def make_check(row: RuleRow, exercise: Exercise, judge: Judge) -> Check:
    """Return the check of a row with these functions. Raises ValueError for an unknown profile or capability."""
    wants = tuple(inspect.signature(judge).parameters)
    _refuse_unknown(row, "profile", [row.profile], PROFILES)
    _refuse_unknown(row, "capability", row.requires, CAPABILITIES)
    _refuse_unknown(row, "result in `about`", [row.about] if row.about else [], wants)
    return Check(
        rule=row.rule,
        title=row.title,
        profile=row.profile,
        exercise=exercise,
        judge=judge,
        requires=frozenset(row.requires),
        accepts=row.accepts,
        wants=wants,
        about=row.about,
        everywhere=row.everywhere,
        judges_ends=row.judges_ends,
        rests_on=row.rests_on,
    )


def find_function(row: RuleRow, path: str, home: str) -> Any:
    """Return what a row names. Raises TableError if there is no such function."""
    module, _, name = path.rpartition(".")
    where = f"harness.checks.{module}" if module else home
    found = getattr(import_module(where), name, None)
    if found is None:
        near = did_you_mean(name, vars(import_module(where)))
        raise TableError(
            f"{row.area}.yaml: {row.rule.id}: {where} has no {name!r}{near}: write it, or name another"
        )
    return found


def _find_judge(row: RuleRow, home: str) -> Judge:
    if isinstance(row.judge, Mapping):
        return _build_shared(row, dict(row.judge))
    if row.judge == judge_refusals.__name__:
        return take(partial(judge_refusals, row.rule.id), *REFUSALS[row.rule.id].creates)
    judge: Judge = find_function(row, row.judge, home)
    takes_rule = next(iter(inspect.signature(judge).parameters), "") == "rule"
    return partial(judge, row.rule.id) if takes_rule else judge


def _build_shared(row: RuleRow, words: dict[str, Any]) -> Judge:
    name = next(word for word in words if word not in _STATUSES)
    if name not in _SHARED:
        near = did_you_mean(name, _SHARED)
        raise TableError(f"{row.area}.yaml: {row.rule.id}: there is no judge {name!r}{near}")
    answers, judge = words.pop(name), _SHARED[name]
    if judge in _OF_THE_RULE:
        judge = partial(judge, row.rule.id)
    for word, values in words.items():
        statuses = frozenset(status for value in values for status in _CLASSES.get(value) or (int(value),))
        judge = partial(judge, **{word: statuses})
    return take(partial(_judge_each, judge), *([answers] if isinstance(answers, str) else answers))


def _judge_each(
    judge: Callable[[Exchange], Iterable[Finding]], **answers: Exchange | list[Exchange]
) -> Iterator[Finding]:
    """Judge each of these responses, and each in one that is a list."""
    for name, answer in answers.items():
        yield from among(name, answer, judge) if isinstance(answer, list) else at(name, judge(answer))


def _refuse_unknown(row: RuleRow, what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise ValueError(f"{row.rule.id}: there is no {what} {name!r}{near}")


def gather(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return all checks as they depend on each other. Raises TableError if two exercises share a name."""
    found: dict[str, Check] = {}
    exercises: dict[str, object] = {}
    for check in checks:
        if check.id in found:
            raise TableError(f"two checks for the rule {check.id!r}: a rule has exactly one")
        if exercises.setdefault(check.exercise.name, check.exercise) is not check.exercise:
            raise TableError(f"two exercises are called {check.exercise.name!r}: rename one")
        found[check.id] = replace(
            check,
            proves=_PROVES.get(check.id, ""),
            rests_on=RESTS_ON.get(check.id, check.rests_on),
            blocks=_BLOCKING.get(check.id, frozenset()),
        )
    return tuple(found.values())


_CODES = {name for names in RESTS_ON.values() for name in names if "/" in name}
_BLOCKING: Mapping[str, frozenset[str]] = {
    rule: frozenset(code for code in _CODES if code.partition("/")[0] == rule)
    for rule in {code.partition("/")[0] for code in _CODES}
}
"""The codes that block other checks, by the rule that they are of."""
_PROVES = {rule: capability for capability, rule in PROOFS.items()}


CATALOGUE: tuple[Check, ...] = gather(
    build_check(row, f"harness.checks.areas.{area}") for area in AREAS for row in rows_of(area) if row.judge
)
