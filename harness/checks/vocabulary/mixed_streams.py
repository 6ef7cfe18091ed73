"""Finds out whether streams that were open at the same time got events of each other.

Layer 2. Only the events about an interaction name it, but events of several runs break the order of one. That
accuses only where a stream that nothing ran beside is in order. Must not know how any was sent.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from harness.checks.vocabulary.stream_events import events_in, is_stream, is_whole, stream_id
from harness.contract import PROTOCOL, read
from harness.outcome import Finding, Severity
from harness.wire import Exchange

_ORDER = "id-constant created-once start-before stop-once no-interleave index-reuse completed-last evid-unique"
_OF_ONE_RUN = frozenset(f"stream.{name}" for name in _ORDER.split())
"""Rules that events of several runs break when they come in one stream."""


def judge_mixture(rule: str, streams: Sequence[Exchange], alone: Exchange) -> Iterator[Finding]:
    """A stream must bring no event of another one; `alone` is one that nothing ran beside."""
    told = {number: stream_id(events_in(stream)) for number, stream in enumerate(streams) if is_stream(stream)}
    ordered = is_stream(alone) and is_whole(alone) and not _find_disorder(alone)
    for number, own in told.items():
        wrong = _find_foreign(streams[number], {*told.values()} - {own, ""})
        if not wrong and ordered:
            wrong = _find_disorder(streams[number])
        if wrong:
            yield Finding.from_code(
                f"{rule}/mixed",
                "a stream contains events of a parallel stream",
                f"the events of {own or 'one interaction'}, in the order of a single stream",
                wrong,
            ).at(exchange=f"opened[{number}]")


def _find_foreign(stream: Exchange, others: Container[str]) -> str:
    """What a stream has of another one; "" if it has nothing."""
    names = (PROTOCOL.stream_id(event) for event in events_in(stream))
    return next((f"events of {name}" for name in names if name and name in others), "")


def _find_disorder(stream: Exchange) -> str:
    """What is wrong with the order of a stream, as far as it came; "" if nothing is."""
    found = (one for one in read(stream).findings if one.rule in _OF_ONE_RUN)
    return next((one.message for one in found if one.severity is Severity.BROKEN), "")
