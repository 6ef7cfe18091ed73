"""Claims about playing one exercise: whose fault it is, what is closed, what is kept as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from harness.checks import Check, Exercise
from harness.emulator.mutants import MUTANTS
from harness.outcome import Finding, Observation, Outcome
from harness.runner.capabilities import everything
from harness.runner.ledger import Ledger
from harness.runner.plan import load_catalogue
from harness.runner.play import Played, _exchanges_at, play
from harness.runner.targets import TargetOptions, embedded, embedded_settings
from harness.transport import ServiceDriver
from harness.wire import By, Exchange, Request
from tests.runner import toys


def played(exercise: Exercise, service: toys.ToyService | None = None, ledger: Ledger | None = None) -> Played:
    """One exercise against a toy."""
    driver = ServiceDriver(service or toys.ToyService())
    return play(exercise, toys.Target(), driver, ledger or Ledger())


@pytest.mark.parametrize(
    ("check", "outcome", "reason"),
    [
        (toys.CREATE, Outcome.MET, ""),
        (toys.ODD, Outcome.NOT_MET, ""),
        (toys.STREAM, Outcome.MET, ""),
        (toys.UNMET, Outcome.UNTESTABLE, "the target has no x"),
        (toys.RAISES, Outcome.ERROR, "KeyError: 'a bug'"),
        (toys.BUGGY, Outcome.ERROR, "the judge fell over"),
    ],
)
def test_observation(check: Check, outcome: Outcome, reason: str) -> None:
    """An unmet need is untestable; any other exception of an exercise or a judge is our own error."""
    observation = played(check.exercise).observe(check)
    assert observation.outcome is outcome
    assert reason in observation.reason


def test_open_streams_are_hung_up_and_noted() -> None:
    """A stream that an exercise leaves open is closed, and what it created is in the ledger."""
    ledger = Ledger()
    result = played(toys.leave_open, ledger=ledger)
    assert [exchange.ending.by for exchange in result.trail] == [By.CLIENT]
    assert result.observe(toys.LEFT_OPEN).outcome is Outcome.MET


def test_an_exercise_that_returns_nothing_is_our_error() -> None:
    """Forgetting to return the exchanges by name is a fault of the harness, not of the target."""

    @toys.exercise(requests=0)
    def forgets(t: toys.Target) -> toys.Steps:
        yield from ()
        return None  # type: ignore[return-value]

    assert "by name" in played(forgets).observe(toys.CREATE).reason


def test_evidence_is_what_the_judge_looked_at() -> None:
    """A judge is explained by what it saw and the create behind it, a failed exercise by its whole trail."""
    result = played(toys.create_and_get)
    create = result.observe(toys.CREATE)
    assert [e.request.method for e in result.evidence(toys.CREATE, create)] == ["POST"]
    assert [e.request.method for e in result.evidence(toys.ODD, result.observe(toys.ODD))] == ["POST", "GET"]
    failed = played(toys.unmet)
    assert failed.evidence(toys.UNMET, failed.observe(toys.UNMET)) == failed.trail


@dataclass
class Carrier:
    """What a check may keep an exchange in."""

    exchange: Exchange


def exchange(name: str) -> Exchange:
    """A finished exchange that can be told from others."""
    return toys_driver().send(Request("GET", f"/v1beta/interactions/{name}"))


def toys_driver() -> ServiceDriver:
    """A driver to a toy."""
    return ServiceDriver(toys.ToyService())


ONE, TWO, THREE, FOUR = (exchange(name) for name in ("one", "two", "three", "four"))
RESULTS: dict[str, Any] = {
    "polled": [ONE, TWO],
    "forms": {"string": THREE, "list": FOUR},
    "resume after event 3": Carrier(TWO),
    "nested": {"a": [ONE, Carrier(FOUR)]},
    "number": 7,
}


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("polled", [ONE, TWO]),
        ("polled[0]", [ONE]),
        ("polled[1]", [TWO]),
        ("forms", [THREE, FOUR]),
        ("forms[list]", [FOUR]),
        ("resume after event 3", [TWO]),
        ("nested", [ONE, FOUR]),
        ("nested[a]", [ONE, FOUR]),
        ("polled[2]", [ONE, TWO, THREE, FOUR]),
        ("polled[-1]", [ONE, TWO, THREE, FOUR]),
        ("forms[none]", [ONE, TWO, THREE, FOUR]),
        ("number", [ONE, TWO, THREE, FOUR]),
        ("stranger[0]", [ONE, TWO, THREE, FOUR]),
        ("", [ONE, TWO, THREE, FOUR]),
    ],
)
def test_evidence_is_the_place_a_finding_names(place: str, named: list[Exchange]) -> None:
    """An item of a list or mapping is shown alone; where a place leads nowhere the whole trail is."""
    observation = Observation.of([Finding("x.y", "wrong").at(exchange=place)])
    brought = Played(RESULTS, None, (ONE, TWO, THREE, FOUR), 0.0)
    assert list(brought.evidence(toys.UNMET, observation)) == named


@pytest.mark.parametrize("mutant", list(MUTANTS)[::25])
def test_every_place_the_catalogue_names_is_there(mutant: str) -> None:
    """Whatever a check finds and wherever it says it found it, a person can be shown that exchange."""
    target = embedded(TargetOptions()).able(everything()).target
    for exercise in {check.exercise.name: check.exercise for check in load_catalogue()}.values():
        emulator = MUTANTS[mutant].build(embedded_settings())
        result = play(exercise, target, ServiceDriver(emulator, emulator.clock), Ledger())
        for check in (one for one in load_catalogue() if one.exercise is exercise):
            for finding in result.observe(check).findings:
                place = finding.where.exchange
                assert not place or _exchanges_at(result.results or {}, place), f"{check.id}: {place}"
