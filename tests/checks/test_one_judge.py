"""A rule has one judge: what the contract decides, no check decides by a judgement of its own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from harness.checks.catalogue import CATALOGUE
from harness.checks.vocabulary.expect import expect_reply, of_rule
from harness.contract import judge as contract_judges
from harness.contract import transcript
from harness.contract.judge.answer import REPLIES
from harness.contract.judge.history.resources import compare_views
from harness.kit.check import Check
from tests.in_one_test import in_one_test

_RULE = re.compile(r'"([a-z]+\.[a-z0-9-]+)(?:/[a-z0-9-]+)?"')
_READINGS = {"coded", "crash", "unlisted"}
"""Judgements that a reading of an answer holds apart from its findings."""
_JUDGEMENTS = (
    *(of_rule, expect_reply, compare_views),
    *(transcript.compare, transcript.is_same_event, transcript.is_of_the_run),
)
"""What decides a rule for a check: the contract's findings, and its comparisons of two readings or two views."""


def decided_by_the_contract() -> set[str]:
    """The rules that a judge of the contract names, of one answer or of a history."""
    folder = Path(str(contract_judges.__file__)).parent
    source = "".join(path.read_text("utf-8") for path in folder.rglob("*.py") if path.stem != "judged_rules")
    return {*_RULE.findall(source), *(rule.partition("/")[0] for rule in REPLIES)}


def asks_the_contract(function: Any, seen: set[Any]) -> bool:
    """Whether a function comes, through those that it calls, to a judgement of the contract."""
    for part in unwrap(function):
        if not inspect.isfunction(part) or part in seen:
            continue
        seen.add(part)
        home = part.__module__
        if part in _JUDGEMENTS:
            return True
        if home.startswith("harness.contract.judge") and part.__name__.startswith("judge_"):
            return True
        if not home.startswith(("harness.checks", __name__)):
            continue
        names = set(names_in(part.__code__))
        known = part.__globals__
        spaces = [known, *(vars(known[name]) for name in names if inspect.ismodule(known.get(name)))]
        used = [space.get(name) for space in spaces for name in names]
        if names & _READINGS or any(asks_the_contract(one, seen) for one in used):
            return True
    return False


def unwrap(function: Any) -> Iterator[Any]:
    """A function, what it wraps, what it is given beforehand, and what it closes over."""
    while isinstance(function, partial):
        yield from (part for value in function.args if callable(value) for part in unwrap(value))
        function = function.func
    yield function
    for cell in getattr(function, "__closure__", None) or ():
        if callable(cell.cell_contents):
            yield from unwrap(cell.cell_contents)


def names_in(code: CodeType) -> Iterator[str]:
    """The names that a function uses, those of its inner functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


_DECIDED = decided_by_the_contract()
_BOTH = [check for check in CATALOGUE if check.id in _DECIDED]


@in_one_test(check=_BOTH)
def test_a_check_asks_the_judge_of_its_rule(check: Check) -> None:
    """What the contract decides, a check asks the contract; it may add what only its exercise shows."""
    assert asks_the_contract(check.judge, set()), (
        f"{check.id} is decided in harness/contract/judge and a second time by its check: "
        "let the check ask `of_rule`, `expect_reply` or the contract's `judge_…` function"
    )
