"""The proof that every check can fail: the whole catalogue against every mutant of the emulator.

It is split by area, so that it can be spread over processes: by the area of the mutants where each row is wanted,
and by the area of the checks where one killer is enough.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import chain

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine import kill_matrix as matrices
from harness.engine.kill_matrix import Bench, Matrix, kill_matrix
from harness.interactions import INTERACTIONS, embedded_settings
from harness.kit.check import Check

MUTANTS_BY_AREA: dict[str, list[str]] = defaultdict(list)
CHECKS_BY_AREA: dict[str, list[Check]] = defaultdict(list)
for mutant in MUTANTS.values():
    MUTANTS_BY_AREA[mutant.area].append(mutant.id)
for check in INTERACTIONS.load_catalogue():
    CHECKS_BY_AREA[check.rule.area].append(check)


@pytest.fixture(scope="module", params=MUTANTS_BY_AREA)
def matrix(request: pytest.FixtureRequest) -> Matrix:
    """The rows of the mutants of one area, computed in this process."""
    return kill_matrix(INTERACTIONS, MUTANTS_BY_AREA[request.param], jobs=1)


def test_every_mutant_is_noticed(matrix: Matrix) -> None:
    """Every mutant is noticed by at least one check."""
    assert matrix.survivors == ()


def test_nothing_went_wrong_on_our_side(matrix: Matrix) -> None:
    """No exercise and no judge raised, whatever a mutant answered."""
    assert matrix.errors == {}


@pytest.mark.parametrize("area", CHECKS_BY_AREA)
def test_every_check_notices_a_mutant(area: str) -> None:
    """Every check notices at least one mutant, in its own exercise or one of its area."""
    bench, settings = Bench(INTERACTIONS, CHECKS_BY_AREA[area]), embedded_settings()
    unproved = {check.id for check in CHECKS_BY_AREA[area]}
    # Mutants of the area of the same name come first: they end the search early.
    for mutant in sorted(MUTANTS.values(), key=lambda mutant: not mutant.area.startswith(area)):
        unproved -= set(bench.row(mutant.id, partial(mutant.build, settings)).killers)
        if not unproved:
            break
    assert unproved == set()


def test_the_areas_are_the_whole() -> None:
    """Every mutant and every check is in one area."""
    assert sorted(chain(*MUTANTS_BY_AREA.values())) == sorted(MUTANTS)
    assert len(list(chain(*CHECKS_BY_AREA.values()))) == len(INTERACTIONS.load_catalogue())


def test_the_reference_breaks_nothing() -> None:
    """On the unchanged emulator no check fails; checks that are not met are untestable."""
    unmet = kill_matrix(INTERACTIONS, [], jobs=1).unmet
    assert [why for why in unmet.values() if not why.startswith("untestable")] == []


def test_processes_agree() -> None:
    """Two processes find the same killers for the same mutants."""
    some = list(MUTANTS)[:2]
    assert kill_matrix(INTERACTIONS, some, jobs=2).kills == kill_matrix(INTERACTIONS, some, jobs=1).kills


def test_asking_every_judge_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is the same without the shortcut that skips judges when the exchanges are equal."""
    some = list(MUTANTS)[::40]
    kills = kill_matrix(INTERACTIONS, some, jobs=1).kills
    monkeypatch.setattr(matrices, "_fingerprint", lambda _: (object(),))
    assert kill_matrix(INTERACTIONS, some, jobs=1).kills == kills
