"""What the checks of resuming say of how events differ from those that were due, and where they cut.

Layer 2, pure. How they differ is found by `contract.data.event_diff`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checks.vocabulary.expect import finding, lenient_finding
from harness.checks.vocabulary.stream_events import Event, cursor
from harness.contract.data.event_diff import EventDiff, is_of_the_run, shape_of
from harness.contract.judge.wording import format_value
from harness.outcome import Finding
from harness.outcome.words import format_count


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
    changed = _find_changed(whole, came, diff)
    if changed is not None:
        number, other = changed
        yield _report_changed(name, number, whole[number], other)
    elif diff.missing:
        lost = diff.missing[0]
        kind = str(whole[lost].get("event_type"))
        many = f"{format_count(len(diff.missing), 'event')}, the first is " if len(diff.missing) > 1 else ""
        message = f"{name} skips {many}event {lost} (`{kind}`)"
        if all(_is_doubled(whole, number) for number in diff.missing):
            message = f"{name} lacks {many}event {lost} (`{kind}`), which the stream before it sent twice"
        yield finding(
            message,
            expected=kind,
            actual="nothing",
        ).at(event=lost)


def _find_changed(whole: Sequence[Event], came: Sequence[Event], diff: EventDiff) -> tuple[int, Event] | None:
    """The first missing event that did come, under its own id but different, with its number; None if none did."""
    others = {cursor(came[number]): came[number] for number in diff.extra if number < len(came)}
    first = diff.missing[0] if diff.missing else None
    other = None if first is None else others.get(cursor(whole[first]) or "")
    return None if first is None or other is None else (first, other)


def _report_changed(name: str, number: int, event: Event, other: Event) -> Finding:
    fields = [
        field for field in {**event, **other} if field != "metadata" and event.get(field) != other.get(field)
    ]
    shown = [format_value(one[fields[0]]) if fields[0] in one else "absent" for one in (event, other)]
    message = f"{name} returns event {number} (`{event.get('event_type')}`) with another `{fields[0]}`"
    return finding(message, expected=shown[0], actual=shown[1]).at(event=number)


def _is_doubled(whole: Sequence[Event], number: int) -> bool:
    """Whether an event is the one before it once more, under the same id."""
    if number == 0 or not cursor(whole[number]):
        return False
    one, other = whole[number - 1], whole[number]
    return cursor(one) == cursor(other) and shape_of(one) == shape_of(other)


def is_fuller(one: Sequence[Event], other: Sequence[Event]) -> bool:
    """Whether the first of two readings holds every event of both, each once, and the other does not."""
    shapes, others = ([shape_of(event) for event in events if is_of_the_run(event)] for events in (one, other))
    once = len(set(shapes)) == len(shapes)
    return once and set(others) <= set(shapes) and len(others) != len(shapes)


def additions(name: str, came: Sequence[Event], diff: EventDiff) -> Iterator[Finding]:
    """Yield a finding for events that should not have come, or that came in another order."""
    if diff.extra:
        first = diff.extra[0]
        yield finding(
            f"{name} contains {format_count(len(diff.extra), 'unexpected event')}",
            expected="only the events after the cursor",
            actual=str(came[first].get("event_type")),
        ).at(event=first)
    elif diff.reordered:
        yield finding(f"{name} contains the expected events in another order")


def leniencies(name: str, diff: EventDiff) -> Iterator[Finding]:
    """Yield a finding for what is correct only in a lenient reading."""
    if diff.repeated:
        message = f"{name} repeats the event of its cursor"
        yield lenient_finding(message, expected="the event after it", actual="the event", word="inclusive")
    elif diff.resplit:
        message = f"{name} splits its deltas differently"
        yield lenient_finding(message, expected="the same deltas", actual="others", word="resplit")
