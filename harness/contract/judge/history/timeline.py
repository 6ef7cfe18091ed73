"""The law of streams: every reading of a run, from any cursor, gives the same sequence of events.

Layer 1, pure and incremental: a reading is judged event by event, however few of them were read before the reader
hung up. Events of a connection, such as heartbeats, do not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.contract.data.event_diff import Start, find_start, is_split_otherwise
from harness.contract.data.run_events import Event, is_of_the_run, is_same_event
from harness.contract.tables.protocol import ERROR_EVENT, PROTOCOL
from harness.outcome import Finding, Judgement, Severity
from harness.outcome.words import shorten

_SHOWN = ("event_type", "event_id", "index", "delta", "step")


@dataclass(eq=False, slots=True)
class Timeline:
    """The events of one run from the first, as far as seen in any reading.

    `whole`: the last of them completes the run. Those from `pieced_from` on were first seen in a resumed reading,
    so that no other reading confirms them.
    """

    events: list[Event] = field(default_factory=list)
    whole: bool = False
    pieced_from: int | None = None

    def position_after(self, cursor: str) -> int | None:
        """The position after the event with this cursor; None if there is no such event."""
        for number, event in enumerate(self.events):
            if PROTOCOL.cursor(event) == cursor:
                return number + 1
        return None

    def is_pieced(self, position: int) -> bool:
        """Whether the event at `position` was first seen in a resumed reading."""
        return self.pieced_from is not None and position >= self.pieced_from


@dataclass(eq=False, slots=True)
class PartialReading:
    """One reading of a timeline, which may end anywhere.

    `position` is where its next event belongs; None once that is no longer known, and after a difference, because
    all that follows would differ too. `after` is the cursor it was opened with, None for a reading from the start.
    It is `fresh` until its first events arrive, and `read` counts all that did, by which findings name them.
    """

    position: int | None
    after: str | None = None
    fresh: bool = True
    read: int = 0

    @property
    def resumed(self) -> bool:
        """Whether it began after a cursor."""
        return self.after is not None


def take_events(timeline: Timeline, reading: PartialReading, events: Sequence[Event]) -> Judgement:
    """Compare the next events of a reading with the timeline, and append to it those that are new."""
    judgement = Judgement()
    if reading.position is None:
        return judgement
    own = [(number, event) for number, event in enumerate(events, reading.read) if is_of_the_run(event)]
    reading.read += len(events)
    if own and reading.fresh:
        own = _take_first(timeline, reading, own, judgement)
    for number, event in own:
        if not _take(timeline, reading, number, event, judgement):
            return judgement
    timeline.whole = timeline.whole or any(PROTOCOL.completes(event) for _, event in own)
    return judgement


def judge_short(timeline: Timeline, reading: PartialReading) -> Judgement:
    """Judge a reading that came to an orderly end: it must have reached the end of the timeline.

    The finding names the first missing event by its number in the whole stream, and nothing came in its place.
    """
    judgement = Judgement()
    if reading.position is not None and not all(map(_is_passing, timeline.events[reading.position :])):
        rule = _choose_rule(timeline, reading, reading.position)
        missing = PROTOCOL.name_event(timeline.events[reading.position])
        message = f"a stream ended before event {reading.position} of the complete stream"
        judgement.decide(rule, [Finding(rule, message, missing, "nothing").at(event=reading.position)])
        reading.position = None
    return judgement


def _take_first(
    timeline: Timeline, reading: PartialReading, events: list[tuple[int, Event]], judgement: Judgement
) -> list[tuple[int, Event]]:
    """Judge where a resumed reading begins; return the events that remain to be compared."""
    reading.fresh = False
    if not reading.resumed:
        return events
    number, first = events[0]
    repeated = [
        finding.at(event=number) for finding in _judge_beginning(timeline.events[: reading.position], first)
    ]
    judgement.decide("resume.exclusive", repeated)
    if any(finding.severity is Severity.BROKEN for finding in repeated):
        reading.position = None
    return events[1:] if repeated else events


def _take(timeline: Timeline, reading: PartialReading, number: int, event: Event, judgement: Judgement) -> bool:
    """Take one event; return whether the reading can still be compared after it."""
    position = reading.position
    if position is None:
        return False
    if position == len(timeline.events) - 1 and _is_passing(timeline.events[position]) and not _is_passing(event):
        timeline.events.pop()  # the error ended a connection, and the run went on
    elif position < len(timeline.events) and _is_passing(event) and not _is_passing(timeline.events[position]):
        reading.position = None
        return False
    reading.position = position + 1
    if position == len(timeline.events):
        timeline.events.append(event)
        if reading.resumed and timeline.pieced_from is None:
            timeline.pieced_from = position
        return True
    expected = timeline.events[position]
    rule = _choose_rule(timeline, reading, position)
    if is_same_event(event, expected):
        judgement.judged[rule] += 1
        found = list(_judge_cursor(expected, event))
        differs = judgement.decide("resume.ids-stable", [finding.at(event=number) for finding in found])
        if not PROTOCOL.cursor(expected):
            timeline.events[position] = event  # a stream may lack ids; the next one is compared with these
    else:
        difference = _report_difference(reading, rule, position, expected, event)
        differs = judgement.decide(rule, [difference.at(event=number)])
    if differs:
        reading.position = None
    return not differs


def _is_passing(event: Event) -> bool:
    """Whether this is an error without a cursor: it may end one connection, or the run."""
    return event.get("event_type") == ERROR_EVENT and not PROTOCOL.cursor(event)


def _judge_beginning(before: Sequence[Event], event: Event) -> Iterator[Finding]:
    """A resumed reading must not begin with an event at or before its cursor."""
    start = find_start(before, event)
    if start is Start.AFTER:
        return
    once = start is Start.REPEATED
    message = (
        "a resumed stream repeats the event of its cursor" if once else "a resumed stream starts before its cursor"
    )
    severity = Severity.NON_STRICT if once else Severity.BROKEN
    yield Finding("resume.exclusive", message, "what follows the cursor", _format(event), severity=severity)


def _judge_cursor(expected: Event, event: Event) -> Iterator[Finding]:
    one, other = PROTOCOL.cursor(expected), PROTOCOL.cursor(event)
    if one and one != other:
        message = "an event has another event_id in a later stream"
        yield Finding("resume.ids-stable", message, str(one), str(other))


def _report_difference(
    reading: PartialReading, rule: str, position: int, expected: Event, event: Event
) -> Finding:
    one, other = _format(expected), _format(event)
    if is_split_otherwise(event, expected):
        message = f"event {position} is split differently than in an earlier stream"
        lenient = "resume.exclusive" if reading.resumed else "resume.replay"
        return Finding(lenient, message, one, other, severity=Severity.NON_STRICT)
    if rule == "resume.no-gap":
        message = f"event {position} differs between a resumed stream and another"
    else:
        message = f"event {position} differs from an earlier stream"
    return Finding(rule, message, one, other)


def _choose_rule(timeline: Timeline, reading: PartialReading, position: int) -> str:
    return "resume.no-gap" if reading.resumed or timeline.is_pieced(position) else "resume.replay"


def _format(event: Event) -> str:
    shown = {name: event[name] for name in _SHOWN if name in event}
    return shorten(json.dumps(shown, ensure_ascii=False), 160)
