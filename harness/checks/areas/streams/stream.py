"""Checks of what each single stream must look like; `stored_streams` compares streams with what is stored.

Layer 2. `harness.contract` judges these rules; here they are applied to every kind of stream that a target
supports. Kinds that it refuses are left out; only the plain text stream is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    of_rule,
)
from harness.checks.vocabulary.stream_events import (
    Event,
    completion,
    deltas,
    events_in,
    last_cursor,
)
from harness.checks.vocabulary.streamed import Streams, streams_of_all_kinds
from harness.contract.rules import BY_ID
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_STREAM = new_registry()
CHECKS = _STREAM.checks


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
    "stream.stop-usage": "the usage of step.stop counts up",
    "stream.delta-known": "delta types are listed ones",
    "stream.delta-fits": "deltas belong to their step's type",
    "stream.args-join": "argument fragments join to an object",
    "stream.sig-last": "a thought's signature is its last delta",
    "stream.completed-last": "interaction.completed is the last event",
    "stream.terminal": "a stream ends with a completion or an error",
    "stream.legacy-names": "events have the names of today",
    "stream.bare-error": "a failure comes as an error event",
    "stream.completed-status": "the completed status is a settled one",
    "stream.completed-usage": "interaction.completed has usage",
    "stream.completed-no-steps": "interaction.completed leaves the steps to the deltas",
    "stream.done": "a stream ends with [DONE]",
    "stream.done-final": "nothing follows [DONE]",
    "stream.closes": "a stream ends after its last event",
    "stream.evid-unique": "event ids do not repeat",
}
"""Titles of the rules that a single stream can break; a rule without a title here gets its statement."""

ACCEPTS: Mapping[str, tuple[str, ...]] = {
    "stream.framing": ("LF, CR or CRLF", "a byte order mark", "comments", "data over several lines"),
    "stream.json": ("an object on one or several lines", "[DONE]"),
    "stream.surrogates": ("pairs that are escaped, and whole", "any other text"),
    "stream.event-type": ("any word; one that is not listed is noted",),
    "stream.name-agrees": ("the same word", "no event line", "`done` beside [DONE]"),
    "stream.schema": ("additional fields", "a step.start that is a shell", "events that are not listed"),
    "stream.first": ("interaction.created", "an error event in its place"),
    "stream.created-once": ("one",),
    "stream.created-status": ("in_progress", "queued", "in a replay any status"),
    "stream.id-constant": ("one id", "an empty one where nothing is stored"),
    "stream.start-before": ("an open step of the same index",),
    "stream.stop-once": ("one stop for each start", "steps that an error, a cut, a failure or a cancel left open"),
    "stream.index-contiguous": ("0, 1, 2 and so on",),
    "stream.no-interleave": ("one open step",),
    "stream.index-reuse": ("another index for each start",),
    "stream.stop-usage": ("a total that stays or grows", "no usage on step.stop"),
    "stream.delta-known": ("the types that the reference lists",),
    "stream.delta-fits": ("the type of the step", "a type that is not listed, of delta or step"),
    "stream.args-join": ("fragments that join to an object", "no fragments: the arguments of the start stand"),
    "stream.sig-last": ("no delta after the signature",),
    "stream.completed-last": ("one, with nothing but [DONE] after it", "an error event in its place"),
    "stream.terminal": ("interaction.completed", "an error event", "a failure in bare JSON (noted)"),
    "stream.legacy-names": ("the names since May 2026", "names that are new"),
    "stream.bare-error": ("an error event", "no failure"),
    "stream.completed-status": ("any status but queued and in_progress",),
    "stream.completed-usage": ("a usage object", "none on what failed or was cancelled"),
    "stream.completed-no-steps": ("no steps", "an empty list", "the very steps that were streamed"),
    "stream.done": ("[DONE], named `done` or not", "none after an error event"),
    "stream.done-final": ("nothing, if [DONE] came",),
    "stream.closes": ("an end of the answer within a few seconds", "silence after [DONE]: non-strict"),
    "stream.evid-unique": ("another id on each event that has one",),
}
"""What passes under each of these rules, in words."""

ELSEWHERE = frozenset(
    {
        "stream.opens",
        "stream.alt-sse",
        "stream.text",
        "stream.equals-get",
        "stream.end-matches-get",
        "stream.incremental",
        "stream.error-shape",
        "stream.evid-delta",
        "stream.bg-and-stream",
        "stream.hangup",
    }
)
"""Rules of this area that have a check of their own, in a neighbouring module."""


@dataclass(frozen=True, slots=True)
class Need:
    """What at least one stream must contain for a rule to be testable, and the capability that provides it."""

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
            yield from at(f"streams[{name}]", of_rule(rule, stream))
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
            rule.id,
            streams_of_all_kinds,
            title=title,
            profile="streaming",
            requires={"stream", need.capability},
            accepts=ACCEPTS.get(rule.id, ()),
            everywhere=True,
        )
        register(_judge_of(rule.id, need))


_register_single_stream_rules()
