"""Finds out whether streams that were open at the same time got events of each other.

Layer 2. Only the events about an interaction name it, but events of several runs break the order of one. That
accuses only where a stream that nothing ran beside is in order. Must not know how any was sent.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from harness.checks.vocabulary.stream_events import Event, events_in, is_stream, is_whole, stream_id
from harness.contract import PROTOCOL, read
from harness.outcome import Finding, Severity
from harness.wire import Exchange

_ORDER = "id-constant created-once start-before stop-once no-interleave index-reuse completed-last evid-unique"
_OF_ONE_RUN = frozenset(f"stream.{name}" for name in _ORDER.split())
"""Rules that events of several runs break when they come in one stream."""


def judge_mixture(rule: str, streams: Sequence[Exchange], alone: Exchange) -> Iterator[Finding]:
    """A stream must bring no event of another one; `alone` is one that nothing ran beside."""
    opened = {number: stream for number, stream in enumerate(streams) if is_stream(stream)}
    told = {number: stream_id(events_in(stream)) for number, stream in opened.items()}
    ordered = is_stream(alone) and is_whole(alone) and not _list_disorder(alone)
    for number, stream in opened.items():
        own = told[number]
        foreign = _find_foreign(events_in(stream), {*told.values()} - {own, ""})
        disorder = _list_disorder(stream) if ordered else []
        if foreign or disorder:
            yield Finding.from_code(
                f"{rule}/mixed",
                "a stream contains events of a parallel stream",
                f"the events of {own or 'one interaction'}, in the order of a single stream",
                f"events of {foreign}" if foreign else disorder[0].message,
            ).at(exchange=f"opened[{number}]")


def _find_foreign(events: Sequence[Event], others: Container[str]) -> str:
    """The first id in the events that is one of another stream; "" if there is none."""
    return next((name for event in events if (name := PROTOCOL.stream_id(event)) and name in others), "")


def _list_disorder(stream: Exchange) -> list[Finding]:
    """What is wrong with the order of a stream, as far as it came."""
    found = read(stream).findings
    return [one for one in found if one.rule in _OF_ONE_RUN and one.severity is Severity.BROKEN]
