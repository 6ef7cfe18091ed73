"""Judges the requests about one interaction: creates, reads, cancels and deletes, each by what was seen before.

`HistoryState` has the model of each interaction and the certain facts about the target. `HistoryJudge` finds the
interaction and calls the functions below; they change its model, and `judge_create` adds it to the state. A read,
whole or as a stream, must agree with earlier ones. `PartialReading` compares the events of two readings while they
arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness.contract.contract import Contract
from harness.contract.judge import agreement
from harness.contract.judge.answer import (
    CLIENT_ERROR,
    FOREIGN_CHAIN,
    is_refusal,
    is_success,
    judge_incomparable,
    judge_json_object,
    judge_reply,
    judge_stream_label,
)
from harness.contract.judge.body import place_finding
from harness.contract.judge.reading import format_answer, format_value, read
from harness.contract.tables.protocol import ERROR_EVENT, PROTOCOL, RUNNING, SETTLED, is_settled
from harness.contract.transcript import (
    Event,
    as_steps,
    assemble_steps,
    count_given,
    is_of_the_run,
    is_same_event,
    is_split_otherwise,
    judge_repeat,
    output_of,
    output_steps,
    text_of,
)
from harness.outcome import Finding, Judgement, Severity
from harness.outcome.words import shorten
from harness.wire import Exchange, bodies
from harness.wire.bodies import objects_in, read_instant


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
        """Whether the last status seen still holds: only we advance a run, and have not since that GET."""
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
    rule that is broken if the next GET shows others; it depends on where these came from. `with_input`: that GET
    requested the input, too. `updated` is the time of the last change as last seen. `cancelled`: a cancel was
    accepted while it ran; `in_time`: for certain, so that no race explains another end. `read_on`: a stream of it
    was read since the last GET, which may have advanced the run. `echoed`: some response named its parent.

    `constant` holds the members that each view of it must repeat, as first seen, and `moments` the seconds of each
    `created` that was shown. `growing` is the output in the
    last GET of the run in progress, and `told` that in the response to a cancel. `shown_cancelled`: a GET showed
    it as cancelled, not only the response to the cancel. `streamed_only`: no GET showed it. `seen_until` is when
    the last whole GET ended, on the caller's clock. `shows_input`: a GET without `include_input` showed the
    input. `given` is how many steps of it the last GET with `include_input` showed.

    `asked` is the body of its create, and `limited` that this set a limit of tokens. `suspicion` is the rule that
    is broken if the next GET shows that it is still running: a response treated it as settled.
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
    given: int = 0
    updated: object = None
    gone: bool = False
    cancelled: bool = False
    in_time: bool = False
    gets_since_cancel: int = 0
    read_on: bool = False
    echoed: bool = False
    suspicion: str = ""
    constant: Json = field(default_factory=dict)
    moments: set[int] = field(default_factory=set)
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
        """Whether it was in progress at the last GET."""
        return self.status in RUNNING

    @property
    def settled(self) -> bool:
        """Whether it had settled at the last GET."""
        return is_settled(self.status)

    @property
    def calls(self) -> list[Json]:
        """The function calls that wait for a result."""
        if self.status != "requires_action":
            return []
        return [call for call in agreement.pending_calls(self.steps or ()) if isinstance(call.get("id"), str)]

    def forget(self) -> None:
        """Mark it as deleted, and forget all that was known of it."""
        self.gone, self.status, self.steps, self.usage, self.source = True, "", None, None, ""
        self.updated = self.growing = self.told = None
        self.cancelled = self.in_time = self.read_on = self.shown_cancelled = self.streamed_only = False
        self.suspicion, self.timeline, self.constant, self.moments = "", Timeline(), {}, set()


def judge_create(state: HistoryState, exchange: Exchange, intent: Intent) -> None:
    """Judge the answer to a create, and learn what it created."""
    request = dict(bodies.as_object(bodies.loads(exchange.request.body).value))
    parent = state.find(request.get("previous_interaction_id"))
    if intent.foreign:
        state.decide_reply(FOREIGN_CHAIN if "previous_interaction_id" in request else "store.isolation", exchange)
        return
    if intent.refused_by:
        state.decide_reply(intent.refused_by, exchange)
    elif state.sole_client and intent.legal:
        _judge_status(state, exchange, request, parent)
    if not is_success(exchange):
        return
    model = _learn(state, exchange, request, parent)
    if not intent.refused_by and (parent is None or parent.there):
        _judge_accepted(state, exchange, request, model)


def _judge_status(state: HistoryState, exchange: Exchange, request: Json, parent: InteractionModel | None) -> None:
    """Judge the status of the response to a legal create by the rule about it, if there is one."""
    if exchange.status in {*CLIENT_ERROR, 501} and not request.keys() <= _PROMISED:
        return  # it asks for something that a target need not offer
    if parent is None:
        rule = "bg.create" if request.get("background") is True else "create.ok"
    elif parent.gone:
        rule = "del.chain-after"
    elif not parent.stored:
        rule = "store.false-chain"
    elif parent.running:
        rule = "chain.running"
        if is_success(exchange) and not state.is_certain(parent):
            parent.suspicion = rule
            return
    elif _brings_results(request):
        rule = "tool.result-ok"
    elif parent.status != "completed":
        return
    else:
        rule = "chain.after-settled" if parent.background else "chain.ok"
    may_be_empty = rule in ("del.chain-after", "store.false-chain", "chain.running")
    if state.decide_reply(rule, exchange) or not exchange.succeeded or may_be_empty or is_success(exchange):
        return
    actual = format_answer(exchange)
    state.decide(rule, [Finding(rule, "a valid create was rejected", "an interaction", actual)])


_PROMISED = frozenset(
    {"model", "agent", "input", "stream", "background", "store", "previous_interaction_id", "tools"}
)
"""The members of a create that rules promise something of; only a target that calls functions is sent `tools`."""


def _brings_results(request: Json) -> bool:
    given = request.get("input")
    steps = bodies.objects_in(given if isinstance(given, list) else [given])
    return any(step.get("type") == "function_result" for step in steps)


def _learn(
    state: HistoryState, exchange: Exchange, request: Json, parent: InteractionModel | None
) -> InteractionModel:
    """Record a new interaction, as the answer to its create shows it."""
    reading = read(exchange)
    identity = reading.id or ""
    if identity:
        state.decide("create.id-unique", agreement.judge_new_id(state.given, identity))
        state.given.add(identity)
    known = state.find(identity)
    if known is not None and not state.sole_client:
        return known
    model = state.learn(InteractionModel(identity, request.get("background") is True, parent=parent))
    model.asked = request
    model.stored = state.stores and request.get("store") is not False
    model.limited = any(
        isinstance(config := request.get(name), dict) and config.get(limit) is not None
        for name, limit in (("generation_config", "max_output_tokens"), ("agent_config", "max_total_tokens"))
    )
    model.status = reading.status or ""
    if reading.stream is not None:
        model.streamed_only = True
        state.decide("bg.transition", agreement.judge_changes(reading.stream.statuses))
        for event in reading.events:
            if isinstance(shown := event.get("interaction"), dict):
                judge_constant(state, model, shown)
        state.judgement.add(take_events(model.timeline, open_reading(model, None), reading.events))
        if model.settled and model.timeline.whole:
            model.steps, model.source = assemble_steps(model.timeline.events, state.contract), "stream.equals-get"
    elif reading.interaction is not None:
        body = reading.interaction
        model.updated = body.get("updated")
        judge_constant(state, model, body)
        if model.status not in RUNNING:
            model.steps, model.source = bodies.as_list(body.get("steps")), "get.matches-post"
            model.usage = body.get("usage")
    return model


def _judge_accepted(state: HistoryState, exchange: Exchange, request: Json, model: InteractionModel) -> None:
    if not state.sole_client:
        return
    body, stream, parent = read(exchange).interaction, read(exchange).stream, model.parent
    if request.get("stream") is True:
        state.decide("http.ct-stream", judge_stream_label(exchange))
    else:
        state.decide("create.no-stream-json", judge_json_object(exchange))
    if model.stored:
        # Whether the answer names what it stored. A reader that drops early has only the first event for that.
        rule = "bg.create" if model.background else "create.id"
        began = None if stream is None else stream.created
        if stream is None or began is not None or not stream.findings:  # else they say why no event names it
            state.decide(rule, agreement.judge_id(rule, model.id if began is None else began.get("id")))
    if parent is not None and model.stored:
        state.decide("chain.ok", agreement.judge_own_id("chain.ok", model.id, parent.id))
    if parent is not None and body is not None:
        model.echoed = body.get("previous_interaction_id") == parent.id
        if parent.steps:
            state.decide("chain.own-steps", agreement.judge_own_steps({"steps": parent.steps}, body))
    if body is not None and not model.background:
        state.decide("create.final", agreement.judge_settled("create.final", body))
    # Events that cannot be read are reported, and leave no steps to judge.
    whole = body is not None or (model.timeline.whole and not any(judge_incomparable(exchange)))
    _judge_output(state, request, model, streamed=body is None, whole=whole)


def _judge_output(
    state: HistoryState, request: Json, model: InteractionModel, *, streamed: bool, whole: bool
) -> None:
    """Whether the steps that were seen fit the status with which the run ended."""
    steps = model.steps or []
    if whole and model.status == "completed" and request.keys() <= _PROMISED and not _brings_results(request):
        rule = "create.completed-has-output"
        found = list(agreement.judge_result({"steps": steps}, rule))
        if model.background and not streamed:  # one that did not wait for the run has no other fault
            found = [replace(one, cause="bg.at-once") for one in found]
        state.decide(rule, found)
    earlier, turn = bodies.objects_in(request.get("input")), model.parent
    while turn is not None:
        earlier, turn = [*earlier, *bodies.objects_in(turn.steps)], turn.parent
    own = [step for step in output_of(bodies.objects_in(steps)) if step.get("type") == "function_call"]
    if earlier and own:
        state.decide("tool.ids-unique", agreement.judge_call_ids(own, earlier))
    if model.settled:
        judge_calls(state, model, {"status": model.status, "steps": steps}, whole=whole, streamed=streamed)
    if model.settled and agreement.pending_calls(steps):
        rule = "tool.stream-status" if streamed else "tool.requires-action"
        state.decide(rule, agreement.judge_waiting(rule, model.status, steps))


def judge_cancel(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a cancel."""
    if not model.there:
        state.decide_reply("del.cancel-after" if model.gone else "cancel.unknown", exchange)
    elif model.running and model.background:
        _judge_in_time(state, model, exchange)
    elif model.settled:  # it is refused, or changes nothing
        if model.status != "cancelled":
            rule = "cancel.settled" if model.background else "cancel.foreground"
            state.decide(rule, [*judge_reply(rule, exchange), *judge_late_cancel(rule, exchange)])
        if is_success(exchange) and read(exchange).status is not None:
            _judge_kept(state, model, exchange)


