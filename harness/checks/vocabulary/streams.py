"""Streams for judges and exercises: their events, and the differences from the expected ones.

Pure, and safe on any input: only a JSON object counts as an event. The contract judges whether the events are
well-formed and in order, and `contract.transcript` finds the differences; this module puts them in the words of a
check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.checks.vocabulary.expect import expect_status, finding, lenient_finding, note, require_answer
from harness.contract import PROTOCOL, read
from harness.contract.judge.answer import SUCCESS, judge_output_types
from harness.contract.judge.reading import format_answer, format_ending, format_request, format_value
from harness.contract.tables.protocol import CREATED_EVENT
from harness.contract.transcript import EventDiff, is_of_the_run, judge_repeat, shape_of
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, Frame, bodies

Event: TypeAlias = dict[str, Any]


def is_stream(exchange: Exchange) -> bool:
    """Return whether the answer is a 2xx event stream, by its media type or, if that is wrong, by its body."""
    return exchange.status in SUCCESS and read(exchange).is_stream


def is_empty_stream(exchange: Exchange) -> bool:
    """Whether the answer is a stream without an event: it shows nothing, and has accepted nothing."""
    return is_stream(exchange) and not events_in(exchange)


def events_in(exchange: Exchange) -> list[Event]:
    """Return the decoded events. Raises `Unmet` if the answer is not a stream or was too long to be kept."""
    require_answer(exchange)
    if not is_stream(exchange):
        raise Unmet(f"{format_request(exchange)} returned no stream: {format_answer(exchange)}")
    if exchange.truncated:
        raise Unmet(
            f"{format_request(exchange)} returned {exchange.size} bytes, more than the limit for a comparison"
        )
    return read(exchange).events


def expect_stream(exchange: Exchange) -> Iterator[Finding]:
    """Yield a finding if the answer is not a successful stream; a stream that was cut off is only noted."""
    yield from expect_status(exchange, accepts=SUCCESS)
    if exchange.status in SUCCESS and not is_stream(exchange):
        yield finding(
            f"{format_request(exchange)} returned no stream", "text/event-stream", format_answer(exchange)
        )
    elif exchange.status in SUCCESS and not is_whole(exchange):
        yield note(f"{format_request(exchange)} was truncated", "a complete body", format_ending(exchange))


def is_whole(exchange: Exchange) -> bool:
    """Whether all of the answer came: it ended in order, or it is a stream that only stayed open afterwards."""
    stream = read(exchange).stream
    return exchange.complete or (stream is not None and stream.whole)


def adds_up(exchange: Exchange) -> bool:
    """Whether a stream is whole, and its events have the shape that its steps are made from."""
    return is_whole(exchange) and not any(judge_output_types(exchange))


def decode_frames(frames: Iterable[Frame]) -> list[Event]:
    """Decode the frames that an exercise read; frames that are not JSON objects are left out."""
    return bodies.objects(frame.data for frame in frames)


def arrival_of(exchange: Exchange, end: int) -> float:
    """Return the seconds after the request at which the first `end` bytes of the body had come."""
    seen = 0
    for size, moment in zip(exchange.arrivals.sizes, exchange.arrivals.moments, strict=False):
        seen += size
        if seen >= end:
            return moment
    return exchange.seconds


def kind(event: Mapping[str, Any]) -> str:
    """Return the event_type, `""` if it is not a string."""
    found = event.get("event_type")
    return found if isinstance(found, str) else ""


def cursor(event: Mapping[str, Any]) -> str | None:
    """Return the token that resumes after this event, None if it has none."""
    return PROTOCOL.cursor(event)


def last_cursor(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the cursor of a client that has seen exactly these events."""
    return next((found for event in reversed(events) if (found := cursor(event))), None)


def of_kind(events: Iterable[Event], event_type: str) -> list[Event]:
    """Return the events of one type."""
    return [event for event in events if kind(event) == event_type]


def deltas(events: Iterable[Event], delta_type: str) -> list[Event]:
    """Return the step.delta events whose delta has one type."""
    return [event for event in of_kind(events, "step.delta") if inner(event, "delta").get("type") == delta_type]


