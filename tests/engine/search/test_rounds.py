"""Random searches: they find and shrink defects, are not vacuous, and do the same again with the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.engine.decide import Policy
from harness.engine.search import rounds
from harness.engine.search.budget import BUDGETS, Budget, hypothesis_settings, open_database
from harness.engine.search.failure import EngineRun, Failure, fold
from harness.engine.search.rounds import LAWS, search
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.search.shrink import minimal
from harness.engine.traffic.deadline import Timer
from harness.interactions.search import load_search
from harness.outcome import Severity
from tests.engine.search.places import history, mutant, reference

SMALL = Budget(histories=100, steps=25, laws=40, schema=1)
FEW = replace(SMALL, histories=25)
"""Enough for a defect that many histories meet."""


@pytest.mark.slow
def test_the_reference_stands_and_the_search_was_not_vacuous() -> None:
    """On the reference, a search finds nothing, is not vacuous, and plays the whole budget of histories."""
    done = search(reference(), SMALL)
    assert done.failures == ()
    assert done.vacuous == ()
    assert done.counts["histories"] >= SMALL.histories


@pytest.mark.slow
def test_laws_hold_on_the_reference() -> None:
    """On the reference, the stream laws (whole, cut and resumed streams agree) find nothing."""
    done = search(reference(), SMALL, engine=LAWS)
    assert (done.failures, done.vacuous) == ((), ())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rule", "steps"),
    [
        ("cancel-noop", "cancel.state", 3),
        pytest.param("parent-mutated", "get.matches-post", 3, marks=pytest.mark.thorough),
    ],
)
def test_a_defect_is_found_and_shrunk(name: str, rule: str, steps: int) -> None:
    done = search(mutant(name), replace(SMALL, histories=60), seed=1)
    lengths = {failure.rule: len(failure.history) for failure in done.failures}
    assert lengths.get(rule) == steps, lengths


def test_what_binds_most_is_shrunk_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time may end before all are, as with a note that was seen first; a failure may take time of others."""
    shrunk = list[tuple[str, bool]]()

    def minimal(place: SearchTarget, failure: Failure, _: object) -> Failure:
        shrunk.append((failure.rule, place.timer.over()))
        return failure

    monkeypatch.setattr(rounds, "minimal", minimal)
    place = mutant("delete-keeps")
    tally = rounds.Tally(place, 1, lambda: False, frozenset())
    with place.world() as world:
        for step in history("create; delete; poll"):
            tally.play(world, step)
    ((key, bug),) = tally.bugs.items()
    finding = structs.replace(bug.defect.finding, rule="chain.echo")
    note = {"note": replace(bug, defect=replace(bug.defect, finding=finding))}
    for tally.bugs in (note, {**note, key: bug}):
        rounds._shrink(place.within(Timer(0.0)), tally, "history", Timer(3600.0))
    assert shrunk == [("chain.echo", True), ("del.gone", False), ("chain.echo", False)]


@pytest.mark.slow
def test_a_law_finds_what_is_lost_after_a_drop() -> None:
    """The stream laws find a resume that skips an event, and that its parts are not what GET shows."""
    found = {failure.rule for failure in search(mutant("resume-skips-one"), SMALL, engine=LAWS).failures}
    assert {"resume.no-gap"} <= found <= {"resume.no-gap", "stream.equals-get", "stream.signature"}


@pytest.mark.slow
def test_the_same_seed_does_the_same() -> None:
    one, other = (search(reference(), replace(SMALL, histories=15), seed=7) for _ in range(2))
    assert one.counts == other.counts


