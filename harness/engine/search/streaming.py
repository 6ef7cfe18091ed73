"""The law of streams: every reading of a run, from any cursor, gives the same sequence of events.

Layer 4, pure. Events are compared by what they mean to a client: type, cursor, position and content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.contract import PROTOCOL, compare_steps
from harness.engine.search.playing.interaction_model import Event, Known
from harness.outcome import Finding, Severity
from harness.outcome.words import shortened

_TOLD = ("index", "delta", "step")


def meaning(event: Event) -> tuple[Any, ...]:
    """The content of an event, without its cursor."""
    return (event.get("event_type"), *(event.get(name) for name in _TOLD))


def absorb(
    known: Known, position: int, events: Sequence[Event], *, resumed: bool = False, boundary: bool = False
) -> tuple[list[Finding], int | None]:
    """Compare events that begin at `position` with the timeline, and append to it the events that are new.

    `resumed`: the reading began after a cursor. `boundary`: these are its first events. Returns the findings and
    the position after the events; after a difference the position is None, as all that follows would differ too.
    """
    findings: list[Finding] = []
    if boundary and events:
        repeated = _repeated(known.timeline[:position], events[0])
        if repeated is not None:
            findings.append(repeated)
            if repeated.severity is Severity.BROKEN:
                return findings, None
            events = events[1:]
    for event in events:
        if position < len(known.timeline):
            wrong = _difference(known, position, event, resumed=resumed)
            if wrong is not None:
                return [*findings, wrong], None
        else:
            known.timeline.append(event)
            if resumed and known.pieced_from is None:
                known.pieced_from = position
        position += 1
    known.whole = known.whole or any(PROTOCOL.completes(event) for event in events)
    return findings, position


def _repeated(before: Sequence[Event], event: Event) -> Finding | None:
    """The finding on a resumed stream that begins with an event at or before its cursor.

    Repeating just the event of the cursor fits a lenient reading of the reference.
    """
    cursor = PROTOCOL.cursor(event)
    if cursor is None or all(PROTOCOL.cursor(earlier) != cursor for earlier in before):
        return None
    once = PROTOCOL.cursor(before[-1]) == cursor
    message = "a resumed stream repeats the event of its cursor" if once else "a resumed stream begins too early"
    severity = Severity.NON_STRICT if once else Severity.BROKEN
    return Finding("resume.exclusive", message, "what follows the cursor", _show(event), severity=severity)


def _difference(known: Known, position: int, event: Event, *, resumed: bool) -> Finding | None:
    expected = known.timeline[position]
    if meaning(event) == meaning(expected):
        one, other = PROTOCOL.cursor(expected), PROTOCOL.cursor(event)
        if one == other:
            return None
        return Finding(
            "resume.ids-stable", "an event has another event_id when it is read again", str(one), str(other)
        )
    place = f"event {position} of the stream"
    if _split_otherwise(event, expected):
        message = f"{place} is cut otherwise than in an earlier reading"
        return Finding("resume.replay", message, _show(expected), _show(event), severity=Severity.NON_STRICT)
    if resumed or known.pieced(position):
        message = f"{place} is not the same in a resumed reading and in another"
        return Finding("resume.no-gap", message, _show(expected), _show(event))
    return Finding("resume.replay", f"{place} differs from an earlier reading", _show(expected), _show(event))


def _split_otherwise(event: Event, expected: Event) -> bool:
    one, other = PROTOCOL.text_of(event), PROTOCOL.text_of(expected)
    if one is None or other is None or one[0] != other[0] or not one[1] or not other[1]:
        return False
    return one[1].startswith(other[1]) or other[1].startswith(one[1])


def short_of(known: Known, position: int, *, ended: bool, resumed: bool) -> Finding | None:
    """The finding on a reading that ended at `position` without an error although earlier ones went further."""
    if not ended or position >= len(known.timeline):
        return None
    missing = known.timeline[position]
    rule = "resume.no-gap" if resumed or known.pieced(position) else "resume.replay"
    return Finding(rule, "a reading ended before the end of the stream", _show(missing), "the end")


def text_law(known: Known, steps: Sequence[Any]) -> Iterator[Finding]:
    """The text deltas, concatenated, must equal the text of the final steps."""
    streamed = "".join(
        found[1] for event in known.timeline if (found := PROTOCOL.text_of(event)) and found[0].endswith("/text")
    )
    final = "".join(
        str(part.get("text", ""))
        for step in steps if step.get("type") == "model_output"
        for part in step.get("content") or () if isinstance(part, dict) and part.get("type", "text") == "text"
    )  # fmt: skip
    if streamed != final:
        yield Finding(
            "stream.equals-get", "the deltas do not make up the text", repr(final[:80]), repr(streamed[:80])
        )


def same_steps(one: Sequence[Any], other: Sequence[Any], rule: str, what: str) -> Iterator[Finding]:
    """A finding on the first difference between two versions of the same steps, under `rule`."""
    for difference in compare_steps(one, other)[:1]:
        yield Finding(rule, f"{what} at {difference.pointer}", difference.assembled, difference.got)


def _show(event: Event) -> str:
    text = str({name: event.get(name) for name in ("event_type", "event_id", *_TOLD) if name in event})
    return shortened(text, 160)
