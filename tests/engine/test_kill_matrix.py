"""The proof that every check can fail: each is killed by the mutant of its row, and each mutant by some check.

It is split by area, so that it can be spread over processes. The whole matrix is for `make test-all`: mutants that
no row names are noticed, too, and no judge raises on what they answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache, partial
from itertools import chain
from typing import Any

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine import kill_matrix as matrices
from harness.engine.kill_matrix import Bench, play_mutants
from harness.engine.results import KillRow
from harness.interactions.servers import SERVERS, embedded_settings
from harness.kit.check import Check
from harness.rules import ROWS
from harness.wire import LogicalClock
from tests.engine import toys

CATALOGUE = SERVERS.load_catalogue()
VICTIMS = {row.rule.id: row.mutant for row in ROWS.values() if row.mutant}
"""The mutant that a check notices, by check, as its row says."""

MUTANTS_BY_AREA: dict[str, list[str]] = defaultdict(list)
CHECKS_BY_AREA: dict[str, list[Check]] = defaultdict(list)
for mutant in MUTANTS.values():
    MUTANTS_BY_AREA[mutant.area].append(mutant.id)
for check in CATALOGUE:
    CHECKS_BY_AREA[check.rule.area].append(check)


@cache
def bench(checks: tuple[Check, ...]) -> Bench:
    """Some checks, played against the reference once in this process."""
    return Bench(SERVERS, checks)


def find_killers(checks: Iterable[Check], mutant: str) -> tuple[str, ...]:
    """Which of some checks notice a mutant, on the exercises of these alone."""
    played = bench(tuple(checks)).row(mutant, partial(MUTANTS[mutant].build, embedded_settings()))
    assert played.errors == (), f"our own fault, whatever {mutant} answered"
    return played.killers


def play(mutants: list[str], *, jobs: int = 1) -> list[KillRow]:
    """The rows of some mutants with the whole catalog."""
    return [row for row in play_mutants(SERVERS, mutants, jobs=jobs) if isinstance(row, KillRow)]


def find_kills(mutants: list[str], *, jobs: int = 1) -> dict[str, tuple[str, ...]]:
    """The killers of each mutant, by its name."""
    return {row.mutant: row.killers for row in play(mutants, jobs=jobs)}


@pytest.mark.slow
@pytest.mark.parametrize("area", CHECKS_BY_AREA)
def test_every_check_notices_the_mutant_of_its_row(area: str) -> None:
    """Every check notices the mutant that the row of its rule names, in its own exercise or in one of its area."""
    unproved = set()
    for check in CHECKS_BY_AREA[area]:
        mutant = VICTIMS.get(check.id, "none")
        if mutant not in MUTANTS or not (
            find_killers([check], mutant) or check.id in find_killers(CHECKS_BY_AREA[area], mutant)
        ):
            unproved.add(f"{check.id} ({mutant})")
    assert not unproved, (
        f"these checks do not notice the mutant of their row: {', '.join(sorted(unproved))}; name another in "
        "harness/rules, or add one to harness/emulator/mutants that breaks the rule"
    )


@pytest.mark.thorough
@pytest.mark.parametrize("area", MUTANTS_BY_AREA)
def test_the_whole_catalogue_notices_every_mutant(area: str) -> None:
    """No mutant gets away from the whole catalog, and no exercise or judge raises, whatever a mutant answers."""
    rows = play(MUTANTS_BY_AREA[area])
    assert {row.mutant: row.errors for row in rows if row.errors} == {}
    survivors = [row.mutant for row in rows if not row.killers]
    assert not survivors, (
        f"no check notices {', '.join(survivors)}: `harness mutants -v NAME` shows what they see of it; "
        "either it changes nothing, or a check has to look closer"
    )


def test_the_areas_are_the_whole() -> None:
    assert sorted(chain(*MUTANTS_BY_AREA.values())) == sorted(MUTANTS)
    assert len(list(chain(*CHECKS_BY_AREA.values()))) == len(CATALOGUE)


@pytest.mark.slow
def test_the_reference_breaks_nothing() -> None:
    """On the unchanged emulator no check fails; checks that are not met are untestable."""
    assert [why for why in bench(CATALOGUE).unmet.values() if not why.startswith("untestable")] == []


@pytest.mark.thorough
def test_processes_agree() -> None:
    """Two processes, each with a bench of its own, find the same killers for the same mutants."""
    some = list(MUTANTS)[:2]
    assert find_kills(some, jobs=2) == find_kills(some)


@pytest.mark.thorough
def test_asking_every_judge_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is the same without the shortcut that skips judges when the exchanges are equal."""
    some = list(MUTANTS)[::160]
    kills = find_kills(some)
    monkeypatch.setattr(matrices, "_fingerprint", lambda _: (object(),))
    assert find_kills(some) == kills


# --- how a row is found, on toys


TOYS = (toys.CREATE, toys.GET, toys.STREAM, toys.ODD)


class ToyEmulator(toys.ToyService):
    """A toy service with a clock, as the emulator has."""

    def __init__(self, **defects: Any) -> None:
        super().__init__(**defects)
        self.clock = LogicalClock()


def build(**defects: Any) -> Any:
    """A factory for toys with these defects."""
    return lambda: ToyEmulator(**defects)


@pytest.mark.parametrize(
    ("defect", "killers"),
    [
        ({}, ()),
        ({"forgets": True}, ("get.ok",)),
        ({"streams": False}, ("stream.any",)),
        ({"status": "failed"}, ()),
        ({"refuse": 500}, ("stream.any",)),
    ],
)
def test_killers(defect: dict[str, Any], killers: tuple[str, ...]) -> None:
    """A check kills a mutant if it fails there and not on the reference; untestable does not kill."""
    assert Bench(SERVERS, TOYS, build()).row("toy", build(**defect)).killers == killers


def test_unmet_by_the_reference() -> None:
    """A check that the reference itself does not meet is listed with its reason."""
    assert Bench(SERVERS, TOYS, build()).unmet == {"get.odd": "not_met: it is completed"}


def test_equal_exchanges_ask_no_judge_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a mutant answers an exercise like the reference does, the verdicts are reused without calling a judge."""
    bench = Bench(SERVERS, (toys.STREAM,), build())
    monkeypatch.setattr(
        "harness.engine.execute.PlayedExercise.observe", lambda *_: pytest.fail("a judge was asked")
    )
    assert bench.row("toy", build(forgets=True)).killers == ()


def test_our_own_errors_are_told() -> None:
    """A judge that raises is an error of the matrix, and not a kill."""
    row = Bench(SERVERS, (toys.BUGGY,), build()).row("toy", build(status="failed"))
    assert row.killers == ()
    assert "fell over" in row.errors[0]
