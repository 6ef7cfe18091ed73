"""Claims about the kill matrix: who notices whom, told without asking judges twice."""

from __future__ import annotations

from typing import Any

import pytest

from harness.runner.matrix import Bench, Matrix
from harness.wire import LogicalClock
from tests.runner import toys

CATALOGUE = (toys.CREATE, toys.GET, toys.STREAM, toys.ODD)


class ToyEmulator(toys.ToyService):
    """A toy with the clock that an emulator has."""

    def __init__(self, **defects: Any) -> None:
        super().__init__(**defects)
        self.clock = LogicalClock()


def build(**defects: Any) -> Any:
    """What makes one toy with these defects, again and again."""
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
    """A check kills when it is broken by the mutant and was not by the reference; untestable kills nothing."""
    assert Bench(CATALOGUE, build()).row("toy", build(**defect)).killers == killers


def test_unmet_by_the_reference() -> None:
    """A check that the reference itself breaks is named, with its reason."""
    bench = Bench(CATALOGUE, build())
    assert bench.unmet == {"get.odd": "not_met: it is completed"}


def test_equal_exchanges_ask_no_judge_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exercise that a mutant answers like the reference keeps the reference's verdicts."""
    bench = Bench((toys.STREAM,), build())
    monkeypatch.setattr("harness.runner.play.Played.observe", lambda *_: pytest.fail("a judge was asked"))
    assert bench.row("toy", build(forgets=True)).killers == ()


def test_our_own_errors_are_told() -> None:
    """A judge that falls over is an error of the matrix, not a kill."""
    row = Bench((toys.BUGGY,), build()).row("toy", build(status="failed"))
    assert row.killers == ()
    assert "fell over" in row.errors[0]


def test_survivors_and_unproved_checks() -> None:
    """What nobody notices, and what notices nobody, are read off the matrix."""
    matrix = Matrix({"m1": ("a",), "m2": ()}, ("a", "b"), {}, {})
    assert matrix.survivors == ("m2",)
    assert matrix.without_killer == ("b",)
