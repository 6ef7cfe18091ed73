"""The kill matrix: the whole catalog notices every mutant, and no judge raises on what one answers."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from harness.emulator.mutants import MUTANTS
from harness.interactions.servers import SERVERS
from harness.wire import LogicalClock
from lab import kill_matrix
from lab.kill_matrix import Bench, load_bench
from tests.engine import toys

MUTANTS_BY_AREA: dict[str, list[str]] = defaultdict(list)
for mutant in MUTANTS.values():
    MUTANTS_BY_AREA[mutant.area].append(mutant.id)


@cache
def whole() -> Bench:
    """The bench of the whole catalog, once in this process."""
    return load_bench()


@pytest.mark.thorough
@pytest.mark.parametrize("area", MUTANTS_BY_AREA)
def test_the_whole_catalogue_notices_every_mutant(area: str) -> None:
    rows = {name: whole().play_mutant(name) for name in MUTANTS_BY_AREA[area]}
    assert {name: row.errors for name, row in rows.items() if row.errors} == {}
    survivors = [name for name, row in rows.items() if not row.killers]
    assert not survivors, (
        f"no check notices {', '.join(survivors)}: either it changes nothing, or a check has to look closer"
    )


@pytest.mark.slow
def test_the_reference_breaks_nothing() -> None:
    """On the unchanged emulator no check fails; checks that are not met are untestable."""
    assert [why for why in whole().unmet.values() if not why.startswith("untestable")] == []


@pytest.mark.thorough
def test_asking_every_judge_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is the same without the shortcut that skips judges when the exchanges are equal."""
    some = list(MUTANTS)[::160]
    rows = [whole().play_mutant(name) for name in some]
    monkeypatch.setattr(kill_matrix, "_fingerprint", lambda _: (object(),))
    assert [whole().play_mutant(name) for name in some] == rows


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
    assert Bench(SERVERS, TOYS, build()).row(build(**defect)).killers == killers


def test_unmet_by_the_reference() -> None:
    """A check that the reference itself does not meet is listed with its reason."""
    assert Bench(SERVERS, TOYS, build()).unmet == {"get.odd": "not_met: it is completed"}


def test_our_own_errors_are_told() -> None:
    """A judge that raises is an error of the matrix, and not a kill."""
    row = Bench(SERVERS, (toys.BUGGY,), build()).row(build(status="failed"))
    assert row.killers == ()
    assert "fell over" in row.errors[0]
