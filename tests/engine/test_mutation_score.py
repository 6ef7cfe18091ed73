"""Generated defects against the whole catalog: what is killed, what only warns, and what does not count."""

from __future__ import annotations

import pytest

from harness.defects.scenes import BODY, FIRST, ODDITY, REQUEST, STATUS, Scene, WireDefect
from harness.engine.events import RunFinished
from harness.engine.mutation_score import (
    DefectBench,
    DefectOutcome,
    PlayedDefect,
    Score,
    ScoreOptions,
    score_defects,
    sum_up,
)
from harness.engine.results import DefectRow
from harness.interactions import INTERACTIONS

PLAIN = Scene("POST interactions", "plain", "at once")
LOOK = Scene("GET interactions/{id}", "plain", "after the end")


@pytest.fixture(scope="module")
def bench() -> DefectBench:
    """Return the clean run."""
    return DefectBench(INTERACTIONS, "")


def play(bench: DefectBench, defect: WireDefect) -> PlayedDefect:
    """Run `check` against a defect."""
    return bench.play(defect)


def test_a_defect_that_breaks_a_must_fails_the_run(bench: DefectBench) -> None:
    """A plain create without its status fails the run, and the check is named."""
    played = play(bench, WireDefect(BODY, "dropped", PLAIN, "status"))
    assert played.outcome is DefectOutcome.FAILED
    assert played.killers == ("create.status",)


def test_a_defect_that_only_the_probe_meets_fails_the_run(bench: DefectBench) -> None:
    """The first plain create of a run is the handshake, whose response is judged like all others."""
    played = play(bench, WireDefect(BODY, "retyped", PLAIN, "model", when=FIRST))
    assert (played.outcome, played.killers) == (DefectOutcome.FAILED, ("create.schema",))


def test_a_defect_that_changes_no_byte_does_not_count(bench: DefectBench) -> None:
    """A request field that the service never used shows itself nowhere."""
    played = play(bench, WireDefect(REQUEST, "cut", PLAIN, "tools.*.parameters.properties.city"))
    assert played.outcome is DefectOutcome.NOT_SHOWN


def test_no_check_can_begin_where_every_create_is_refused(bench: DefectBench) -> None:
    """A server that answers each plain create with 503 never passes the handshake."""
    played = play(bench, WireDefect(STATUS, "replaced", PLAIN, "200", "503"))
    assert played.outcome is DefectOutcome.FAILED


@pytest.mark.parametrize("name", ["keys reversed", "bytes one by one", "slow"])
def test_a_legal_oddity_fails_no_check(bench: DefectBench, name: str) -> None:
    played = play(bench, WireDefect(ODDITY, name, Scene("", "", "")))
    assert (played.outcome, played.killers) == (DefectOutcome.SURVIVED, ())


def test_a_score_leaves_out_what_is_excused_and_what_breaks_only_a_should() -> None:
    """The shares are of what a check could report, and of what breaks a MUST."""

    def row(outcome: DefectOutcome, *, excuse: str = "", level: str = "") -> DefectRow:
        return DefectRow("x", (), (), {}, outcome, excuse, level)

    failed, warned, survived = DefectOutcome.FAILED, DefectOutcome.WARNED, DefectOutcome.SURVIVED
    rows = [row(failed, level="MUST")] * 6
    rows += [row(warned, level="SHOULD"), row(warned, level="MUST"), row(survived), row(survived, excuse="legal")]
    score = sum_up([*rows, row(DefectOutcome.NOT_SHOWN)])
    assert score == Score(failed=6, warned=2, should=1, excused=1, survived=1)
    assert (score.shown, round(score.found, 1), score.red) == (10, 88.9, 75.0)


def test_a_defect_of_the_first_time_is_named_so() -> None:
    name = WireDefect(BODY, "dropped", LOOK, "status", when=FIRST).id
    assert name == "dropped field status | GET interactions/{id} | plain | after the end | first time"


@pytest.mark.slow
def test_the_score_of_a_seeded_sample_reaches_the_recorded_one() -> None:
    """A change that lets more defects survive has to say why, in `survivors.yaml`."""
    *_, finished = score_defects(INTERACTIONS, ScoreOptions(number=150, seed=11))
    assert isinstance(finished, RunFinished)
    assert finished.exit == 0
    rows = [row for result in finished.results for row in result.evidence if isinstance(row, DefectRow)]
    assert len(rows) > 100
