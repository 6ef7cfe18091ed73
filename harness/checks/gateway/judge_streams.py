"""Judges of what streams contain: events, their ids and names, their text, and whose stream they belong to."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from msgspec.structs import replace

from harness.checks.gateway import relay_diff as relay
from harness.checks.gateway.client import name_operation
from harness.checks.gateway.findings import answer_line, answer_of, find_relayed, is_miscoded, notice, told_by
from harness.checks.gateway.judge_requests import answer_changes, find_new_defect, request_changes
from harness.checks.gateway.upstream_answers import STRANGER, TRAITS, UNKNOWN_TYPE
from harness.contract import read
from harness.contract.transcript import assemble_steps, steps_text
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count, list_some
from harness.wire import By, Exchange

_TYPE = re.compile(r'"event_type": ?"([^"]*)"')


def events(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each event arrived once and in order, and none was invented.

    What became of the same kind of event in several streams is reported once, the worst first.
    """
    same: dict[tuple[str, ...], list[Finding]] = {}
    unfinished: list[RelayedExchange] = []
    comparable = told_by(exchanges, lambda one: relay.tells(one) and not relay.held_back(one), relay.NO_STREAM)
    for relayed in (one for one in comparable if not _is_left_to_another_rule(one)):
        if relay.is_unfinished(relayed):
            unfinished.append(relayed)
            continue
        for finding in _judge_events(relayed):
            # The text of an event is cut, so its type is looked for and not parsed; a long one may lack it.
            lost = (one.kind for one in relay.difference(relayed).lost if one.number == finding.where.event)
            shown = _TYPE.search(finding.expected or finding.actual)
            kind = finding.where.pointer or (shown[1] if shown else next(lost, ""))
            same.setdefault((finding.stable_code, finding.severity, kind), []).append(finding)
    for alike in same.values():
        more = f" (also in {format_count(len(alike) - 1, 'other stream')})" if len(alike) > 1 else ""
        if all(traits := [TRAITS.get(one.where.exchange, "") for one in alike]):
            more = f": only in {' and '.join(traits)}"
        yield replace(alike[0], message=alike[0].message + more, weight=len(alike))
    if unfinished and not same:
        raise relay.lacks_time(unfinished[0])


_IN_PART = ("truncation.", "bare.", "hang_up.", "resume.first")
"""Streams that end early, or of which other rules judge some events: only their text is compared here."""
_IN_PARALLEL = ("crowd.", "busy.stream-")
"""Streams beside others: `gw.crowd` judges their ends. How many events are in flight at a cut depends on time."""


def _is_left_to_another_rule(relayed: RelayedExchange) -> bool:
    """Whether nothing came to compare here, or the gateway has its own cursors, so that it may cut elsewhere."""
    if is_miscoded(relayed.client):
        return True
    if relayed.name.startswith((*_IN_PART, *_IN_PARALLEL)):
        return not relay.arrived(relayed) or _was_cut_on_the_way(relayed)
    cursors = [one.request.parameter("last_event_id") for one in (relayed.client, answer_of(relayed))]
    return cursors[0] != cursors[1]


def _judge_events(relayed: RelayedExchange) -> Iterator[Finding]:
    if not relay.arrived(relayed):
        yield relay.no_stream("gw.events", relayed)
        return
    if relayed.name.startswith(_IN_PART):
        sent, got = _text_of(answer_of(relayed)), _text_of(relayed.client)
        if not sent.startswith(got) and not got.startswith(sent):
            message = "the text of a stream is not the text that the upstream sent"
            yield notice("gw.events/changed", relayed, message, sent, got)
        return
    found = _without_strangers(relay.difference(relayed))
    wrong = list(relay.differences("gw.events", relayed, found))
    rounded = (
        (one, change)
        for one, other in found.kept
        for change in relay.changes(one.value, other.value, None)
        if change.kind is relay.Kind.ROUNDED
    )
    for one, change in islice(rounded, 1):
        message = f"the number {change.pointer.removeprefix('$.')} of {one.kind} was rounded"
        shown = str(change.before), str(change.after)
        place: dict[str, Any] = {"pointer": change.pointer, "event": one.number}
        mild = Severity.NON_STRICT
        wrong.append(notice("gw.events/rounded", relayed, message, *shown, severity=mild, **place))
    yield from wrong
    if not wrong:
        yield from find_new_defect("gw.events/invalid", relayed)


