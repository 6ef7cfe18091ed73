"""How a check turns the findings of its judge into an observation."""

from __future__ import annotations

import inspect

import pytest

from harness.kit.check import Check, Send, Together, exercise, play_each, stop_exercise
from harness.outcome import Because, Finding, HarnessFault, Observation, Outcome, Severity, Unmet, Where
from harness.rules import BY_ID
from harness.wire import Request

BROKEN = Finding("", "wrong")
INFORMATION = Finding("", "odd", severity=Severity.INFORMATION)


@exercise(requests=0)
def nothing(t):
    """An exercise that sends nothing."""
    yield from ()
    return {}


def check_of(judge, about="") -> Check:
    """A check whose judge is `judge`."""
    row = {"rule": BY_ID["create.ok"], "title": "a title", "profile": "core", "exercise": nothing}
    return Check(**row, judge=judge, wants=tuple(inspect.signature(judge).parameters), about=about)


def test_a_finding_gets_the_rule_and_the_only_exchange():
    """A finding without a rule or place gets the rule of the check and its only exchange."""
    found = check_of(lambda created: [BROKEN]).observe({"created": 1}).findings[0]
    assert (found.rule, found.where.exchange) == ("create.ok", "created")


def test_a_finding_is_about_what_the_check_names():
    """If there are several exchanges, a finding without a place refers to the one named by `about`."""
    observation = check_of(lambda created, got: [BROKEN], about="got").observe({"created": 1, "got": 2})
    assert observation.findings[0].where.exchange == "got"


def test_a_place_that_is_named_stays():
    """A rule and place that the judge names itself are kept."""
    said = Finding("create.id", "wrong", where=Where(exchange="got"))
    assert check_of(lambda created, got: [said]).observe({"created": 1, "got": 2}).findings == (said,)


@pytest.mark.parametrize(
    ("before", "outcome"),
    [([], Outcome.UNTESTABLE), ([INFORMATION], Outcome.UNTESTABLE), ([BROKEN], Outcome.NOT_MET)],
    ids=["nothing", "information", "a breach"],
)
def test_an_unmet_judge_is_untestable_unless_something_was_broken(before, outcome):
    """A missing prerequisite makes a check untestable, but never hides a breach that was found before it."""

    def judge(created):
        yield from before
        raise Unmet("no id", race_lost=True)

    observation = check_of(judge).observe({"created": 1})
    assert observation.outcome is outcome
    assert (observation.because is Because.RACE_LOST) is (outcome is Outcome.UNTESTABLE)


def test_a_stopped_exercise_is_still_judged_by_what_it_has():
    """After an exercise stops early, checks whose exchanges exist are judged; the others are untestable."""
    seen = stop_exercise({"created": 1}, "the create brought no id")
    assert check_of(lambda created: []).observe(seen).outcome is Outcome.MET
    assert check_of(lambda created, got: []).observe(seen) == Observation.untestable("the create brought no id")


def test_a_judge_that_wants_what_its_exercise_never_returns_is_our_fault():
    """A judge parameter that the exercise never returns is a defect of the harness, not an untestable check."""
    with pytest.raises(HarnessFault, match="craeted"):
        check_of(lambda craeted: []).observe({"created": 1})


def test_runs_that_several_parts_watch_go_on_together():
    """Other actions stay in their order, and each part gets the responses to its own requests."""
    one, two, look = (Request("POST", f"/{name}") for name in ("one", "two", "look"))

    def watch(*requests):
        return (yield Together(requests, timeout=9.0, is_idle=True))

    def look_and_watch():
        return [(yield Send(look)), *(yield from watch(two))]

    playing = play_each([watch(one, one), look_and_watch()])
    assert next(playing) == Send(look)
    assert playing.send("looked") == Together((one, one, two), timeout=9.0, is_idle=True)
    with pytest.raises(StopIteration) as ended:
        playing.send(["first", "second", "third"])
    assert ended.value.value == [["first", "second"], ["looked", "third"]]
