"""The state of a history so far, and the judgment on its current exchange.

Holds the model of each interaction and the certain facts about the target; the modules that judge creates, looks,
cancels and deletes share it. Must not judge anything itself; `PartialReading` alone compares the events of two
readings while they arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, field

from harness.contract.contract import Contract
from harness.contract.judge.agreement import pending_calls
from harness.contract.judge.answer import judge_reply
from harness.contract.tables.protocol import ERROR_EVENT, PROTOCOL, RUNNING, is_settled
from harness.contract.transcript import Event, is_of_the_run, is_same_event, is_split_otherwise, judge_repeat
from harness.outcome import Finding, Judgement, Severity
from harness.outcome.words import shorten
from harness.wire import Exchange


class Intent(Struct, frozen=True, kw_only=True):
    """The caller's intent with a request, where the exchange alone does not show it.

    `refused_by` is the rule by which the request must be rejected. `foreign`: it was sent with the key of another
    project. `legal`: the caller knows that the create is right, so that a rejection breaks a rule. `final`: the
    requested state has had as much time to be visible as the rules allow. `awaited`: the caller has polled for as
    long as a run may take to settle.
    """

    refused_by: str = ""
    foreign: bool = False
    legal: bool = False
    final: bool = True
    awaited: bool = False


PLAIN = Intent()
"""A request that means no more than it says."""


class HistoryState(Struct):
    """The state of one history, judged by `contract`.

    `sole_client`: no other client acts on these interactions, and exchanges come in the order in which they ended.
    `deterministic`: only the client's own requests advance a run. `stores`: the target keeps what it creates.
    `interactions` are in the order in which they were first seen; `given` holds the ids that creates brought.
    """

    contract: Contract
    sole_client: bool
    deterministic: bool
    stores: bool
    interactions: list[InteractionModel] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    judgement: Judgement = field(default_factory=Judgement)
    is_cut: bool = False
    """Whether a limit of the harness cut the response that is judged."""
    _by_id: dict[str, InteractionModel] = field(default_factory=dict)

    def find(self, identity: object) -> InteractionModel | None:
        """The interaction with this id that was seen last; None if there is none."""
        return self._by_id.get(identity) if isinstance(identity, str) else None

    def learn(self, model: InteractionModel) -> InteractionModel:
        """Add an interaction that was not seen before."""
        self.interactions.append(model)
        if model.id:
            self._by_id[model.id] = model
        return model

    def is_certain(self, model: InteractionModel) -> bool:
        """Whether the last status seen still holds: only we advance a run, and have not since that look."""
        return self.sole_client and self.deterministic and not model.read_on

    def decide(self, rule: str, findings: Iterable[Finding] = ()) -> bool:
        """Count a rule as judged and add what is wrong; return whether anything is.

        Nothing is decided by a response that was cut before it ended: what it lacks, its rest may have had.
        """
        return False if self.is_cut else self.judgement.decide(rule, findings)

    def decide_reply(self, rule: str, exchange: Exchange) -> bool:
        """Judge the status of an answer by the row of a rule; return whether anything is wrong."""
        return self.decide(rule.partition("/")[0], judge_reply(rule, exchange))


_SHOWN = ("event_type", "event_id", "index", "delta", "step")


class Timeline(Struct, eq=False):
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


class PartialReading(Struct, eq=False):
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
    if not timeline.events and not reading.resumed:  # the first reading of a run, with which nothing is compared
        timeline.events.extend(filter(is_of_the_run, events))
        timeline.whole = any(map(PROTOCOL.completes, reversed(timeline.events)))
        reading.position, reading.fresh = len(timeline.events), reading.fresh and not timeline.events
        reading.read += len(events)
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
    before, cursor = timeline.events[: reading.position], PROTOCOL.cursor(first)
    if cursor is None or all(PROTOCOL.cursor(earlier) != cursor for earlier in before):
        judgement.decide("resume.exclusive")
        return events
    once = PROTOCOL.cursor(before[-1]) == cursor and is_same_event(before[-1], first)
    message = f"a resumed stream {'repeats the event of' if once else 'starts before'} its cursor"
    severity = judge_repeat(first) if once else Severity.BROKEN
    words = (message, "what follows the cursor", _format(first))
    judgement.decide("resume.exclusive", [Finding("resume.exclusive", *words, severity=severity).at(event=number)])
    if severity is Severity.BROKEN:
        reading.position = None
    return events[1:]


def _take(timeline: Timeline, reading: PartialReading, number: int, event: Event, judgement: Judgement) -> bool:
    """Take one event; return whether the reading can still be compared after it."""
    # One function: it sees each event that a page looks at, and a call more for each is a tenth of that.
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
        one, other = PROTOCOL.cursor(expected), PROTOCOL.cursor(event)
        moved = []
        if one and one != other:
            message = "an event has another event_id in a later stream"
            moved = [Finding("resume.ids-stable", message, str(one), str(other)).at(event=number)]
        differs = judgement.decide("resume.ids-stable", moved)
        if not one:
            timeline.events[position] = event  # a stream may lack ids; the next one is compared with these
    else:
        if not reading.resumed and timeline.is_pieced(position):  # a resume gave what is known, and is judged
            expected, event = event, expected
        later = enumerate(timeline.events[position:] if reading.resumed else ())
        skipped = next((count for count, due in later if is_same_event(event, due)), 0)
        difference = _report_difference(reading, rule, position, expected, event, skipped)
        # what never came is named by its number in the whole stream
        differs = judgement.decide(rule, [difference.at(event=position if skipped else number)])
    if differs:
        reading.position = None
    return not differs


def _is_passing(event: Event) -> bool:
    """Whether this is an error without a cursor: it may end one connection, or the run."""
    return event.get("event_type") == ERROR_EVENT and not PROTOCOL.cursor(event)


def _report_difference(
    reading: PartialReading, rule: str, position: int, expected: Event, event: Event, skipped: int
) -> Finding:
    one, other = _format(expected), _format(event)
    if is_split_otherwise(event, expected):
        message = f"event {position} is split differently than in an earlier stream"
        lenient = "resume.exclusive" if reading.resumed else "resume.replay"
        return Finding(lenient, message, one, other, severity=Severity.NON_STRICT)
    if skipped:
        last = f" to {position + skipped - 1}" if skipped > 1 else ""
        message = f"a resumed stream skips event{'s' * (skipped > 1)} {position}{last} of the whole stream"
        one, other = PROTOCOL.name_event(expected), "nothing"
    elif rule == "resume.no-gap":
        message = f"event {position} of a resumed stream differs from event {position} of the whole stream"
    else:
        message = f"event {position} differs from an earlier stream"
    return Finding(rule, message, one, other)


def _choose_rule(timeline: Timeline, reading: PartialReading, position: int) -> str:
    return "resume.no-gap" if reading.resumed or timeline.is_pieced(position) else "resume.replay"


def _format(event: Event) -> str:
    shown = {name: event[name] for name in _SHOWN if name in event}
    return shorten(json.dumps(shown, ensure_ascii=False), 160)


Json = dict[str, Any]


class InteractionModel(Struct, eq=False):
    """One interaction.

    `status` is the last one seen. `steps` and `usage` are those of the settled run as last seen, and `source` the
    rule that is broken if the next look shows others; it depends on where these came from. `with_input`: that look
    requested the input, too. `updated` is the time of the last change as last seen. `cancelled`: a cancel was
    accepted while it ran; `in_time`: for certain, so that no race explains another end. `read_on`: a stream of it
    was read since the last look, which may have advanced the run. `echoed`: some response named its parent.

    `constant` holds the members that each view of it must repeat, as first seen. `growing` is the output in the
    last look at the run in progress, and `told` that in the response to a cancel. `shown_cancelled`: a look showed
    it as cancelled, not only the response to the cancel. `streamed_only`: no GET showed it. `seen_until` is when
    the last whole look ended, on the caller's clock. `shows_input`: a GET without `include_input` showed the
    input.

    `asked` is the body of its create, and `limited` that this set a limit of tokens. `suspicion` is the rule that
    is broken if the next look shows that it is still running: a response treated it as settled.
    """

    id: str
    background: bool = False
    stored: bool = True
    asked: Json = field(default_factory=dict)
    limited: bool = False
    parent: InteractionModel | None = None
    status: str = ""
    steps: list[Json] | None = None
    usage: Any = None
    source: str = ""
    with_input: bool = False
    updated: object = None
    gone: bool = False
    cancelled: bool = False
    in_time: bool = False
    looks_since_cancel: int = 0
    read_on: bool = False
    echoed: bool = False
    suspicion: str = ""
    constant: Json = field(default_factory=dict)
    growing: Json | None = None
    told: Json | None = None
    shown_cancelled: bool = False
    streamed_only: bool = False
    seen_until: float = float("-inf")
    shows_input: bool = False
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def there(self) -> bool:
        """Whether the target should have it: it is stored, not deleted, and has an id."""
        return self.stored and not self.gone and bool(self.id)

    @property
    def running(self) -> bool:
        """Whether it was in progress at the last look."""
        return self.status in RUNNING

    @property
    def settled(self) -> bool:
        """Whether it had settled at the last look."""
        return is_settled(self.status)

    @property
    def calls(self) -> list[Json]:
        """The function calls that wait for a result."""
        if self.status != "requires_action":
            return []
        return [call for call in pending_calls(self.steps or ()) if isinstance(call.get("id"), str)]

    def forget(self) -> None:
        """Mark it as deleted, and forget all that was known of it."""
        self.gone, self.status, self.steps, self.usage, self.source = True, "", None, None, ""
        self.updated = self.growing = self.told = None
        self.cancelled = self.in_time = self.read_on = self.shown_cancelled = self.streamed_only = False
        self.suspicion, self.timeline, self.constant = "", Timeline(), {}
