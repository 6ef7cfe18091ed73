"""Foreign servers whose cancel does something else, and such whose cancel is odd but right."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, Run

pytestmark = pytest.mark.slow

CANCELS = ("cancel.ok", "cancel.state", "cancel.stays", "cancel.shows-output")


class Swallows(ForeignService):
    """Answers a cancel with 200 and the interaction, and lets the run go on."""

    lasts = 3.0

    def cancel(self, run: Run) -> Json:
        return self.show(run)


class SwallowsBriefly(Swallows):
    """Does so too; its runs last long enough to notice only if much is asked for."""

    def length_of(self, body: Json) -> float:
        return 3.0 if "ten thousand" in str(body["input"]) else 0.5


class EchoesOn(Swallows):
    """Swallows the cancel; a run takes a fiftieth of a second for each word of its input."""

    def length_of(self, body: Json) -> float:
        return len(str(body["input"]).split()) / 50


class EchoesUntilCancelled(ForeignService):
    """Correct; its runs take as long, and a cancel stops them."""

    length_of = EchoesOn.length_of


class SaysCancelled(ForeignService):
    """Says that the run is cancelled, and lets it go on."""

    lasts = 1.0

    def cancel(self, run: Run) -> Json:
        return {**self.show(run), "status": "cancelled"}


class AnswersBare(ForeignService):
    """Cancels, but leaves out of its answer what GET shows."""

    lasts = 2.0

    def cancel(self, run: Run) -> Json:
        return {**super().cancel(run), "steps": [], "usage": None}


class TakesItsTime(ForeignService):
    """Correct, but odd: the cancel takes effect a second after its answer."""

    lasts = 4.0

    def cancel(self, run: Run) -> Json:
        if run.status != "in_progress":
            raise Refused(400, "failed_precondition", "It is over.")
        threading.Timer(1.0, lambda: setattr(run, "cancelled_at", time.monotonic())).start()
        return self.show(run)


class EndsAtOnce(ForeignService):
    """Correct, but odd: its runs last a quarter of a second, so that a cancel comes too late."""

    lasts = 0.25

    def cancel(self, run: Run) -> Json:
        run.begun = float("-inf")
        return self.show(run)


def found(service: ForeignService) -> tuple[dict[str, str], Any]:
    """The checks of cancel that are not green, and the report."""
    report = check(service, *CANCELS)
    return report.faults, report


def test_a_cancel_that_does_nothing_is_a_failure() -> None:
    """A run that is in progress seconds after an accepted cancel and then completes was not cancelled."""
    faults, report = found(Swallows())
    assert faults == {"cancel.state": "fail"}
    assert report.messages["cancel.state"] == ["the cancel was accepted, but the run continued"]
    assert report.exit == 1


def test_a_run_that_was_too_short_is_tried_again_with_a_longer_one() -> None:
    """A server whose short answers hide the defect is asked for a long one."""
    for service in (SwallowsBriefly(), EchoesOn()):
        assert found(service)[0] == {"cancel.state": "fail"}
    assert found(EchoesUntilCancelled())[0] == {}


def test_an_answer_that_says_cancelled_is_held_to_it() -> None:
    """No race explains a run that was answered as cancelled and completes."""
    faults, _ = found(SaysCancelled())
    assert faults == {"cancel.state": "fail"}


def test_an_answer_without_the_output_is_a_warning() -> None:
    """GET shows output and usage that the answer of the cancel leaves out."""
    faults, report = found(AnswersBare())
    assert faults == {"cancel.shows-output": "warn"}
    assert report.codes["cancel.shows-output"] == ["cancel.shows-output/steps", "cancel.shows-output/usage"]


def test_a_cancel_that_takes_a_second_is_right() -> None:
    """An accepted cancel may take effect a little later."""
    assert found(TakesItsTime())[0] == {}


def test_a_run_that_ends_before_its_cancel_is_no_failure() -> None:
    """Where no run lasts long enough, nothing is claimed."""
    faults, report = found(EndsAtOnce())
    assert faults == {}
    assert report.verdicts["cancel.state"] == "untestable"
