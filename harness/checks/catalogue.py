"""All checks, in the order in which they are shown: each row of a table of rules with the functions that it names.

A name without a dot is a function of the area's module in `areas/`; with dots it is a path below `harness.checks`.
A judge whose first parameter is `rule` gets the id of the row that names it. What one statement can say of one
response, or of several, needs no function: the row names shared judges and what they get.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from harness.checks.capabilities import CAPABILITIES, PROFILES, PROOFS, RESTS_ON
from harness.checks.vocabulary import expect, modes, resources, runs, streams
from harness.checks.vocabulary.expect import among, at
from harness.checks.vocabulary.shared import judge_refusals
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS, judge_error_shape, judge_stream_label
from harness.contract.judge.history.interactions import judge_deleted, judge_late_cancel
from harness.contract.tables.refusals import REFUSALS
from harness.errors import TableError
from harness.kit.check import Check, Exercise, Judge, take
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import did_you_mean
from harness.rules import AREAS, rows_of
from harness.rules.tables import RuleRow

_EXPECTING = [found for module in (expect, modes, resources, runs, streams) for found in vars(module).values()]
_SHARED: Mapping[str, Callable[..., Iterable[Finding]]] = {
    judge.__name__: judge
    for judge in (
        *(found for found in _EXPECTING if getattr(found, "__name__", "").startswith("expect_")),
        *(expect.need_success, expect.of_interaction, expect.of_rule),
        *(judge_deleted, judge_error_shape, judge_late_cancel, judge_stream_label),
    )
}
"""Judges of a response, whose name the row gives: `judge: {expect_status: twice, accepts: [409]}`.

A row may name several, and functions of its area, too; what follows the responses are options of the judge. A
judge of several responses gets them by its parameters: `{expect_own_id: {turn: second, parent: first}}`. One judge
is asked after the other, as long as the rule is not broken.
"""

_read_signature = cache(inspect.signature)  # several rows name one judge, and each command waits for all of them
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
    wants = tuple(_read_signature(judge).parameters)
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
        explained_by=row.explained_by,
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
    if row.judge == judge_refusals.__name__:
        return take(partial(judge_refusals, row.rule.id), *REFUSALS[row.rule.id].creates)
    if isinstance(row.judge, str):
        return _give_rule(find_function(row, row.judge, home), row)
    parts = [row.judge] if isinstance(row.judge, Mapping) else row.judge
    judges, kinds = zip(*(_build_part(row, part, home) for part in parts), strict=True)
    return take(partial(_judge_in_turn, *judges), **{name: kind for own in kinds for name, kind in own.items()})


def _build_part(row: RuleRow, part: str | Mapping[str, Any], home: str) -> tuple[Judge, Mapping[str, str]]:
    """Return a judge of the answers that one part of a row names, and the kind of each of them by its name."""
    if part == judge_refusals.__name__:
        named = {name: name for name in REFUSALS[row.rule.id].creates}
        return partial(_judge_named, partial(judge_refusals, row.rule.id), named), dict.fromkeys(named, "Exchange")
    (name, answers), *options = part.items() if isinstance(part, Mapping) else [(part, {})]
    judge = _give_rule(_SHARED.get(name) or find_function(row, name, home), row)
    for word, value in options:
        statuses = (status for one in value for status in _CLASSES.get(one) or (int(one),))
        judge = partial(judge, **{word: value if isinstance(value, str) else frozenset(statuses)})
    if isinstance(answers, Mapping):
        parameters = _read_signature(judge).parameters.items()
        kinds = {name: one.annotation for name, one in parameters if one.default is one.empty}
        named = {name: answers.get(name, name) for name in kinds}
        return partial(_judge_named, judge, named), {named[name]: kind for name, kind in kinds.items()}
    names = [answers] if isinstance(answers, str) else answers
    return partial(_judge_each, judge, names), dict.fromkeys(names, "Exchange")


def _give_rule(judge: Judge, row: RuleRow) -> Judge:
    takes_rule = next(iter(_read_signature(judge).parameters), "") == "rule"
    return partial(judge, row.rule.id) if takes_rule else judge


def _judge_in_turn(*judges: Callable[..., Iterable[Finding]], **answers: Any) -> Iterator[Finding]:
    """Ask one judge after the other, as long as the rule is not broken."""
    if all(answer is None for answer in answers.values()):
        raise Unmet(f"the exercise got no response called {' or '.join(answers)}")
    for judge in judges:
        is_broken = False
        for one in judge(answers):
            is_broken |= one.severity is Severity.BROKEN
            yield one
        if is_broken:
            return


def _judge_named(judge: Callable[..., Any], named: Mapping[str, str], answers: Mapping[str, Any]) -> Any:
    """Ask a judge of several answers, by the names of its parameters."""
    return judge(**{parameter: answers[name] for parameter, name in named.items()})


def _judge_each(judge: Callable[..., Any], names: Iterable[str], answers: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge each of these responses, and each in one that is a list; None is a request that was not sent."""
    for name in names:
        if isinstance(answer := answers[name], list):
            yield from among(name, answer, judge)
        elif answer is not None:
            yield from at(name, judge(answer))


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
