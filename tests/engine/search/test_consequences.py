"""What follows from a failure is told under it, and only what is no worse than its cause."""

from __future__ import annotations

from dataclasses import replace

from harness.engine.decide import Policy
from harness.engine.search.failure import EngineRun, Failure, fold
from harness.engine.search.search_target import play
from harness.interactions import INTERACTIONS
from harness.outcome import Severity
from tests.engine.search.places import history, mutant


def run_of(*failures: Failure) -> EngineRun:
    """A search that found these."""
    return EngineRun(engine="history", seconds=0.0, failures=failures)


def find_both() -> tuple[Failure, Failure]:
    """That a deleted interaction is still shown, and that its stream is: the second rests on the first."""
    found = play(mutant("delete-keeps"), history("create stream; delete; poll; replay"), "history")
    by_rule = {failure.rule: failure for failure in found}
    return by_rule["del.gone"], by_rule["del.gone-stream"]


def test_a_consequence_goes_with_its_cause() -> None:
    """One failure is left, which names the other one, and weighs one more for it."""
    gone, stream = find_both()
    (left,) = fold(run_of(stream, gone), [], INTERACTIONS).failures
    assert (left.key, left.consequences) == (gone.key, (stream.key,))
    result = left.decide(Policy(), INTERACTIONS)
    assert result.reproduction is not None
    assert result.reproduction.consequences == (stream.key,)
    assert result.weight == gone.seen + 1


def test_without_its_cause_it_is_a_failure() -> None:
    """If the cause was not found, what would follow from it is told like everything else."""
    _, stream = find_both()
    assert fold(run_of(stream), [], INTERACTIONS).failures == (stream,)


def test_what_an_earlier_engine_found_is_a_cause_too() -> None:
    """The cause is told already, so the later engine only notes what follows from it."""
    gone, stream = find_both()
    done = fold(run_of(stream), [gone], INTERACTIONS)
    assert done.failures == ()
    assert done.notes == (f"{stream.key} is a consequence of del.gone, which was found before",)


def test_a_cause_that_fails_nobody_excuses_nothing() -> None:
    """A cause that is broken only in a strict reading leaves the failure where it is."""
    gone, stream = find_both()
    lenient = replace(gone.defect, finding=replace(gone.finding, severity=Severity.NON_STRICT))
    done = fold(run_of(replace(gone, defect=lenient), stream), [], INTERACTIONS)
    assert stream in done.failures


def test_two_that_follow_from_each_other_are_both_told() -> None:
    """Neither of two failures goes if each would be the cause of the other."""
    gone, _ = find_both()
    one = replace(gone.finding, code="del.gone/a", cause="del.gone/b")
    other = replace(gone.finding, code="del.gone/b", cause="del.gone/a")
    both = [replace(gone, defect=replace(gone.defect, finding=finding)) for finding in (one, other)]
    assert len(fold(run_of(*both), [], INTERACTIONS).failures) == 2


def test_a_cause_that_the_judge_names_counts_for_the_same_call() -> None:
    gone, _ = find_both()
    named = replace(gone.finding, rule="get.same", code="", cause=gone.finding.stable_code)
    same = replace(gone, defect=replace(gone.defect, finding=named))
    elsewhere = replace(gone, defect=replace(same.defect, call="POST interactions"))
    left = fold(run_of(gone, same, elsewhere), [], INTERACTIONS).failures
    assert [failure.defect.call for failure in left] == ["GET interactions/{id}", "POST interactions"]