@pytest.mark.slow
def test_long_searches_let_go_of_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long searches are split into rounds of bounded size, each with its own seed, so that memory is freed."""
    rounds: list[int] = []

    def told(examples: int, **options: Any) -> Any:
        rounds.append(examples)
        return hypothesis_settings(examples, **options)

    monkeypatch.setattr("harness.engine.search.rounds.AT_ONCE", 200)
    monkeypatch.setattr("harness.engine.search.rounds.hypothesis_settings", told)
    run = search(reference(), Budget(histories=60, steps=10, laws=0, schema=0), seed=2)
    assert (run.failures, run.vacuous) == ((), ())
    assert run.counts["histories"] >= 60
    assert len(rounds) >= 3
    assert max(rounds) == 20


@pytest.mark.slow
def test_time_ends_a_search() -> None:
    """A time limit stops a search long before its budget of histories is spent."""
    done = search(reference(), replace(BUDGETS["nightly"], seconds=0.5))
    assert done.counts["histories"] < BUDGETS["nightly"].histories
    assert done.failures == ()


@pytest.mark.slow
def test_a_target_that_refuses_everything_proves_nothing() -> None:
    known = ["fuzz.no-5xx POST interactions"]
    done = search(mutant("create-crashes"), replace(SMALL, histories=20), passed_over=known)
    assert any("succeeded" in why for why in done.vacuous)
    assert "of one kind" in search(reference(), replace(SMALL, histories=1, steps=1)).vacuous[0]


@pytest.mark.slow
def test_examples_are_shared_through_a_database(tmp_path: Path) -> None:
    """A later search replays the examples of an earlier one from a shared database and finds the failure again."""
    database = open_database(str(tmp_path / "examples"))
    one = search(mutant("delete-keeps"), FEW, seed=1, database=database)
    again = search(mutant("delete-keeps"), replace(SMALL, histories=8), seed=999, database=database)
    assert {"del.gone"} <= {failure.rule for failure in one.failures} & {
        failure.rule for failure in again.failures
    }


# --- a failing history is shrunk as far as possible, and kept unchanged if it does not fail again


@pytest.mark.parametrize(
    ("name", "long", "least"),
    [
        (
            "delete-keeps",
            "create tools; create; poll 1; replay 0; delete 1; cancel; poll 1",
            "create; delete; poll",
        ),
        (
            "cancel-noop",
            "create; create; chain background 0; cancel 2; settle 2",
            "create background; cancel; settle",
        ),
        (
            "resume-skips-one",
            "create; create background-stream; open 1 x9; open 1 x4; resume 1 x5",
            "create background-stream; open x1; resume x1",
        ),
    ],
)
def test_steps_go_and_those_left_get_simpler(name: str, long: str, least: str) -> None:
    """Shrinking removes superfluous steps, turns a chain into a create, and lowers counts and indices."""
    rule = {"delete-keeps": "del.gone", "cancel-noop": "cancel.state", "resume-skips-one": "resume.no-gap"}[name]
    found = {failure.rule: failure for failure in play(mutant(name), history(long), "history")}
    done = minimal(mutant(name), found[rule])
    assert len(done.history) <= len(history(least))
    assert done.rule == rule


def test_a_failure_that_does_not_return_is_kept_as_it_was() -> None:
    """A failure that cannot be reproduced keeps its history, and says that it did not fail again."""
    failure = play(mutant("delete-keeps"), history("create; create; delete; poll"), "history")[0]
    done = minimal(reference(), failure)
    assert done.history == failure.history
    assert done.unshrunk == "it did not fail again"
    assert done.replays.lost


# --- what follows from a failure is told under it, and only what is no worse than its cause


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
    (left,) = fold(run_of(stream, gone), [], load_search()).failures
    assert (left.key, left.consequences) == (gone.key, (stream.key,))
    result = left.decide(Policy(), load_search())
    assert result.reproduction is not None
    assert result.reproduction.consequences == (stream.key,)
    assert result.weight == gone.seen + 1


def test_a_cause_that_fails_nobody_excuses_nothing() -> None:
    """A cause that is broken only in a strict reading leaves the failure where it is."""
    gone, stream = find_both()
    lenient = replace(gone.defect, finding=structs.replace(gone.finding, severity=Severity.NON_STRICT))
    done = fold(run_of(replace(gone, defect=lenient), stream), [], load_search())
    assert stream in done.failures


@pytest.mark.parametrize("cause", ["resume.no-gap", ""])
def test_a_cause_that_the_judge_names_precedes_what_a_rule_rests_on(cause: str) -> None:
    """`resume.no-gap` rests on `stream.text`, unless that follows from a gap of a resumed stream."""
    gone, _ = find_both()
    gap = structs.replace(gone.finding, rule="resume.no-gap", code="", cause="")
    text = structs.replace(gone.finding, rule="stream.text", code="stream.text/lost", cause=cause)
    both = [replace(gone, defect=replace(gone.defect, finding=finding)) for finding in (text, gap)]
    (left,) = fold(run_of(*both), [], load_search()).failures
    assert left.rule == (cause or "stream.text")


def test_a_cause_that_the_judge_names_counts_for_the_same_call() -> None:
    gone, _ = find_both()
    named = structs.replace(gone.finding, rule="get.same", code="", cause=gone.finding.stable_code)
    same = replace(gone, defect=replace(gone.defect, finding=named))
    elsewhere = replace(gone, defect=replace(same.defect, call="POST interactions"))
    left = fold(run_of(gone, same, elsewhere), [], load_search()).failures
    assert [failure.defect.call for failure in left] == ["GET interactions/{id}", "POST interactions"]