def _without_strangers(found: relay.StreamDifference) -> relay.StreamDifference:
    """A difference without events and fields that no client knows: `gw.unknown-event` and its like judge those."""
    changed = [
        (one, other)
        for one, other in found.changed
        if any(
            not change.pointer.startswith(_STRANGE_FIELD) for change in relay.changes(one.value, other.value, None)
        )
    ]
    return dataclasses.replace(found, lost=[one for one in found.lost if not _is_strange(one)], changed=changed)


_STRANGE_FIELD = f"$.{STRANGER}"


def _is_strange(event: relay.RelayedEvent) -> bool:
    return event.kind == UNKNOWN_TYPE


def _text_of(exchange: Exchange) -> str:
    reading = read(exchange)
    return steps_text(assemble_steps(reading.events, reading.contract))


def _list_arrived(
    exchanges: Sequence[RelayedExchange], otherwise: str = "no stream reached the client"
) -> Iterator[RelayedExchange]:
    return told_by(exchanges, lambda one: relay.tells(one) and relay.arrived(one), otherwise)


def event_ids(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Events that had an id still have one; a different id is fine as long as it is unique."""
    for relayed in _list_arrived(exchanges, "no stream with ids reached the client"):
        kept = [(one, other) for one, other in relay.difference(relayed).kept if one.cursor is not None]
        lost = [one for one, other in kept if other.cursor is None]
        if lost:
            message = f"{format_count(len(lost), 'event')} lost their event_id"
            first = lost[0]
            yield notice("gw.event-ids/lost", relayed, message, first.cursor or "", "no id", event=first.number)
        given = [other.cursor for _, other in kept if other.cursor is not None]
        if len(set(given)) < len(given):
            message = "several events have the same event_id"
            yield notice("gw.event-ids/shared", relayed, message, "an id each", str(given[-1]))


def event_names(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Events kept their `event:` lines."""
    for relayed in _list_arrived(exchanges):
        found = relay.difference(relayed)
        pairs = [(one, other) for one, other in found.kept if one.frame.event is not None]
        wrong = [(one, other) for one, other in pairs if one.frame.event != other.frame.event]
        if wrong:
            one, other = wrong[0]
            message = f"{len(wrong)} of {len(pairs)} events lost their event: line"
            yield notice("gw.event-names", relayed, message, _name(one), _name(other), event=one.number)


def _name(event: relay.RelayedEvent) -> str:
    return (
        "no such line" if event.frame.event is None else f"event: {event.frame.event.decode('utf-8', 'replace')}"
    )


def unknown_event(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """An event of an unknown type was passed on."""
    for relayed in _list_arrived(exchanges):
        for event in relay.difference(relayed).lost:
            if _is_strange(event):
                message = "the gateway dropped an event of an unknown type"
                yield notice("gw.unknown-event", relayed, message, str(event), "no such event", event=event.number)


def unknown_event_field(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """An unknown field of an event was passed on."""
    for relayed in _list_arrived(exchanges):
        poorer = [
            one
            for one, other in relay.difference(relayed).changed
            if any(
                change.pointer.startswith(_STRANGE_FIELD) for change in relay.changes(one.value, other.value, None)
            )
        ]
        if poorer:
            message = f"{format_count(len(poorer), 'event')} lost an unknown field"
            at: dict[str, Any] = {"pointer": _STRANGE_FIELD, "event": poorer[0].number}
            yield notice("gw.unknown-event-field", relayed, message, STRANGER, "no such field", **at)


def broken_frame(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """A frame that cannot be parsed was passed on, or the stream failed; it was not skipped."""
    relayed = find_relayed(exchanges, "stream.broken-frame", relay.NO_STREAM)
    if not relay.tells(relayed):
        raise Unmet(relay.NO_STREAM)
    skipped = [event for event in relay.difference(relayed).lost if event.value is None and relay.weighs(event)]
    if skipped and relay.completes(relayed.client) and not relay.tells_error(relayed.client):
        message = "the gateway skipped an event that it could not parse, and the stream looks complete"
        event = skipped[0]
        yield notice("gw.broken-frame", relayed, message, str(event), "interaction.completed", event=event.number)


def utf8(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Characters survived chunks that end inside them."""
    whole = find_relayed(exchanges, "stream.create", relay.NO_STREAM)
    relayed = find_relayed(exchanges, "stream.bytes", relay.NO_STREAM)
    if not relay.tells(relayed) or not relay.arrived(whole) or relay.touched(relay.difference(whole)):
        raise Unmet("the gateway also changes streams whose chunks split no event")
    if relay.is_unfinished(relayed):
        raise relay.lacks_time(relayed)
    if not relay.arrived(relayed):
        yield relay.no_stream("gw.utf8", relayed)
    elif relay.touched(found := relay.difference(relayed)):
        yield from relay.differences("gw.utf8", relayed, found)


def judge_isolation(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Two streams at the same time did not mix."""
    both = list(
        told_by(
            exchanges,
            lambda one: relay.tells(one) and relay.arrived(one),
            "fewer than two streams reached the client",
        )
    )
    for relayed, other in zip(both, reversed(both), strict=True):
        if relayed is other:
            raise Unmet("only one of two streams reached the client")
        word = other.name.rpartition(".")[2].encode()
        strange = [frame for frame in read(relayed.client).frames if word in frame.data]
        if strange:
            actual = strange[0].data.decode("utf-8", "replace")
            yield notice("gw.isolated", relayed, f"events of another stream arrived ({len(strange)})", "", actual)


_TOO_MANY = frozenset({429, 503})
"""With these a gateway says that it has a limit, which is its right."""


def judge_crowd(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Of several streams at the same time, each came through to its end, or was refused for a limit.

    Streams that wait for another request (`busy`) may have to wait for their turn: only their ends are judged.
    """
    through = list(told_by(exchanges, relay.arrived, "none of the parallel streams reached the client"))
    for relayed in exchanges:
        client, number = relayed.client, sum(one.name.startswith(relayed.name.split(".")[0]) for one in exchanges)
        if relayed not in through and client.status not in _TOO_MANY and relayed.name.startswith("crowd."):
            message = f"one of {number} parallel streams was not opened"
            yield notice("gw.crowd/refused", relayed, message, "the stream, or 429", answer_line(client))
        elif relayed in through and _was_cut_on_the_way(relayed):
            message = f"one of {number} parallel streams was truncated, but not upstream"
            yield notice("gw.crowd/cut", relayed, message, "the whole stream", client.ending.words)


def _was_cut_on_the_way(relayed: RelayedExchange) -> bool:
    """Whether only the client's side was dropped, not the upstream's: a gateway may disconnect there, too."""
    client, answer = relayed.client, relayed.answer
    if client.complete or client.ending.by is not By.SERVER or answer is None:
        return False
    return answer.complete or answer.ending.by is not By.SERVER


def additions(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The gateway adds no field to creates, responses or events; each has one finding, which names the fields."""
    found: dict[str, tuple[RelayedExchange, set[str]]] = {}
    for relayed in exchanges:
        places = [("a create", request_changes(relayed))]
        places.append((f"the response to a {name_operation(relayed.client.request)}", answer_changes(relayed)))
        if relay.tells(relayed) and relay.arrived(relayed):
            for one, other in relay.difference(relayed).kept:
                places.append(("an event", list(relay.changes(one.value, other.value, None))))
        for place, some in places:
            for change in some:
                if change.kind is relay.Kind.ADDED:
                    found.setdefault(place, (relayed, set()))[1].add(change.pointer)
    for place, (relayed, pointers) in found.items():
        shown = list_some(sorted(pointers), 20)
        yield notice("gw.additions", relayed, f"added to {place}: {shown}")
