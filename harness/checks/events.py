"""What judges and exercises ask of the events in a stream: cursors, deltas, the completion.

Layer 2. Pure, and safe on anything: what is no JSON object is no event here. Whether the events are well-formed
and in order is the contract's judgement, not this module's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.checks.judging import SUCCESS, answered, asked, broken, ended, expect_status, noted, shown
from harness.contract import PROTOCOL, json_read, read
from harness.contract.protocol import ERROR_EVENT, RUN_EVENTS
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Frame

Event: TypeAlias = dict[str, Any]


def is_stream(exchange: Exchange) -> bool:
    """Whether the answer is an accepted event stream, by its label or, where that is wrong, by its looks."""
    return exchange.status in SUCCESS and read(exchange).is_stream


def events_in(exchange: Exchange) -> list[Event]:
    """The decoded events; raises `Unmet` when the answer is no stream or too long to have been kept."""
    answered(exchange)
    if not is_stream(exchange):
        raise Unmet(f"{asked(exchange)} brought no stream: {shown(exchange)}")
    if exchange.truncated:
        raise Unmet(f"{asked(exchange)} brought {exchange.size} bytes, more than is kept to compare")
    return read(exchange).events


def expect_stream(exchange: Exchange) -> Iterator[Finding]:
    """Findings where a stream was due and something else came; a cut one is noted."""
    yield from expect_status(exchange, accepts=SUCCESS)
    if exchange.status in SUCCESS and not is_stream(exchange):
        yield broken(f"{asked(exchange)} brought no stream", expected="text/event-stream", actual=shown(exchange))
    elif exchange.status in SUCCESS and not exchange.complete:
        yield noted(f"{asked(exchange)} was cut", expected="a complete body", actual=ended(exchange))


def decoded(frames: Iterable[Frame]) -> list[Event]:
    """The events among frames that an exercise read; what cannot be decoded is left out."""
    return json_read.objects(frame.data for frame in frames)


def kind(event: Mapping[str, Any]) -> str:
    """The event_type, `""` when it is no string."""
    found = event.get("event_type")
    return found if isinstance(found, str) else ""


def cursor(event: Mapping[str, Any]) -> str | None:
    """The token that resumes after this event."""
    return PROTOCOL.cursor(event)


def last_cursor(events: Sequence[Mapping[str, Any]]) -> str | None:
    """The cursor a client holds that has seen exactly these events."""
    return next((found for event in reversed(events) if (found := cursor(event))), None)


def of_the_run(event: Mapping[str, Any]) -> bool:
    """Whether an event tells of the run, so that every reader is owed it.

    A connection may have events of its own, which carry no cursor: heartbeats of a type that is not listed, and
    errors without a word in them, which the live service was seen to send.
    """
    if cursor(event) or kind(event) in RUN_EVENTS:
        return True
    return kind(event) == ERROR_EVENT and bool(inner(event, "error"))


def of_kind(events: Iterable[Event], event_type: str) -> list[Event]:
    """The events of one type."""
    return [event for event in events if kind(event) == event_type]


def deltas(events: Iterable[Event], delta_type: str) -> list[Event]:
    """The step.delta events whose delta is of one type."""
    return [event for event in of_kind(events, "step.delta") if inner(event, "delta").get("type") == delta_type]


def inner(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside an event, empty when there is none."""
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def completion(events: Iterable[Event]) -> Mapping[str, Any] | None:
    """The interaction that the last interaction.completed carries, None when the stream was never completed."""
    ends = of_kind(events, "interaction.completed")
    return inner(ends[-1], "interaction") if ends else None


def stream_id(events: Iterable[Event]) -> str:
    """The id of the interaction that the first event to tell it belongs to, `""` when none does."""
    return next((found for event in events if (found := PROTOCOL.stream_id(event))), "")
