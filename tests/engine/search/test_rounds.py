"""Random searches: they find and shrink defects, are not vacuous, and do the same again with the same seed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engine.search.budget import BUDGETS, Budget, hypothesis_settings, open_database
from harness.engine.search.exhaustive import every
from harness.engine.search.failure import SeenDefect
from harness.engine.search.rounds import Tally, laws, search
from harness.engine.search.search_target import World
from harness.engine.traffic.deadline import Timer
from tests.engine.search.places import mutant, reference

pytestmark = pytest.mark.slow

SMALL = Budget(histories=100, steps=25, laws=40, schema=1)


def test_the_reference_stands_and_the_search_was_not_vacuous() -> None:
    """On the reference, a search finds nothing, is not vacuous, and plays the whole budget of histories."""
    done = search(reference(), SMALL)
    assert done.failures == ()
    assert done.vacuous == ()
    assert done.counts["histories"] >= SMALL.histories


def test_laws_hold_on_the_reference() -> None:
    """On the reference, the stream laws (whole, cut and resumed streams agree) find nothing."""
    done = laws(reference(), SMALL)
    assert (done.failures, done.vacuous) == ((), ())


@pytest.mark.parametrize(
    ("name", "rule", "steps"),
    [
        ("delete-keeps", "del.gone", 3),
        ("parent-mutated", "get.matches-post", 3),
        ("cancel-noop", "cancel.state", 3),
    ],
)
def test_a_defect_is_found_and_shrunk(name: str, rule: str, steps: int) -> None:
    done = search(mutant(name), replace(SMALL, histories=150), seed=1)
    lengths = {failure.rule: len(failure.history) for failure in done.failures}
    assert lengths.get(rule) == steps, lengths


def test_a_law_finds_what_is_lost_after_a_drop() -> None:
    """The stream laws find a resume that skips an event, and that its parts are not what GET shows."""
    found = {failure.rule for failure in laws(mutant("resume-skips-one"), SMALL).failures}
    assert {"resume.no-gap"} <= found <= {"resume.no-gap", "stream.equals-get"}


def test_laws_without_time_accuse_nobody() -> None:
    """If time is up before a law was played, the search says so, and not that the target does not stream."""
    (why,) = laws(reference(), replace(SMALL, seconds=1e-9)).vacuous
    assert "the time limit was reached" in why
    assert "--time" in why


def test_what_is_known_is_passed_over() -> None:
    """A defect listed in `passed_over` is not reported again."""
    known = ["del.gone GET interactions/{id}"]
    done = search(mutant("delete-keeps"), replace(SMALL, histories=80), passed_over=known)
    assert "del.gone" not in {failure.rule for failure in done.failures}


def test_the_same_seed_does_the_same() -> None:
    one, other = (search(reference(), replace(SMALL, histories=15), seed=7) for _ in range(2))
    assert one.counts == other.counts


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


def test_time_ends_a_search() -> None:
    """A time limit stops a search long before its budget of histories is spent."""
    done = search(reference(), replace(BUDGETS["nightly"], seconds=0.5))
    assert done.counts["histories"] < BUDGETS["nightly"].histories
    assert done.failures == ()


def test_time_that_ends_before_the_shrinking_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If time runs out once something is found, it is reported unshrunk, says why, and nothing more is played."""
    tallies: list[Tally] = []
    note = Tally._note

    def noted(self: Tally, defect: SeenDefect, world: World) -> None:
        tallies.append(self)
        note(self, defect, world)

    monkeypatch.setattr(Tally, "_note", noted)
    monkeypatch.setattr(Timer, "left", property(lambda self: 0.0 if tallies else math.inf))
    done = search(mutant("delete-keeps"), SMALL, seed=1)
    (bug,) = tallies[0].bugs.values()
    (failure,) = done.failures
    assert failure.history == bug.history
    assert (failure.unshrunk, failure.replays.why_not) == (
        "the time limit was reached",
        "the time limit was reached",
    )


@pytest.mark.parametrize(
    "name",
    [
        "delete-keeps",
        "resume-skips-one",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("cancel-settled", "cancelled-stream-goes-on", "chain-background-refused")
        ),
    ],
)
def test_no_shorter_history_is_known(name: str) -> None:
    """A search shrinks a failure to as few steps as the exhaustive search needs for it."""
    least = {failure.key: len(failure.history) for failure in every(mutant(name), 3).failures}
    found = {failure.key: failure for failure in search(mutant(name), SMALL, seed=1).failures}
    both = least.keys() & found.keys()
    assert both
    assert {key: len(found[key].history) for key in both} == {key: least[key] for key in both}
    assert all(not failure.unshrunk for failure in found.values())


def test_a_target_that_refuses_everything_proves_nothing() -> None:
    known = ["fuzz.no-5xx POST interactions"]
    done = search(mutant("create-crashes"), replace(SMALL, histories=20), passed_over=known)
    assert any("succeeded" in why for why in done.vacuous)


def test_examples_are_shared_through_a_database(tmp_path: Path) -> None:
    """A later search replays the examples of an earlier one from a shared database and finds the failure again."""
    database = open_database(str(tmp_path / "examples"))
    one = search(mutant("delete-keeps"), SMALL, seed=1, database=database)
    again = search(mutant("delete-keeps"), replace(SMALL, histories=8), seed=999, database=database)
    assert {"del.gone"} <= {failure.rule for failure in one.failures} & {
        failure.rule for failure in again.failures
    }
