"""What judges of streams ask about a passage: what each side got, and what became of the events on the way.

Layer 5, pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.benches.gateway.catalogue.findings import answer_line, notice, succeeded
from harness.benches.gateway.catalogue.relay_diff import RelayedEvent, StreamDifference, compare_streams
from harness.benches.gateway.relayed_exchange import Passage
from harness.contract import PROTOCOL, Contract, compare_steps, read
from harness.contract.data.assembly import assemble_steps
from harness.outcome import Finding, Severity
from harness.outcome.words import format_count
from harness.wire import Exchange, Frame
from harness.wire.message import EVENT_STREAM

NO_STREAM = "the upstream sent no stream"
_OF_THE_API = ("interaction.", "step.", "error")


def difference(passage: Passage) -> StreamDifference:
    """What became of the events of a passage's stream; computed once per passage."""
    assert passage.answer is not None
    found = passage.client.notes.get(__name__)
    if not isinstance(found, StreamDifference):
        found = compare_streams(frames_of(passage.answer), frames_of(passage.client))
        passage.client.notes[__name__] = found
    return found


def frames_of(exchange: Exchange) -> list[Frame]:
    """The complete events that came."""
    return read(exchange).frames


def tells(passage: Passage) -> bool:
    """Whether the upstream sent a stream."""
    return passage.answer is not None and succeeded(passage.answer) and read(passage.answer).is_stream


def arrived(passage: Passage) -> bool:
    """Whether the client got a stream."""
    return succeeded(passage.client) and read(passage.client).is_stream


def no_stream(passage: Passage) -> Finding:
    """The finding that the client got no stream."""
    return notice(passage, "no stream arrived", EVENT_STREAM, answer_line(passage.client))


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


def differences(passage: Passage, found: StreamDifference) -> Iterator[Finding]:
    """What became of the events, as findings; the same text split into other deltas counts leniently."""
    mild = _resplit(found, read(passage.client).contract)
    for what, some in (
        ("did not arrive", found.lost),
        ("came twice", found.doubled),
        ("came out of turn", found.moved),
        ("came that nobody upstream sent", found.invented),
    ):
        for severity, those in _by_severity(some, mild):
            message = f"{format_count(len(those), 'event')} {what}"
            arrives = what == "did not arrive"
            first = str(those[0])
            yield notice(
                passage,
                message,
                first if arrives else "",
                "" if arrives else first,
                severity=severity,
                event=those[0].number,
            )
    if found.changed:
        before, after = found.changed[0]
        message = (
            f"{format_count(len(found.changed), 'event')} {'was' if len(found.changed) == 1 else 'were'} changed"
        )
        severity = Severity.NON_STRICT if mild else Severity.BROKEN
        number = before.number
        yield notice(passage, message, str(before), str(after), severity=severity, event=number)


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
    kind = told.value.get("event_type") if told.value is not None else None
    return not isinstance(kind, str) or kind.startswith(_OF_THE_API)


def _resplit(found: StreamDifference, contract: Contract) -> bool:
    """Whether only deltas differ, and together they assemble to the same steps."""
    others = [*found.lost, *found.doubled, *found.moved, *found.invented]
    others += [told for pair in found.changed for told in pair]
    if not all(told.value is not None and told.value.get("event_type") == "step.delta" for told in others):
        return False
    sent, got = ([told.value for told in some if told.value is not None] for some in (found.sent, found.got))
    return not compare_steps(assemble_steps(sent, contract), assemble_steps(got, contract))
