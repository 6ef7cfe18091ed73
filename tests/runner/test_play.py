"""Claims about playing one exercise: whose fault it is, what is closed, what is kept as evidence."""

from __future__ import annotations

import pytest

from harness.checks import Check, Exercise
from harness.outcome import Outcome
from harness.runner.ledger import Ledger
from harness.runner.play import Played, play
from harness.transport import ServiceDriver
from harness.wire import By
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
