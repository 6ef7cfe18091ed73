"""The matrix of rules, modes and moments: it follows from what judges received."""

from __future__ import annotations

import pytest

from lab.defects.scenes import MODES, MOMENTS, explain_cell
from lab.modes import JUDGED, OPEN, WORDS, ModeMatrix, matrix_page, matrix_records, observe_matrix

CREATE, GET = ("POST interactions", False), ("GET interactions/{id}", False)


@pytest.fixture(scope="module")
def matrix() -> ModeMatrix:
    """Return the matrix of some rules."""
    return observe_matrix(("create.*", "resume.*", "del.*", "env.*"))


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


def test_page_and_data_draw_the_same_cells(matrix: ModeMatrix) -> None:
    records = matrix_records(matrix)
    assert len(records) == len(matrix.checks) * len(MODES) * len(MOMENTS)
    judged = sum(record["word"] == JUDGED for record in records)
    rows = [line for line in matrix_page(matrix).splitlines() if "](rules/" in line]
    assert sum(letter.isupper() for row in rows for letter in row.partition(")")[2]) == judged
