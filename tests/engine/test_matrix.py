"""The kill matrix: which check notices which mutant, without asking a judge twice about the same exchanges."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine.kill_matrix import Bench, Matrix
from harness.interactions import INTERACTIONS
from harness.wire import LogicalClock
from tests.engine import toys

CATALOGUE = (toys.CREATE, toys.GET, toys.STREAM, toys.ODD)


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
    assert Bench(INTERACTIONS, CATALOGUE, build()).row("toy", build(**defect)).killers == killers


def test_unmet_by_the_reference() -> None:
    """A check that the reference itself does not meet is listed with its reason."""
    bench = Bench(INTERACTIONS, CATALOGUE, build())
    assert bench.unmet == {"get.odd": "not_met: it is completed"}


def test_equal_exchanges_ask_no_judge_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a mutant answers an exercise like the reference does, the verdicts are reused without calling a judge."""
    bench = Bench(INTERACTIONS, (toys.STREAM,), build())
    monkeypatch.setattr(
        "harness.engine.execute.PlayedExercise.observe", lambda *_: pytest.fail("a judge was asked")
    )
    assert bench.row("toy", build(forgets=True)).killers == ()


def test_our_own_errors_are_told() -> None:
    """A judge that raises is an error of the matrix, and not a kill."""
    row = Bench(INTERACTIONS, (toys.BUGGY,), build()).row("toy", build(status="failed"))
    assert row.killers == ()
    assert "fell over" in row.errors[0]


def test_survivors_and_unproved_checks() -> None:
    """Mutants that no check notices, and checks that kill no mutant, can be read from the matrix."""
    matrix = Matrix({"m1": ("a",), "m2": ()}, ("a", "b"), {}, {})
    assert matrix.survivors == ("m2",)
    assert matrix.without_killer == ("b",)
