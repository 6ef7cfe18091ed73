"""Checks of event streams: what one stream must look like, and what streaming must not disturb.

Layer 2. The rules of a single stream are judged by `harness.contract`; here they are asked of every kind of stream
a target gives. A kind that it refuses is left out: only the plain text stream is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.checks.actions import Close, Exchanges, Open, Read, Send, Steps
from harness.checks.check import Registry, exercise
from harness.checks.events import (
    Event,
    completion,
    cursor,
    deltas,
    events_in,
    is_stream,
    last_cursor,
    of_kind,
    stream_id,
)
from harness.checks.judging import (
    CLIENT_ERROR,
    SUCCESS,
    at,
    broken,
    expect_status,
    interaction_in,
    of_rule,
    output_steps,
    shown,
)
from harness.checks.running import scripted, whole
from harness.checks.stored import HELLO
from harness.checks.streamed import Streams, streams_of_all_kinds
from harness.checks.target import Target
from harness.contract import Assembler, compare_steps
from harness.contract.rules import BY_ID
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_STREAM = Registry(BY_ID)
CHECKS = _STREAM.checks


@exercise(requests=1, interactions=1)
def a_stream_with_an_error(t: Target) -> Steps:
    """A stream in which the target reports an error."""
    error = {"after": 3, "code": "deadline_exceeded", "message": "The deadline passed.", "fatal": True}
    yield from scripted(t, "stream-error", error_event=error)
    stream = yield from whole(t.create(input=f"{HELLO} (stream-error)", stream=True))
    return {"failing": stream}


@exercise(requests=3, interactions=2)
def a_hang_up(t: Target) -> Steps:
    """A stream its reader leaves after two events, and two calls that follow."""
    stream = yield Open(t.create(input=HELLO, stream=True))
    yield Read(stream, 2)
    left: Exchange = yield Close(stream)
    if not is_stream(left):
        raise Unmet(f"the create brought no stream to leave: {shown(left)}")
    found = stream_id(events_in(left))
    result: Exchanges = {"after": (yield Send(t.create(input=HELLO)))}
    result["looked"] = (yield Send(t.get(found))) if found else None
    return result


# --- the rules of a single stream

TITLES: Mapping[str, str] = {
    "stream.surrogates": "no delta splits a character",
    "stream.framing": "bytes decode as server-sent events",
    "stream.json": "every payload is a JSON object or the sentinel",
    "stream.event-type": "every event has an event_type",
    "stream.name-agrees": "the event line names the event_type",
    "stream.schema": "known events fit their schemas",
    "stream.first": "interaction.created comes first",
    "stream.created-once": "interaction.created comes once",
    "stream.created-status": "interaction.created has an id and in_progress",
    "stream.id-constant": "one id throughout",
    "stream.start-before": "deltas and stops belong to a started step",
    "stream.stop-once": "every started step is stopped once",
    "stream.index-contiguous": "step indices count up from 0",
    "stream.no-interleave": "one step at a time",
    "stream.index-reuse": "no index is started twice",
    "stream.delta-known": "delta types are listed ones",
    "stream.delta-fits": "deltas belong to their step's type",
    "stream.args-join": "argument fragments join to an object",
    "stream.sig-last": "a thought's signature is its last delta",
    "stream.completed-last": "interaction.completed is the last event",
    "stream.terminal": "a stream ends with a completion or an error",
    "stream.completed-status": "the completed status is a settled one",
    "stream.completed-usage": "interaction.completed has usage",
    "stream.completed-no-steps": "interaction.completed leaves the steps to the deltas",
    "stream.done": "a stream ends with [DONE]",
    "stream.done-final": "nothing follows [DONE]",
    "stream.evid-unique": "event ids do not repeat",
}
"""Titles of the rules that one stream can break; a rule that is missing here gets its statement."""

ELSEWHERE = frozenset(
    {
        "stream.equals-get",
        "stream.incremental",
        "stream.error-shape",
        "stream.evid-delta",
        "stream.bg-and-stream",
        "stream.hangup",
    }
)
"""Rules of the area that have a check of their own below."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one of the streams must hold before a rule says anything of them, and who is expected to send it."""

    seen: Callable[[Sequence[Event]], bool]
    lacking: str
    capability: str = "stream"


NEEDS: Mapping[str, Need] = {
    "stream.args-join": Need(
        lambda events: bool(deltas(events, "arguments_delta")), "no stream held an arguments_delta", "functions"
    ),
    "stream.sig-last": Need(
        lambda events: bool(deltas(events, "thought_signature")), "no stream held a thought_signature", "thoughts"
    ),
    "stream.evid-unique": Need(
        lambda events: last_cursor(events) is not None, "no stream held an event_id", "event-ids"
    ),
    "stream.completed-status": Need(
        lambda events: completion(events) is not None, "no stream held interaction.completed"
    ),
    "stream.completed-usage": Need(
        lambda events: completion(events) is not None, "no stream held interaction.completed"
    ),
}
ANY = Need(bool, "no stream held an event")


