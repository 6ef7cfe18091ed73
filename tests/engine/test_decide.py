"""Verdicts and exit codes are decided in one place, with the baseline and its codes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import harness
from harness.engine.baseline import Baseline, Entry
from harness.engine.decide import Policy, decide, decide_finding, exit_of, exit_with
from harness.outcome import Because, Exit, Finding, Level, Observation, Outcome, Severity, Verdict
from tests.engine.toys import rule

PACKAGE = Path(harness.__file__).parent
RULE = rule("get.odd")
GAP, OTHER = "get.odd/gap", "get.odd/other"


def broken(*codes: str) -> Observation:
    """An observation with a finding for each code."""
    return Observation.of(Finding("get.odd", "odd", code=code) for code in codes)


@pytest.mark.slow
def test_only_one_module_asks_the_table() -> None:
    """No module but `engine/decide` calls `verdict`, `not_judged` or `exit_code`, none but it makes a Result."""
    callers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            if named in ("verdict", "not_judged", "exit_code", "Result"):
                callers.add(str(path.relative_to(PACKAGE)))
    assert callers == {"engine/decide.py"}


@pytest.mark.parametrize(
    ("entries", "seen", "verdict"),
    [
        ([], [GAP], Verdict.FAIL),
        ([""], [GAP, OTHER], Verdict.XFAIL),
        ([GAP], [GAP], Verdict.XFAIL),
        ([GAP], [GAP, OTHER], Verdict.FAIL),
        ([GAP, OTHER], [GAP, OTHER], Verdict.XFAIL),
        ([GAP], [], Verdict.STALE),
    ],
)
def test_an_entry_may_excuse_one_defect(entries: list[str], seen: list[str], verdict: Verdict) -> None:
    baseline = Baseline(Entry("get.odd", "known", "", code) for code in entries)
    result = decide(RULE, broken(*seen), Policy(baseline=baseline))
    assert result.verdict is verdict
    assert result.excuse == ("known" if entries else "")


def test_an_update_excuses_what_is_new_by_its_code() -> None:
    """If some defects of a check are excused by their codes, an update adds the codes of the others."""
    old = Baseline([Entry("get.odd", "known", "", GAP)])
    result = decide(RULE, broken(GAP, OTHER), Policy(baseline=old))
    new = old.with_failures([result], "2026-11-20")
    assert list(new.entries) == [f"get.odd {GAP}", f"get.odd {OTHER}"]
    assert exit_with([result], new) is Exit.OK


def test_pruning_takes_out_a_code_that_was_not_seen_again() -> None:
    """An entry whose defect is gone is removed, even if another defect of the check is still excused."""
    old = Baseline([Entry("get.odd", "a", "", GAP), Entry("get.odd", "b", "", OTHER)])
    new = old.without_stale([decide(RULE, broken(OTHER), Policy(baseline=old))])
    assert list(new.entries) == [f"get.odd {OTHER}"]


@pytest.mark.parametrize(
    ("because", "unjudged"),
    [
        (Because.LACKING, False),
        (Because.RACE_LOST, False),
        (Because.NO_ANSWER, False),
        (Because.OUR_LIMIT, True),
        (Because.NOT_TRIED, True),
    ],
)
def test_what_was_not_tried_counts_at_any_level(because: Because, unjudged: bool) -> None:
    """A SHOULD without an answer is no reason to be red; one that was not tried is."""
    observation = Observation.untestable("r", because)
    result = decide(rule("get.should", Level.SHOULD), observation, Policy())
    assert result.unjudged is unjudged
    assert exit_of([result]) is (Exit.UNREACHABLE if unjudged else Exit.NOTHING_RAN)


def test_a_part_that_proves_nothing_is_not_green() -> None:
    """A run with a vacuous part is not green, unless it has failed anyway."""
    met, failed = decide(RULE, Observation(Outcome.MET), Policy()), decide(RULE, broken(GAP), Policy())
    assert exit_of([met], vacuous=True) is Exit.NOTHING_RAN
    assert exit_of([met, failed], vacuous=True) is Exit.FAILED


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [
        (Severity.BROKEN, Verdict.FAIL),
        (Severity.NON_STRICT, Verdict.WARN),
        (Severity.INFORMATION, Verdict.INFO),
    ],
)
def test_a_finding_by_itself(severity: Severity, verdict: Verdict) -> None:
    """One finding of several has a verdict of its own; information is never a pass."""
    finding = Finding("get.odd", "odd", severity=severity)
    assert decide_finding(finding, RULE, Policy()) is verdict
