"""The proof that every check can fail: the whole catalogue against every mutant of the emulator."""

from __future__ import annotations

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine import kill_matrix as matrices
from harness.engine.kill_matrix import Matrix, kill_matrix


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    """The whole matrix, computed in this process."""
    return kill_matrix(jobs=1)


def test_every_mutant_is_noticed(matrix: Matrix) -> None:
    """Every mutant is noticed by at least one check."""
    assert matrix.survivors == ()


def test_every_check_notices_a_mutant(matrix: Matrix) -> None:
    """Every check notices at least one mutant."""
    assert matrix.without_killer == ()


def test_the_reference_breaks_nothing(matrix: Matrix) -> None:
    """On the unchanged emulator no check fails; checks that are not met are untestable."""
    assert [why for why in matrix.unmet.values() if not why.startswith("untestable")] == []


def test_nothing_went_wrong_on_our_side(matrix: Matrix) -> None:
    """No exercise and no judge raised, whatever a mutant answered."""
    assert matrix.errors == {}


def test_processes_agree(matrix: Matrix) -> None:
    """Two processes find the same killers for the same mutants."""
    some = list(MUTANTS)[:2]
    assert kill_matrix(some, jobs=2).kills == {name: matrix.kills[name] for name in some}


def test_asking_every_judge_changes_nothing(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is the same without the shortcut that skips judges when the exchanges are equal."""
    some = list(MUTANTS)[::40]
    monkeypatch.setattr(matrices, "_fingerprint", lambda _: (object(),))
    assert kill_matrix(some, jobs=1).kills == {name: matrix.kills[name] for name in some}