def _judge_of(rule: str, need: Need) -> Callable[[Exchange, Streams], Iterator[Finding]]:
    def judge(text: Exchange, streams: Streams) -> Iterator[Finding]:
        events_in(text)
        for name, stream in streams.items():
            yield from at(name, of_rule(rule, stream))
        if not any(need.seen(events_in(stream)) for stream in streams.values()):
            raise Unmet(need.lacking)

    return judge


def _register_single_stream_rules() -> None:
    for rule in BY_ID.values():
        if rule.area != "stream" or rule.id in ELSEWHERE:
            continue
        need = NEEDS.get(rule.id, ANY)
        title = TITLES.get(rule.id, rule.statement.rstrip("."))
        register = _STREAM.check(
            rule.id, streams_of_all_kinds, title=title, profile="streaming", requires={"stream", need.capability}
        )
        register(_judge_of(rule.id, need))


_register_single_stream_rules()


# --- the rules that need more than one stream


@_STREAM.check(
    "stream.equals-get",
    streams_of_all_kinds,
    title="the assembled events are what GET stores",
    profile="streaming",
    requires=["stream", "store"],
    accepts=["the same output steps; text joined, fragments concatenated"],
)
def _equals_what_is_stored(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    if not stored:
        raise Unmet("no stream told the id of its interaction")
    for name, answer in stored.items():
        yield from at(name, expect_status(answer, accepts=SUCCESS))
        if answer.status not in SUCCESS:
            continue
        assembler = Assembler()
        for event in events_in(streams[name]):
            assembler.event(event)
        for difference in compare_steps(assembler.steps(), output_steps(interaction_in(answer))):
            yield broken(f"assembled and stored steps differ: {difference}").at(exchange=name)


@_STREAM.check(
    "stream.incremental",
    streams_of_all_kinds,
    title="events arrive one after another",
    profile="streaming",
    requires=["stream"],
    accepts=["more than one arrival before the end"],
)
def _arrives_bit_by_bit(text: Exchange) -> Iterator[Finding]:
    if len(events_in(text)) > 1 and text.arrivals.count < 2:
        yield broken("the whole stream arrived at once", expected="several arrivals", actual="one")


@_STREAM.check(
    "stream.bg-and-stream",
    streams_of_all_kinds,
    title="background and stream together give a stream with an id",
    profile="background",
    requires=["stream", "background"],
)
def _streams_the_background(background: Exchange) -> Iterator[Finding]:
    yield from expect_status(background, accepts=SUCCESS)
    if background.status not in SUCCESS:
        return
    if not is_stream(background):
        yield broken("no event stream", expected="text/event-stream", actual=shown(background))
    elif not stream_id(events_in(background)):
        yield broken("the stream never tells the id of its interaction", expected="an id in interaction.created")


@_STREAM.check(
    "stream.evid-delta",
    streams_of_all_kinds,
    title="every delta of a background stream has an event_id",
    profile="background",
    requires=["stream", "background", "event-ids"],
)
def _deltas_have_cursors(background: Exchange) -> Iterator[Finding]:
    events = events_in(background)
    if not any(cursor(event) for event in events):
        raise Unmet("no event of the background stream carries an event_id")
    bare = [event for event in of_kind(events, "step.delta") if not cursor(event)]
    if bare:
        count = len(of_kind(events, "step.delta"))
        yield broken("deltas without event_id", expected="one on each", actual=f"{len(bare)} of {count} have none")


@_STREAM.check(
    "stream.error-shape",
    a_stream_with_an_error,
    title="an error event holds an object of strings",
    profile="streaming",
    requires=["stream", "script"],
    accepts=["error with code and message as strings", "an error event without details"],
)
def _reports_the_error(failing: Exchange) -> Iterator[Finding]:
    if not of_kind(events_in(failing), "error"):
        yield broken("the failure is not reported in the stream", expected="an error event", actual="none")
    yield from of_rule("stream.error-shape", failing)


@_STREAM.check(
    "stream.hangup",
    a_hang_up,
    title="a reader that leaves hurts no later call",
    profile="streaming",
    requires=["stream"],
    accepts=[
        "the next create succeeds, and the interaction that was left can be read",
        "the interaction that was left is gone: non-strict",
    ],
)
def _survives_a_hang_up(after: Exchange, looked: Exchange | None) -> Iterator[Finding]:
    yield from at("after", expect_status(after, accepts=SUCCESS, notes=(429,)))
    if looked is not None:
        yield from at("looked", expect_status(looked, accepts=SUCCESS, tolerates=CLIENT_ERROR))


@_STREAM.check(
    "resume.foreground",
    streams_of_all_kinds,
    title="a stored foreground interaction streams, or says that it cannot",
    profile="streaming",
    requires=["stream", "store"],
    accepts=["the events again", "any 4xx"],
)
def _replays_the_foreground(text: Exchange, replay: Exchange | None) -> Iterator[Finding]:
    events = events_in(text)
    if replay is None:
        raise Unmet("the stream told no id to ask for")
    yield from expect_status(replay, accepts=range(200, 500))
    if replay.status not in SUCCESS:
        return
    if not is_stream(replay):
        yield broken("stream=true brought no stream", expected="text/event-stream", actual=shown(replay))
    elif completion(events) is not None and completion(events_in(replay)) is None:
        yield broken("the replay ends early", expected="interaction.completed", actual="none")
