"""Reads the events in a stream for judges and exercises: cursors, deltas, the completion.

Layer 2. Pure, and safe on any input: what is not a JSON object does not count as an event. Whether the events are
well-formed and in order is for the contract to judge, not for this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.checks.vocabulary.expect import expect_status, finding, note, require_answer
from harness.contract import PROTOCOL, read
from harness.contract.data import json_parse
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.roots import judge_output_types
from harness.contract.judge.wording import format_answer, format_ending, format_request
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Frame

Event: TypeAlias = dict[str, Any]


def is_stream(exchange: Exchange) -> bool:
    """Return whether the answer is a 2xx event stream, by its media type or, if that is wrong, by its body."""
    return exchange.status in SUCCESS and read(exchange).is_stream


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
            f"{format_request(exchange)} returned no stream",
            expected="text/event-stream",
            actual=format_answer(exchange),
        )
    elif exchange.status in SUCCESS and not is_whole(exchange):
        yield note(
            f"{format_request(exchange)} was truncated", expected="a complete body", actual=format_ending(exchange)
        )


def is_whole(exchange: Exchange) -> bool:
    """Whether all of the answer came: it ended in order, or it is a stream that only stayed open afterwards."""
    stream = read(exchange).stream
    return exchange.complete or (stream is not None and stream.whole)


def adds_up(exchange: Exchange) -> bool:
    """Whether a stream is whole, and its events have the shape that its steps are made from."""
    return is_whole(exchange) and not any(judge_output_types(exchange))


def decode_frames(frames: Iterable[Frame]) -> list[Event]:
    """Decode the frames that an exercise read; frames that are not JSON objects are left out."""
    return json_parse.objects(frame.data for frame in frames)


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
    return json_parse.as_object(event.get(name))


def completion(events: Iterable[Event]) -> Mapping[str, Any] | None:
    """Return the interaction in the last interaction.completed, None if the stream never completed."""
    ends = of_kind(events, "interaction.completed")
    return inner(ends[-1], "interaction") if ends else None


def stream_id(events: Iterable[Event]) -> str:
    """Return the interaction id from the first event that names one, `""` if none does."""
    return next((found for event in events if (found := PROTOCOL.stream_id(event))), "")