def judge_cancel_view(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the run in the answer to a cancel, where other clients may have changed it before."""
    body = read(exchange).interaction
    if body is None or state.decide(
        "bg.same-id", agreement.judge_identity("bg.same-id", model.id, body.get("id"))
    ):
        return
    judge_constant(state, model, body)
    if model.settled:
        _judge_kept(state, model, exchange)


def _judge_in_time(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the cancel of a run that was in progress at the last GET: it is cancelled, or had just ended."""
    if is_refusal(exchange) and not state.is_certain(model):
        model.suspicion = "cancel.ok"
        return
    if not is_success(exchange):
        message, actual = "a run in progress cannot be canceled", format_answer(exchange)
        state.decide("cancel.ok", [Finding.from_code("cancel.ok/refused", message, "2xx", actual)])
        return
    status = read(exchange).status
    body = read(exchange).interaction
    wrong = state.decide("cancel.ok", judge_cancel_answer(exchange, model.id))
    judge_constant(state, model, body or {})
    if body is not None and not wrong:
        model.told = body
        if model.growing is not None:
            state.decide("bg.grows", agreement.judge_own_output(body, model.growing))
    if status is None:
        model.cancelled = True
        return
    # It may still show a run in progress, because the cancel may take effect a little later.
    if status in RUNNING | {"cancelled"} or state.is_certain(model):
        model.cancelled, model.in_time = True, state.deterministic or status == "cancelled"
    if model.cancelled and status not in RUNNING:
        state.decide("cancel.state", agreement.judge_cancelled(status))
    is_over = is_settled(status) and status != "requires_action"
    if status == "cancelled" or (is_over and not model.cancelled):  # a GET shows no other end than this one
        model.status = status


def judge_cancel_answer(exchange: Exchange, identity: str) -> Iterator[Finding]:
    """The body that answers an accepted cancel must be the interaction; one that was cut lacks nothing."""
    reading = read(exchange)
    if reading.status is None and exchange.complete:
        actual = format_answer(exchange)
        message = "the response is not an interaction"
        yield Finding.from_code("cancel.ok/no-interaction", message, "an object with a status", actual)
    elif (shown := (reading.interaction or {}).get("id")) not in (None, identity):
        yield Finding.from_code(
            "cancel.ok/another", "the response is another interaction", identity, format_value(shown)
        )


def _judge_kept(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the status that a cancel shows of what was over before."""
    status = read(exchange).status
    rule = "cancel.keeps-background-result" if model.background else "cancel.keeps-result"
    message = "a cancel changed a settled run"
    changed = Finding(rule, message, format_value(model.status), format_value(status))
    state.decide(rule, [changed] if status != model.status else [])


def judge_late_cancel(rule: str, exchange: Exchange) -> Iterator[Finding]:
    """The answer to a cancel that comes too late must not say that it succeeded."""
    status, actual = read(exchange).status, format_answer(exchange)
    if status == "cancelled":
        yield Finding(rule, "a cancel returned a settled run as `cancelled`", "a refusal", actual)
    elif exchange.succeeded and status is None:
        message, severity = "accepted without an interaction", Severity.INFORMATION
        yield Finding(rule, message, "a refusal", actual, severity=severity)


def judge_delete(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a delete."""
    if not model.there:
        state.decide_reply("del.twice" if model.gone else "del.unknown", exchange)
        return
    if model.running:
        state.decide_reply("del.running", exchange)
    else:
        state.decide("del.ok", [*judge_reply("del.ok", exchange), *judge_deleted(exchange)])
    if is_success(exchange):
        model.forget()


def judge_deleted(exchange: Exchange) -> Iterator[Finding]:
    """The answer to a delete need not say anything."""
    if exchange.succeeded and exchange.body.strip() and read(exchange).json != {}:
        message, actual = "the response has more fields than necessary", format_answer(exchange)
        yield Finding("del.ok", message, "{} or no body", actual, severity=Severity.NON_STRICT)


GRACE = 5
"""How many GETs may show the old status after a cancel that came in time; elsewhere a caller waits."""


def judge_get(state: HistoryState, model: InteractionModel, exchange: Exchange, intent: Intent) -> None:
    """Judge a GET of one interaction."""
    if not model.there:
        _judge_absent(state, exchange, intent, "del.gone" if model.gone else "store.false-get")
        return
    body = read(exchange).interaction
    if state.sole_client and intent.final:
        rule = "cancel.get-after" if model.status == "cancelled" else "get.ok"
        if not state.decide_reply(rule, exchange) and body is None:
            actual = format_answer(exchange)
            state.decide(rule, [Finding(rule, "a GET returned no interaction", "the interaction", actual)])
    if not is_success(exchange) or body is None:
        return
    if state.decide("bg.same-id", agreement.judge_identity("bg.same-id", model.id, body.get("id"))):
        return
    judge_constant(state, model, body)
    updated, model.updated = model.updated, body.get("updated")
    if updated is not None and model.updated is not None:
        state.decide("bg.updated", agreement.judge_updated([{"updated": updated}, body]))
    _judge_own_input(state, model, body, exchange)
    before = model.status
    judge_status(state, model, read(exchange).status or "", intent)
    told, model.told = model.told, None
    if told is not None:
        state.decide("bg.grows", agreement.judge_own_output(told, body))
    growing, model.growing = model.growing, body if model.running else None
    if growing is not None and output_steps(growing) and model.status not in agreement.CUT_SHORT:
        state.decide("bg.grows", agreement.judge_growth(growing, body))
    if state.sole_client and model.background and model.status in SETTLED:
        state.decide("bg.settles")
    elif state.sole_client and model.background and intent.awaited and model.running:
        state.decide("bg.settles", agreement.judge_end_status("bg.settles", model.status))
    if state.sole_client and model.parent is not None and not model.echoed:
        model.echoed = not state.decide("chain.echo", agreement.judge_echo(model.parent.id, [body]))
    if model.settled and is_settled(read(exchange).status or ""):  # else only a stream has shown its end
        with_input = (exchange.request.parameter("include_input") or "").lower() == "true"
        _judge_read_output(state, model, before, body, with_input)


def judge_early_get(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a GET that returned before the stream of the create ended: its status may be older than that."""
    body = read(exchange).interaction
    if body is not None and is_success(exchange):
        if state.decide("bg.same-id", agreement.judge_identity("bg.same-id", model.id, body.get("id"))):
            return
        judge_constant(state, model, body)
        _judge_own_input(state, model, body, exchange)


def _judge_own_input(
    state: HistoryState, model: InteractionModel, body: dict[str, Any], exchange: Exchange
) -> None:
    """Judge the input that a GET shows: it is that of the create, and what was shown once stays."""
    with_input = (exchange.request.parameter("include_input") or "").lower() == "true"
    if not state.sole_client or "input" not in model.asked:
        return
    if given := agreement.list_given(body):
        model.shows_input |= not with_input
        place = "$.input" if body.get("input") else "$.steps"
        found = list(agreement.judge_own_input(model.asked["input"], given, place))
        settled = with_input and read(exchange).status not in RUNNING
        if settled and 0 < model.given < len(given):
            message = (
                "a GET with `include_input=true` shows more input than the one before it: it adds to the steps"
            )
            words = (message, f"{model.given} as before", str(len(given)))
            found.append(place_finding("get.own-input/grows", *words, place))
        model.given = len(given) if settled else model.given
        state.decide("get.own-input", found)
        return
    # A server may show the input of settled runs alone, and a GET may be older than the one before it.
    shows_steps = isinstance(body.get("steps"), list) and read(exchange).status not in RUNNING
    if model.shows_input and not with_input and shows_steps:
        message, expected = "GET no longer shows the input", "the input, as in an earlier GET"
        lost = place_finding("get.own-input/lost", message, expected, "none", "$.steps")
        state.decide("get.own-input", [lost])


def _judge_absent(state: HistoryState, exchange: Exchange, intent: Intent, rule: str) -> None:
    """Judge the answer to a GET of what is not there, or should not be; what is found now was stored."""
    settled = intent.final or (rule == "store.false-get" and is_success(exchange))
    if state.sole_client and state.stores and settled:
        state.decide_reply(rule, exchange)


def judge_constant(state: HistoryState, model: InteractionModel, body: dict[str, Any]) -> None:
    """Judge the identity of an interaction: each view must repeat that of the first one."""
    if (created := read_instant(body.get("created"))) is not None:
        model.moments.add(int(created.timestamp()))
    if any(name in body and name in model.constant for name in agreement.CONSTANT):
        state.decide("get.constant", agreement.judge_constant(model.constant, body, len(model.moments)))
    shown = {name: body[name] for name in (*agreement.CONSTANT, "status") if body.get(name)}
    settles = is_settled(str(body.get("status"))) and not is_settled(str(model.constant.get("status", "")))
    if settles:  # whatever was shown before it, a server may stamp the times when a run ends
        model.constant = {name: value for name, value in model.constant.items() if name != "created"} | shown
    else:
        model.constant = shown | model.constant


def judge_status(
    state: HistoryState, model: InteractionModel, status: str, intent: Intent, *, streamed: bool = False
) -> None:
    """Judge a status that was shown: it must be able to follow the last one and reflect a cancel.

    `streamed`: by a stream. For a moment a GET may show the state before an end that only a stream has shown.
    """
    before, was_streamed_only, model.read_on = model.status, model.streamed_only, False
    if model.streamed_only and model.settled and status in RUNNING and not state.deterministic:
        return
    model.status, model.streamed_only = status, streamed
    if model.cancelled:
        _judge_cancelled(state, model, before, intent)
    elif before and status:
        # A stream that ended with a pending call had the wrong status, which is judged there.
        may_wait = was_streamed_only and status == "requires_action"
        if not (may_wait and agreement.pending_calls(assemble_steps(model.timeline.events, state.contract))):
            state.decide(agreement.rule_of_change(before), agreement.judge_changes((before, status)))
    suspicion, model.suspicion = model.suspicion, ""
    if suspicion and model.running:  # else the run may have settled before the request came: nothing is proven
        state.decide(suspicion, [Finding(suspicion, _SUSPICIONS[suspicion], "a settled run", status)])


_SUSPICIONS = {
    "chain.running": "a run in progress was continued",
    "cancel.ok": "a cancel was rejected, and the run continues",
}


def _judge_cancelled(state: HistoryState, model: InteractionModel, before: str, intent: Intent) -> None:
    status = model.status
    was_shown, model.shown_cancelled = model.shown_cancelled, model.shown_cancelled or status == "cancelled"
    if before == "cancelled" and (was_shown or state.deterministic or status not in RUNNING):
        state.decide("cancel.stays", agreement.judge_stays((before, status)))
    elif status == "cancelled":
        state.decide("cancel.state")
    elif is_settled(status) and status != "failed" and not model.in_time:
        model.cancelled = False
    else:  # for a few GETs it may be the status of before
        model.gets_since_cancel += 1
        late = intent.awaited or (intent.final and model.in_time and model.gets_since_cancel > GRACE)
        if late or is_settled(status):
            state.decide("cancel.state", agreement.judge_cancelled(status))


def _judge_read_output(
    state: HistoryState, model: InteractionModel, before: str, body: dict[str, Any], with_input: bool
) -> None:
    if before == model.status or not is_settled(before):
        _compare_output(state, model, body, with_input)
    if state.sole_client and model.background and model.status == "completed":
        own = drop_history(state, model, body)
        cut = model.limited and state.decide("create.cut-short", agreement.judge_cut_short(own))
        if not cut:
            known = {"steps": model.steps} if model.source == "get.same" else None
            lost = list(agreement.judge_result(own, known=known))
            if state.decide("bg.result", lost) and lost[0].code == "bg.result/lost":
                return  # later GETs are compared with the last one that had it
    if state.sole_client:
        judge_calls(state, model, body)
    model.steps, model.usage, model.source = _read_steps(body), body.get("usage"), "get.same"
    model.with_input = with_input


def judge_calls(
    state: HistoryState,
    model: InteractionModel,
    body: dict[str, Any],
    *,
    whole: bool = True,
    streamed: bool = False,
) -> None:
    """Judge the calls of a settled run by the request of its create; `whole`: these are all its steps."""
    body = drop_history(state, model, body)
    steps = output_steps(body)
    if any(step.get("type") == "function_call" for step in steps):
        cause = "tool.stream-call" if streamed else ""
        lacking = [replace(found, cause=cause) for found in agreement.judge_call_fields(steps)]
        state.decide("tool.call-fields", lacking)
        state.decide("tool.declared", agreement.judge_declared(model.asked, steps))
    config = model.asked.get("generation_config")
    is_forced = isinstance(config, dict) and config.get("tool_choice") == "any"
    declares = any(tool.get("type") == "function" for tool in objects_in(model.asked.get("tools")))
    if whole and body.get("steps") and model.status not in agreement.CUT_SHORT and is_forced and declares:
        state.decide("tool.choice-any", agreement.judge_forced(body))


def _compare_output(state: HistoryState, model: InteractionModel, body: dict[str, Any], with_input: bool) -> None:
    if model.status == "cancelled" and not state.deterministic:  # what it has cost may be counted a moment later
        return
    known = {"steps": model.steps, "usage": model.usage}
    if model.source == "get.same":
        early = model.background and model.status == "completed"
        if early and state.decide("bg.result", agreement.judge_completed_early(known, body)):
            return
        shown = {"steps": _read_steps(body), "usage": body.get("usage")}
        same_question = model.with_input == with_input  # else the steps differ by the input
        state.decide("get.same", agreement.judge_same(known, shown, known if same_question else ("usage",)))
        if not same_question:
            state.decide("get.same", agreement.judge_same_output("get.same", known, body))
    elif model.source == "stream.equals-get" or (not model.source and model.timeline.whole):
        _compare_with_stream(state, model, body)
    elif model.source:
        one, other = (drop_history(state, model, view) for view in (known, body))
        state.decide(model.source, agreement.judge_same_output(model.source, one, other))
        state.decide("get.usage", agreement.judge_same_usage(known, body))


def drop_history(state: HistoryState, model: InteractionModel, body: dict[str, Any]) -> dict[str, Any]:
    """A body without the steps that the create sent, if they do not end on a turn of the user.

    The output of a run begins after the last step of the user. But a history may end on a step of the model, or on
    the result of a function, which the output of an agent has, too: only the create distinguishes them.
    """
    steps = _read_steps(body)
    given = model.asked.get("input")
    if not steps or not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return body
    sent = as_steps(given, state.contract.contents)
    if len(sent) <= count_given(steps) or len(sent) > len(steps):
        return body
    for own, shown in zip(sent, steps, strict=False):  # what is shown may have more members than what was sent
        names = ("id", "call_id", "name", "signature")
        if (
            not isinstance(shown, dict)
            or own.get("type") != shown.get("type")
            or any(own.get(name) not in (None, shown.get(name)) for name in names)
            or text_of(own.get("content")) != text_of(shown.get("content"))
        ):
            return body
    return {**body, "steps": steps[len(sent) :]}


def _read_steps(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    steps = body.get("steps")
    return steps if isinstance(steps, list) else None


def _compare_with_stream(state: HistoryState, model: InteractionModel, body: dict[str, Any]) -> None:
    """Compare what the whole stream of an interaction adds up to with what GET shows."""
    if model.status in agreement.CUT_SHORT and not state.deterministic:  # a stream that was cut short shows less
        return
    streamed, body = assemble_steps(model.timeline.events, state.contract), drop_history(state, model, body)
    pieced = model.timeline.pieced_from is not None  # no other reading shows what a resumed one had to bring

    def decide(rule: str, findings: Iterable[Finding]) -> bool:
        return state.decide(rule, (replace(one, cause="resume.no-gap") if pieced else one for one in findings))

    if model.status == "completed":
        decide("stream.text", agreement.judge_streamed_text(streamed, body))
    told = decide("tool.stream-call", agreement.judge_streamed_calls(streamed, body))
    told |= decide("stream.signature", agreement.judge_streamed_signatures(streamed, body))
    if not told:
        decide("stream.equals-get", agreement.judge_streamed_steps(streamed, body))
    ends = [event.get("interaction") for event in model.timeline.events if PROTOCOL.completes(event)]
    if ends and isinstance(ends[-1], dict):
        decide("stream.end-matches-get", agreement.judge_streamed_end(ends[-1], body))


# --- as a stream


def open_reading(model: InteractionModel, cursor: str | None) -> PartialReading:
    """A reading that begins after `cursor`, or at the first event."""
    position = 0 if cursor is None else model.timeline.position_after(cursor)
    return PartialReading(position, cursor)


def judge_stream_get(
    state: HistoryState, model: InteractionModel, exchange: Exchange, cursor: str | None, intent: Intent
) -> None:
    """Judge a GET with stream=true, from the start or after `cursor`, as far as it was read."""
    if not model.there:
        _judge_absent(state, exchange, intent, "del.gone-stream" if model.gone else "store.false-get")
    elif read(exchange).stream is None or not is_success(exchange):
        unknown = read(exchange).stream is not None and open_reading(model, cursor).position is None
        if exchange.succeeded and not unknown and model.background and not model.cancelled:
            _judge_no_stream(state, model, exchange, cursor)  # a success that is none is wrong at any moment
        elif state.sole_client:
            judge_unopened(state, model, exchange, cursor, intent)
    else:
        reading = open_reading(model, cursor)
        judge_part(state, model, reading, read(exchange).events)
        judge_end(state, model, reading, exchange)


def judge_part(
    state: HistoryState, model: InteractionModel, reading: PartialReading, events: list[dict[str, Any]]
) -> None:
    """Judge the next events of a reading."""
    model.read_on = True
    if model.there:
        state.judgement.add(take_events(model.timeline, reading, events))


def judge_end(state: HistoryState, model: InteractionModel, reading: PartialReading, exchange: Exchange) -> None:
    """Judge how a reading ended, once all its events were judged."""
    stream = read(exchange).stream
    if exchange.truncated or stream is None or not model.there:
        return
    state.decide(_rule_of_opening(model, reading.after))
    if (named := read(exchange).id) is not None:
        nameless = any(shown is not None and shown.get("id") == "" for shown in (stream.created, stream.completed))
        found = agreement.judge_identity("resume.same-id", model.id, "" if nameless else named)
        state.decide("resume.same-id", found)
    for event in read(exchange).events:
        if isinstance(shown := event.get("interaction"), dict):
            judge_constant(state, model, shown)
    over = stream.completed is not None or (stream.whole and not reading.resumed)
    took_effect = model.cancelled and (model.in_time or model.status == "cancelled")
    if (
        over
        and took_effect
        and state.decide("cancel.stream-ends", agreement.judge_cancelled_end(read(exchange).events))
    ):
        return
    if reading.position is None:
        return
    if stream.whole:
        short = judge_short(model.timeline, reading)
        state.judgement.add(short)
        if short.findings:
            return
    if stream.completed is not None:
        judge_status(state, model, str(stream.completed.get("status", "")), PLAIN, streamed=True)
        if model.timeline.whole and model.steps is not None and model.source != "stream.equals-get":
            _compare_with_stream(state, model, {"steps": model.steps, "usage": model.usage})


def judge_unopened(
    state: HistoryState, model: InteractionModel, exchange: Exchange, cursor: str | None, intent: Intent
) -> None:
    """Judge a GET with stream=true that opened no stream of an existing interaction."""
    if not intent.final or (cursor is not None and model.timeline.position_after(cursor) is None):
        return
    refused = model.background or not is_refusal(exchange)
    if not state.decide_reply(_rule_of_opening(model, cursor), exchange) and refused:
        _judge_no_stream(state, model, exchange, cursor)


def _judge_no_stream(state: HistoryState, model: InteractionModel, exchange: Exchange, cursor: str | None) -> None:
    rule, message = _rule_of_opening(model, cursor), "GET opens no stream, although the interaction exists"
    state.decide(rule, [Finding(rule, message, "an event stream", format_answer(exchange))])


def _rule_of_opening(model: InteractionModel, cursor: str | None) -> str:
    if not model.background:
        return "resume.foreground"
    return "resume.opens" if cursor is None else "resume.live"
