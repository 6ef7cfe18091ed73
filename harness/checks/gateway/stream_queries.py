"""What judges of streams ask about a relayed: what each side got, and what became of the events on the way.

Layer 2, pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.gateway.findings import answer_line, answer_of, format_value, notice, succeeded
from harness.checks.gateway.relay_diff import (
    Kind,
    RelayedEvent,
    StreamDifference,
    changes,
    compare_streams,
)
from harness.contract import PROTOCOL, Contract, compare_steps, read
from harness.contract.data.assembly import assemble_steps
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import By, Exchange, Frame
from harness.wire.message import EVENT_STREAM

NO_STREAM = "the upstream sent no stream"
_STILL_COMING = 1.0
"""Seconds since the last byte within which a stream has not stopped."""

_OF_THE_API = ("interaction.", "step.", "error")


def difference(relayed: RelayedExchange) -> StreamDifference:
    """What became of the events of a relayed's stream; computed once per relayed."""
    found = relayed.client.notes.get(__name__)
    if not isinstance(found, StreamDifference):
        found = compare_streams(frames_of(answer_of(relayed)), frames_of(relayed.client))
        relayed.client.notes[__name__] = found
    return found


def frames_of(exchange: Exchange) -> list[Frame]:
    """The complete events that came."""
    return read(exchange).frames


def tells(relayed: RelayedExchange) -> bool:
    """Whether the upstream sent a stream."""
    return relayed.answer is not None and succeeded(relayed.answer) and read(relayed.answer).is_stream


def arrived(relayed: RelayedExchange) -> bool:
    """Whether the client got a stream."""
    return succeeded(relayed.client) and read(relayed.client).is_stream


def held_back(relayed: RelayedExchange) -> bool:
    """Whether the upstream waited for its client, and this one had got nothing when our time was up.

    That is a buffer, and no loss: what it holds would have come after the end.
    """
    client = relayed.client
    return relayed.arrivals == () and client.status is None and client.ending.by is By.LIMIT


def is_unfinished(relayed: RelayedExchange) -> bool:
    """Whether bytes were still coming when our own time was up: what is missing then was not lost."""
    client = relayed.client
    return client.hung and bool(client.arrivals.moments) and client.silence < _STILL_COMING


def lacks_time(relayed: RelayedExchange) -> Unmet:
    """Why nothing can be said of an unfinished stream."""
    return Unmet(
        f"{relayed.name} had not ended at the time limit, after {relayed.client.seconds:.1f} s",
        remedy="with more time (--timeout)",
    )


def no_stream(rule: str, relayed: RelayedExchange) -> Finding:
    """The finding that the client got no stream."""
    return notice(f"{rule}/no-stream", relayed, "no stream arrived", EVENT_STREAM, answer_line(relayed.client))


def touched(found: StreamDifference) -> bool:
    """Whether the events differ in any way."""
    return any((found.changed, found.lost, found.doubled, found.moved, found.invented))


def completes(exchange: Exchange) -> bool:
    """Whether a stream says that its interaction has ended."""
    return any(PROTOCOL.completes(event) for event in read(exchange).events)


def has(exchange: Exchange, data: bytes) -> bool:
    """Whether a stream has an event with this payload."""
    return any(frame.data == data for frame in frames_of(exchange))


def tells_error(exchange: Exchange) -> bool:
    """Whether a stream reports an error, in whatever form."""
    return read(exchange).is_stream and any("error" in event for event in read(exchange).events)


STREAM_WORDS = ("no-stream", "lost", "twice", "moved", "invented", "changed")
"""What can become of a stream: the words after the rule in the codes of findings that compare one."""


def differences(rule: str, relayed: RelayedExchange, found: StreamDifference) -> Iterator[Finding]:
    """What became of the events, as findings; the same text split into other deltas counts leniently."""
    mild = _resplit(found, read(relayed.client).contract)
    for word, what, wanted, some in (
        ("lost", "did not arrive", "", found.lost),
        ("twice", "came twice", "once", found.doubled),
        ("moved", "arrived out of order", "the order of the upstream", found.moved),
        ("invented", "arrived that the upstream did not send", "nothing", found.invented),
    ):
        for severity, those in _by_severity(some, mild):
            message = f"{format_count(len(those), 'event')} {what}"
            first = those[0]
            expected, actual = (wanted, str(first)) if wanted else (str(first), "nothing")
            more: dict[str, Any] = {"severity": severity, "event": first.number}
            yield notice(f"{rule}/{word}", relayed, message, expected, actual, **more)
    if found.changed:
        yield _changed_events(rule, relayed, found, Severity.NON_STRICT if mild else Severity.BROKEN)


def _changed_events(rule: str, relayed: RelayedExchange, found: StreamDifference, severity: Severity) -> Finding:
    """The finding that events were changed; it shows the change that does the most harm."""
    worst = min(
        (
            (change, before)
            for before, after in found.changed
            for change in changes(before.value, after.value, None)
            if change.kind is not Kind.ADDED
        ),
        key=lambda item: item[0].rank,
        default=None,
    )
    count = len(found.changed)
    message = f"{format_count(count, 'event')} {'was' if count == 1 else 'were'} changed"
    if worst is None:
        before, after = found.changed[0]
        shown: dict[str, Any] = {"severity": severity, "event": before.number}
        return notice(f"{rule}/changed", relayed, message, str(before), str(after), **shown)
    change, before = worst
    message += f": {change.pointer.removeprefix('$.')} of {before.kind}"
    after_text = "no such field" if change.kind is Kind.LOST else format_value(change.after)
    shown = {"severity": severity, "event": before.number, "pointer": change.pointer}
    return notice(f"{rule}/changed", relayed, message, format_value(change.before), after_text, **shown)


def _by_severity(some: list[RelayedEvent], mild: bool) -> Iterator[tuple[Severity, list[RelayedEvent]]]:
    weak = [told for told in some if mild or not weighs(told)]
    for severity, those in (
        (Severity.BROKEN, [told for told in some if told not in weak]),
        (Severity.NON_STRICT, weak),
    ):
        if those:
            yield severity, those


def weighs(told: RelayedEvent) -> bool:
    """Whether a client relies on this event; it must manage without the sentinel and events of unknown types."""
    if told.frame.data == PROTOCOL.sentinel:
        return False
    return not told.kind or told.kind.startswith(_OF_THE_API)


def _resplit(found: StreamDifference, contract: Contract) -> bool:
    """Whether only deltas differ, and together they assemble to the same steps."""
    others = [*found.lost, *found.doubled, *found.moved, *found.invented]
    others += [told for pair in found.changed for told in pair]
    if not all(told.value is not None and told.value.get("event_type") == "step.delta" for told in others):
        return False
    sent, got = ([told.value for told in some if told.value is not None] for some in (found.sent, found.got))
    return not compare_steps(assemble_steps(sent, contract), assemble_steps(got, contract))