def inner(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object inside an event, empty if there is none."""
    return bodies.as_object(event.get(name))


def completion(events: Iterable[Event]) -> Mapping[str, Any] | None:
    """Return the interaction in the last interaction.completed, None if the stream never completed."""
    ends = of_kind(events, "interaction.completed")
    return inner(ends[-1], "interaction") if ends else None


def stream_id(events: Iterable[Event]) -> str:
    """Return the interaction id from the first event that names one, `""` if none does."""
    return next((found for event in events if (found := PROTOCOL.stream_id(event))), "")


def cuts(whole: Sequence[Event], limit: int) -> list[int]:
    """Return the indices of events to resume after: those with a cursor, except the last event, at most `limit`.

    The first and the last of these are always included, since that is where servers are off by one.
    """
    able = [number for number, event in enumerate(whole[:-1]) if cursor(event)]
    if len(able) <= limit:
        return able
    stride = (len(able) - 1) / (limit - 1)
    return [able[round(place * stride)] for place in range(limit)]


def losses(name: str, whole: Sequence[Event], diff: EventDiff, came: Sequence[Event] = ()) -> Iterator[Finding]:
    """Yield a finding for missing events, or for one that came in another form."""
    if not diff.missing:
        return
    lost = diff.missing[0]
    event, kind = whole[lost], str(whole[lost].get("event_type"))
    others = {cursor(came[number]): came[number] for number in diff.extra if number < len(came)}
    if other := others.get(cursor(event) or ""):  # it came under its own id, but different
        changed = (one for one in {**event, **other} if one != "metadata" and event.get(one) != other.get(one))
        field = next(changed)
        shown = [format_value(one[field]) if field in one else "absent" for one in (event, other)]
        yield finding(f"{name} returns event {lost} (`{kind}`) with another `{field}`", *shown, event=lost)
        return
    many = f"{format_count(len(diff.missing), 'event')}, the first is " if len(diff.missing) > 1 else ""
    message = f"{name} skips {many}event {lost} (`{kind}`)"
    pairs = [(whole[number - 1] if number else {}, whole[number]) for number in diff.missing]
    if all(cursor(two) and cursor(one) == cursor(two) and shape_of(one) == shape_of(two) for one, two in pairs):
        message = f"{name} lacks {many}event {lost} (`{kind}`), which the stream before it sent twice"
    yield finding(message, kind, "nothing", event=lost)


def is_fuller(one: Sequence[Event], other: Sequence[Event]) -> bool:
    """Whether the first of two readings holds every event of both, each once, and the other does not."""
    shapes, others = ([shape_of(event) for event in events if is_of_the_run(event)] for events in (one, other))
    once = len(set(shapes)) == len(shapes)
    return once and set(others) <= set(shapes) and len(others) != len(shapes)


def additions(name: str, came: Sequence[Event], diff: EventDiff) -> Iterator[Finding]:
    """Yield a finding for events that should not have come, or that came in another order."""
    if diff.extra:
        first = diff.extra[0]
        kind, code = str(came[first].get("event_type")), ""
        message = f"{name} contains {format_count(len(diff.extra), 'unexpected event')}"
        if kind == CREATED_EVENT:
            message, code = f"{name} begins with the first event again, as if its cursor had no effect", "/restart"
        yield finding(message, "only the events after the cursor", kind, code=code, event=first)
    elif diff.reordered:
        yield finding(f"{name} contains the expected events in another order", code="/reordered")


def leniencies(name: str, came: Sequence[Event], diff: EventDiff) -> Iterator[Finding]:
    """Yield a finding for what is correct only in a lenient reading; a repeated event may be more than that."""
    if diff.repeated:
        message = f"{name} repeats the event of its cursor"
        first = next(event for event in came if is_of_the_run(event))
        yield finding(message, "the event after it", "the event", code="/inclusive", severity=judge_repeat(first))
    elif diff.resplit:
        message = f"{name} splits its deltas differently"
        yield lenient_finding(message, "the same deltas", "others", code="/resplit")
