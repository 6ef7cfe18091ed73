"""Generated defects against the whole catalog: what is killed, what only warns, and what does not count."""

from __future__ import annotations

import pytest

from harness.defects.scenes import BODY, FIRST, ODDITY, REQUEST, STATUS, Scene, WireDefect, explain_cell
from harness.engine.events import RunFinished
from harness.engine.mode_matrix import JUDGED, OPEN, ModeMatrix, observe_matrix
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
from harness.report.mode_matrix import WORDS, matrix_lines, matrix_page, matrix_records

PLAIN = Scene("POST interactions", "plain", "at once")
LOOK = Scene("GET interactions/{id}", "plain", "after the end")


@pytest.fixture(scope="module")
def bench() -> DefectBench:
    """Return the clean run."""
    return DefectBench(INTERACTIONS, "")


def play(bench: DefectBench, defect: WireDefect) -> PlayedDefect:
    """Run `check` against a defect."""
    return bench.play(defect)


@pytest.mark.slow
def test_a_defect_that_breaks_a_must_fails_the_run(bench: DefectBench) -> None:
    """A plain create without its status fails the run, and the check is named."""
    played = play(bench, WireDefect(BODY, "dropped", PLAIN, "status"))
    assert played.outcome is DefectOutcome.FAILED
    assert played.killers == ("create.status",)


@pytest.mark.slow
def test_a_defect_that_only_the_probe_meets_fails_the_run(bench: DefectBench) -> None:
    """The first plain create of a run is the handshake, whose response is judged like all others."""
    played = play(bench, WireDefect(BODY, "retyped", PLAIN, "model", when=FIRST))
    assert (played.outcome, played.killers) == (DefectOutcome.FAILED, ("create.schema",))


@pytest.mark.slow
def test_a_defect_that_changes_no_byte_does_not_count(bench: DefectBench) -> None:
    """A request field that the service never used shows itself nowhere."""
    played = play(bench, WireDefect(REQUEST, "cut", PLAIN, "tools.*.parameters.properties.city"))
    assert played.outcome is DefectOutcome.NOT_SHOWN


@pytest.mark.slow
def test_no_check_can_begin_where_every_create_is_refused(bench: DefectBench) -> None:
    """A server that answers each plain create with 503 never passes the handshake."""
    played = play(bench, WireDefect(STATUS, "replaced", PLAIN, "200", "503"))
    assert played.outcome is DefectOutcome.FAILED


@pytest.mark.slow
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
@pytest.mark.parametrize("number", [20, pytest.param(150, marks=pytest.mark.thorough)])
def test_the_score_of_a_seeded_sample_reaches_the_recorded_one(number: int) -> None:
    """A change that lets more defects survive has to say why, in `survivors.yaml`."""
    *_, finished = score_defects(INTERACTIONS, ScoreOptions(number=number, seed=11))
    assert isinstance(finished, RunFinished)
    assert finished.exit == 0
    rows = [row for result in finished.results for row in result.evidence if isinstance(row, DefectRow)]
    assert len(rows) > number * 2 / 3


IN_ONE_MODE = ("unknown event oddity*every time",)
"""One of the oddities; `test_a_legal_oddity_fails_no_check` plays others in all modes."""


@pytest.mark.slow
@pytest.mark.parametrize("globs", [IN_ONE_MODE, pytest.param(("*oddity*every time",), marks=pytest.mark.thorough)])
def test_no_run_fails_for_a_legal_oddity(globs: tuple[str, ...]) -> None:
    """What a legal server does in one mode alone is no difference that a client could lose something by."""
    *_, finished = score_defects(INTERACTIONS, ScoreOptions(number=0, globs=globs))
    assert isinstance(finished, RunFinished)
    rows = [row for result in finished.results for row in result.evidence if isinstance(row, DefectRow)]
    assert len(rows) >= len(globs)
    assert [(row.id, row.killers) for row in rows if row.outcome == DefectOutcome.FAILED] == []


# --- the matrix of rules, modes and moments: it follows from what judges received


CREATE, GET = ("POST interactions", False), ("GET interactions/{id}", False)


@pytest.fixture(scope="module")
def matrix() -> ModeMatrix:
    """Return the matrix of some rules."""
    return observe_matrix(INTERACTIONS, "", ("create.*", "resume.*", "del.*", "env.*"))


def test_a_cell_is_judged_where_a_judge_received_an_exchange(matrix: ModeMatrix) -> None:
    for check in matrix.checks:
        for cell, word in matrix.words[check.id].items():
            assert (word == JUDGED) == bool(matrix.counts[check.id][cell])
            assert word in {JUDGED, OPEN, *WORDS}


@pytest.mark.parametrize(
    ("rule", "mode", "moment", "word"),
    [
        ("create.schema", "plain", "at once", JUDGED),
        ("create.schema", "plain", "while running", "blocking"),
        ("resume.no-gap", "resumed", "after the end", JUDGED),
        ("resume.no-gap", "resumed", "at once", "create"),
        ("del.gone", "plain", "after delete", JUDGED),
    ],
)
def test_a_cell_of_the_catalog(matrix: ModeMatrix, rule: str, mode: str, moment: str, word: str) -> None:
    assert matrix.words[rule][mode, moment] == word


@pytest.mark.parametrize(
    ("mode", "moment", "calls", "word"),
    [
        ("plain", "while running", {GET}, "blocking"),
        ("resumed", "at once", {CREATE}, "create"),
        ("streamed", "at once", {CREATE}, "open"),
        ("plain", "at once", {("POST interactions", True)}, "form"),
        ("background", "at once", {CREATE}, "open"),
        ("background", "after the end", {CREATE}, "call"),
        ("resumed", "after the end", {GET}, "call"),
        ("resumed", "after the end", {("GET interactions/{id}", True)}, "open"),
        ("plain", "at once", {("GET webhooks", False)}, "resource"),
        ("plain", "at once", set(), "unseen"),
    ],
)
def test_why_a_cell_is_empty(mode: str, moment: str, calls: set[tuple[str, bool]], word: str) -> None:
    """One word says what keeps a rule from a cell."""
    assert explain_cell(mode, moment, frozenset(calls)) == word


def test_text_page_and_data_draw_the_same_cells(matrix: ModeMatrix) -> None:
    records = matrix_records(matrix)
    assert len(records) == len(matrix.checks) * len(matrix.modes) * len(matrix.moments)
    judged = sum(record["word"] == JUDGED for record in records)
    rows = [line for line in matrix_page(matrix).splitlines() if "](rules/" in line]
    assert sum(letter.isupper() for row in rows for letter in row.partition(")")[2]) == judged
    lines = list(matrix_lines(matrix))
    assert any(line.startswith("del.gone") and "D" in line for line in lines)
