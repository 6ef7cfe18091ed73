"""Readings of one stream are compared alike, whether all of a resumed one is known or only its next event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.contract import compare_steps, load
from harness.contract.judge.history.interactions import PartialReading, Timeline, judge_short, take_events
from harness.contract.transcript import compare, judge_repeat, shape_of
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
    "the event of the cursor once more": ([WHOLE[AT], *REST], Severity.BROKEN),
    "the event of the cursor with another text": ([delta(AT, "ONE"), *REST], Severity.BROKEN),
    "two events too early": (WHOLE[AT - 1 :], Severity.BROKEN),
    "a lost event": ([REST[0], *REST[2:]], Severity.BROKEN),
    "a lost end": (REST[:-1], Severity.BROKEN),
    "another split": ([delta(3, "tw"), delta(9, "o"), *REST[1:]], Severity.NON_STRICT),
    "members that no revision lists": ([{**event, "x_note": {"later": True}} for event in REST], None),
    "another text": ([delta(3, "zwei"), *REST[1:]], Severity.BROKEN),
}
"""What came after the cursor, and how bad that is; None if it is right."""


@pytest.mark.parametrize("name", CASES)
def test_both_comparisons_say_the_same(name: str) -> None:
    """With everything known, and event by event, a rest is found right, leniently right, or wrong."""
    came, severity = CASES[name]
    rest = compare(WHOLE, AT, came, load())
    broken = bool(rest.missing or rest.extra or rest.reordered or rest.repeated)
    assert (Severity.BROKEN if broken else Severity.NON_STRICT if rest.resplit else None) == severity

    timeline = Timeline(list(WHOLE), whole=True)
    reading = PartialReading(AT + 1, after="ev_2")
    findings = [found for event in came for found in take_events(timeline, reading, [event]).findings]
    findings += judge_short(timeline, reading).findings
    worst = {finding.severity for finding in findings}
    assert (Severity.BROKEN if Severity.BROKEN in worst else next(iter(worst), None)) == severity


def test_a_repeated_event_without_content_is_lenient() -> None:
    """A client that keeps every event has nothing twice by it."""
    assert [judge_repeat(event) for event in (WHOLE[1], WHOLE[AT])] == [Severity.NON_STRICT, Severity.BROKEN]


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
    ("first", "severity"),
    [
        (REST[0], None),
        (PING, None),
        (WHOLE[AT], Severity.BROKEN),
        (delta(AT, "other"), Severity.BROKEN),
        (WHOLE[0], Severity.BROKEN),
    ],
)
def test_where_a_reading_begins(first: Event, severity: Severity | None) -> None:
    """A resumed reading begins after its cursor, with the event of the cursor, or before."""
    judgement = take_events(Timeline([*WHOLE], whole=True), PartialReading(AT + 1, "ev_2"), [first])
    found = [one.severity for one in judgement.findings if one.rule == "resume.exclusive"]
    assert found == [severity] * (severity is not None)


# --- two answers are equal if they mean the same, and otherwise the place of each difference is reported


OUT = {"type": "model_output", "content": [{"type": "text", "text": "ab"}]}
INPUT = {"type": "user_input", "content": [{"type": "text", "text": "q"}]}
THOUGHT = {"type": "thought", "signature": "c2ln"}


def text(*pieces: str) -> dict[str, Any]:
    """An answer whose text has several parts."""
    return {"type": "model_output", "content": [{"type": "text", "text": piece} for piece in pieces]}


SAME: dict[str, tuple[list[Any], list[Any]]] = {
    "nothing": ([], []),
    "identical": ([THOUGHT, OUT], [THOUGHT, OUT]),
    "leading input": ([OUT], [INPUT, OUT]),
    "a timeline of two turns": ([OUT], [INPUT, THOUGHT, text("old"), INPUT, OUT]),
    "a result as input": ([OUT], [INPUT, {"type": "function_result", "call_id": "c", "result": "x"}, OUT]),
    "text in other parts": ([text("a", "b")], [OUT]),
    "empty text": ([text("a", "", "b")], [OUT]),
    "no annotations": ([{**OUT, "content": [{"type": "text", "text": "ab", "annotations": []}]}], [OUT]),
    "empty fields": ([{**OUT, "signature": "", "error": None}], [OUT]),
    "what no event carries": (
        [{"type": "google_search_call", "id": "c"}],
        [{"type": "google_search_call", "id": "c", "search_type": "web_search"}],
    ),
    "a summary without types": (
        [{"type": "thought", "summary": [{"text": "x"}]}],
        [{"type": "thought", "summary": [{"type": "text", "text": "x"}]}],
    ),
}

DIFFERENT: dict[str, tuple[list[Any], list[Any], str]] = {
    "a step is missing": ([THOUGHT, OUT], [THOUGHT], "$.steps[1]"),
    "another text": ([text("ab")], [text("ac")], "$.steps[0].content[0].text from character 1"),
    "half a text": ([text("a")], [text("ab")], "$.steps[0].content[0].text from character 1"),
    "another type": ([THOUGHT], [{**THOUGHT, "type": "processing_call"}], "$.steps[0].type from character 0"),
    "an altered signature": (
        [THOUGHT],
        [{**THOUGHT, "signature": "c2lo"}],
        "$.steps[0].signature from character 3",
    ),
    "no signature": ([THOUGHT], [{"type": "thought"}], "$.steps[0].signature"),
    "not even objects": ([None], [7], "$.steps[0]"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_answer(one: list[Any], other: list[Any]) -> None:
    """Neither how an answer was split into parts nor the input before it makes a difference."""
    assert compare_steps(one, other) == []


@pytest.mark.parametrize(("one", "other", "pointer"), DIFFERENT.values(), ids=DIFFERENT)
def test_another_answer(one: list[Any], other: list[Any], pointer: str) -> None:
    """The first difference is reported with its pointer."""
    difference, *_ = compare_steps(one, other)
    assert difference.pointer == pointer
    assert str(difference).startswith(pointer)


FOLDER = Path(__file__).parents[3] / "schemas" / "2026-05-20" / "events"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_listed_member_of_an_event_is_compared(path: Path) -> None:
    """A member that a revision adds to an event is a loss where only one of two readings has it."""
    members = json.loads(path.read_text("utf-8"))["properties"]
    (kind,) = {members["event_type"].get("const"), *members["event_type"].get("enum", ())} - {None}
    event = {"event_type": kind}
    for name in members.keys() - {"event_type", "event_id", "metadata"}:
        value = {"id": "v1_a", "status": "completed"} if name == "interaction" else "other"
        assert shape_of({**event, name: value}) != shape_of(event), name
