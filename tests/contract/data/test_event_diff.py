"""Readings of one stream are compared alike, whether all of a resumed one is known or only its next event."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import load
from harness.contract.data.event_diff import EventDiff, Start, compare, find_start
from harness.contract.judge.history.history_state import PartialReading, Timeline, judge_short, take_events
from harness.outcome import Severity

Event = dict[str, Any]
AT = 2
"""The number of the event after which the readings below are resumed."""


def delta(number: int, text: str) -> Event:
    """A text delta with an event id."""
    body = {"type": "text", "text": text}
    return {"event_type": "step.delta", "event_id": f"ev_{number}", "index": 0, "delta": body}


WHOLE: list[Event] = [
    {
        "event_type": "interaction.created",
        "event_id": "ev_0",
        "interaction": {"id": "v1_a", "status": "in_progress"},
    },
    {"event_type": "step.start", "event_id": "ev_1", "index": 0, "step": {"type": "model_output"}},
    delta(2, "one"),
    delta(3, "two"),
    delta(4, "three"),
    {"event_type": "step.stop", "event_id": "ev_5", "index": 0},
    {
        "event_type": "interaction.completed",
        "event_id": "ev_6",
        "interaction": {"id": "v1_a", "status": "completed"},
    },
]
REST = WHOLE[AT + 1 :]
PING: Event = {"event_type": "ping"}

CASES: dict[str, tuple[list[Event], Severity | None]] = {
    "the rest": (REST, None),
    "the rest after a heartbeat": ([PING, *REST], None),
    "the event of the cursor once more": ([WHOLE[AT], *REST], Severity.NON_STRICT),
    "the event of the cursor with another text": ([delta(AT, "ONE"), *REST], Severity.BROKEN),
    "two events too early": (WHOLE[AT - 1 :], Severity.BROKEN),
    "a lost event": ([REST[0], *REST[2:]], Severity.BROKEN),
    "a lost end": (REST[:-1], Severity.BROKEN),
    "another split": ([delta(3, "tw"), delta(9, "o"), *REST[1:]], Severity.NON_STRICT),
    "another text": ([delta(3, "zwei"), *REST[1:]], Severity.BROKEN),
}
"""What came after the cursor, and how bad that is; None if it is right."""


@pytest.mark.parametrize("name", CASES)
def test_both_comparisons_say_the_same(name: str) -> None:
    """With everything known, and event by event, a rest is found right, leniently right, or wrong."""
    came, severity = CASES[name]
    rest = compare(WHOLE, AT, came, load())
    lenient = rest.repeated or rest.resplit
    broken = bool(rest.missing or rest.extra or rest.reordered)
    assert (Severity.BROKEN if broken else Severity.NON_STRICT if lenient else None) == severity

    timeline = Timeline(list(WHOLE), whole=True)
    reading = PartialReading(AT + 1, after="ev_2")
    findings = [found for event in came for found in take_events(timeline, reading, [event]).findings]
    findings += judge_short(timeline, reading).findings
    worst = {finding.severity for finding in findings}
    assert (Severity.BROKEN if Severity.BROKEN in worst else next(iter(worst), None)) == severity


def test_findings_name_their_event() -> None:
    """What differs has its number in its own connection, heartbeats counted; what is missing, in the whole."""
    timeline = Timeline(list(WHOLE), whole=True)
    reading = PartialReading(AT + 1, after="ev_2")
    take_events(timeline, reading, [PING, REST[0]])
    (found,) = take_events(timeline, reading, [PING, delta(4, "other")]).findings
    assert (found.rule, found.where.event) == ("resume.no-gap", 3)

    (early,) = take_events(timeline, PartialReading(AT + 1, after="ev_2"), [PING, WHOLE[0]]).findings
    assert (early.rule, early.where.event) == ("resume.exclusive", 1)

    short = PartialReading(AT + 1, after="ev_2")
    take_events(timeline, short, REST[:2])
    (missing,) = judge_short(timeline, short).findings
    assert (missing.where.event, missing.actual) == (AT + 3, "nothing")


@pytest.mark.parametrize(
    ("first", "start"),
    [
        (REST[0], Start.AFTER),
        (PING, Start.AFTER),
        (WHOLE[AT], Start.REPEATED),
        (delta(AT, "other"), Start.EARLY),
        (WHOLE[0], Start.EARLY),
    ],
)
def test_where_a_reading_begins(first: Event, start: Start) -> None:
    """A resumed reading begins after its cursor, with the event of the cursor, or before."""
    assert find_start(WHOLE[: AT + 1], first) is start


def test_nothing_is_compared_before_the_run() -> None:
    """A rest of only heartbeats lacks everything."""
    assert compare(WHOLE, AT, [PING], load()) == EventDiff(missing=(3, 4, 5, 6))
