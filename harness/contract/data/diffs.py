"""How two readings differ: two lists of steps by what they mean, and two streams event by event.

Pure. Of steps, adjacent text parts are joined, empty fields count as absent, and leading input and fields that
streams never carry are left out: how that was split into parts does not count.

The comparison of streams is the one behind the rules of resuming. The events up to a cursor plus the events after
it must be the whole stream. Nothing is discarded or deduplicated as a client would do: the reference documents
exclusive resume, so the exact rest is compared. Two lenient readings are distinguished from a loss: the event of
the cursor repeated once, and deltas that are split differently but come to the same. Events that belong to a
connection and not to the run are ignored on both sides.

`compare` has both readings whole, so it can assemble them. `PartialReading`, which has only their first events,
calls `is_split_otherwise`, which decides the same from the next event alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from msgspec import Struct

from harness.contract.contract import Contract
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.transcript import count_given
from harness.contract.tables.protocol import (
    COMPLETED_EVENT,
    CREATED_EVENT,
    ERROR_EVENT,
    PROTOCOL,
    RUN_EVENTS,
    cursor_of,
)
from harness.outcome import Severity
from harness.outcome.words import shorten
from harness.wire.json_value import write_sorted

LIMIT = 20
"""The most differences that are returned."""

_NEVER_STREAMED = frozenset({"search_type"})
"""Fields of whole steps that no event of a recorded stream carries and no delta type lists."""

_ABSENT = object()


class Difference(Struct, frozen=True):
    """One place where two lists of steps differ; `pointer` counts the output steps from 0."""

    pointer: str
    assembled: str
    got: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.assembled} against {self.got}"


def compare_steps(assembled: Sequence[Any], got: Sequence[Any]) -> list[Difference]:
    """The differences between steps assembled from a stream and steps that GET or POST returned."""
    try:
        one, other = ([_normalize(step) for step in steps[count_given(steps) :]] for steps in (assembled, got))
        if one == other:
            return []
        found = _find_differences(one, other, "$.steps")
        return [difference for difference, _ in zip(found, range(LIMIT), strict=False)]
    except RecursionError:
        return [Difference("$.steps", "nested too deep to compare", "nested too deep to compare")]


def _normalize(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    fields = dict(step)
    for name in ("content", "summary"):
        if isinstance(fields.get(name), list):
            fields[name] = _join_text(fields[name])
    return {
        name: value
        for name, value in fields.items()
        if value not in (None, "", [], {}) and name not in _NEVER_STREAMED
    }


def _join_text(parts: list[Any]) -> list[Any]:
    """The parts, with adjacent text parts joined and empty ones removed."""
    joined: list[Any] = []
    for part in parts:
        if isinstance(part, dict) and part.get("type", "text") == "text":
            part = {"type": "text", "text": "", **{k: v for k, v in part.items() if v not in (None, [])}}
        match joined[-1:], part:
            case [{"type": "text", "text": str(before)} as last], {"type": "text", "text": str(text)}:
                notes = [*last.get("annotations", ()), *part.get("annotations", ())]
                joined[-1] = {**last, **part, "text": before + text}
                if notes:
                    joined[-1]["annotations"] = notes
            case _:
                joined.append(part)
    return [part for part in joined if part != {"type": "text", "text": ""}]


def _find_differences(one: Any, other: Any, pointer: str) -> Iterator[Difference]:
    match one, other:
        case dict(), dict():
            for name in sorted({*one, *other}):
                yield from _find_differences(one.get(name, _ABSENT), other.get(name, _ABSENT), f"{pointer}.{name}")
        case list(), list():
            for index, pair in enumerate(zip_longest(one, other, fillvalue=_ABSENT)):
                yield from _find_differences(*pair, f"{pointer}[{index}]")
        case str(), str() if one != other:
            at = common_length(one, other)
            yield Difference(f"{pointer} from character {at}", _show(one[at:]), _show(other[at:]))
        case _ if one != other:
            yield Difference(pointer, _show(one), _show(other))


def common_length(one: str, other: str) -> int:
    """The number of characters that two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _show(value: Any) -> str:
    return "absent" if value is _ABSENT else shorten(repr(value), 80)


Event = Mapping[str, Any]

_COMPARED = frozenset(
    {"event_type", "index", "delta", "step", "interaction", "interaction_id", "status", "continuation_token"}
    | {"usage", "step_usage", "error"}
)
"""Top-level fields of a listed event that each reading must repeat. `event_id` and `metadata` are no part of it,
nor are fields that no revision lists: one kind of stream may have them and another not."""

_NOT_COMPARED = frozenset({"event_id", "metadata"})
"""Top-level fields of an unlisted event that may differ from one reading to another."""

_LISTED = RUN_EVENTS | {ERROR_EVENT}

_ENVELOPES = {CREATED_EVENT: ("id",), COMPLETED_EVENT: ("id", "status")}
"""Fields to compare of the interaction in an event; in a replay others may show a later status or time."""


def is_of_the_run(event: Event) -> bool:
    """Whether an event belongs to the run, so that every reader must receive it.

    A connection may have events of its own, which carry no cursor: heartbeats of an unlisted type, and empty
    errors, which the live service was observed to send.
    """
    kind = event.get("event_type")
    if (isinstance(kind, str) and kind in RUN_EVENTS) or cursor_of(event):  # in this order, as it is hot
        return True
    return kind == ERROR_EVENT and isinstance(event.get("error"), dict) and bool(event["error"])


def shape_of(event: Event) -> str:
    """The meaning of an event for a reader, without its cursor; equal for events that are the same."""
    kind = event.get("event_type")
    if isinstance(kind, str) and kind in _LISTED:
        shape = {name: value for name, value in event.items() if name in _COMPARED}
    else:
        shape = {name: value for name, value in event.items() if name not in _NOT_COMPARED}
    fields = _ENVELOPES.get(kind) if isinstance(kind, str) else None
    if fields is not None:
        interaction = event.get("interaction")
        known = interaction if isinstance(interaction, Mapping) else {}
        shape["interaction"] = {name: known.get(name) for name in fields}
    try:
        return write_sorted(shape)
    except (TypeError, ValueError, RecursionError):
        return f"an event of {kind} that is too deep to compare"


def is_same_event(one: Event, other: Event) -> bool:
    """Whether two events are equal, apart from fields that may differ between readings."""
    return one == other or shape_of(one) == shape_of(other)


def judge_repeat(event: Event) -> Severity:
    """How bad it is that a resumed reading begins with the event of its cursor.

    A client of the documented loop drops no event, so it has a delta twice. Another event fits a lenient reading
    of the reference.
    """
    return Severity.BROKEN if event.get("event_type") == "step.delta" else Severity.NON_STRICT


def is_split_otherwise(event: Event, expected: Event) -> bool:
    """Whether two events are deltas of one text of which one is longer than the other."""
    one, other = PROTOCOL.text_of(event), PROTOCOL.text_of(expected)
    if one is None or other is None or one[0] != other[0] or not one[1] or not other[1]:
        return False
    return one[1].startswith(other[1]) or other[1].startswith(one[1])


class EventDiff(Struct, frozen=True):
    """How the events received after a cursor differ from the expected ones.

    `missing` are indices in the whole stream, `extra` are indices in the received events. `repeated`: the event of
    the cursor came once more, first. `resplit`: different deltas, but the same assembled result. `reordered`: all
    events are there, in another order.
    """

    missing: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    repeated: bool = False
    resplit: bool = False
    reordered: bool = False


def compare(
    whole: Sequence[Event],
    at: int,
    came: Sequence[Event],
    contract: Contract,
    *,
    had: Sequence[Event] | None = None,
) -> EventDiff:
    """Judge `came` as the answer to a resume after event number `at` of `whole` (-1: from the start).

    `had` is what the reader had received until then, if `whole` is from another reading. The two may split their
    deltas differently, and `at` may then lie outside `whole`.
    """
    due, got = _list_shapes(whole, at + 1), _list_shapes(came)
    expected, actual = list(due.values()), list(got.values())
    if actual == expected:
        return EventDiff()
    if 0 <= at < len(whole) and is_same_event(whole[at], came[min(got)] if got else {}) and actual[1:] == expected:
        return EventDiff(repeated=True)
    read = [*(whole[: at + 1] if had is None else had), *came]
    # Only deltas may be split differently; every other event must be there, in its place.
    if _list_frame(whole) == _list_frame(read) and _write_steps(whole, contract) == _write_steps(read, contract):
        return EventDiff(resplit=True)
    missing = tuple(_list_surplus(due, actual))
    extra = tuple(_list_surplus(got, expected))
    return EventDiff(missing, extra, reordered=not missing and not extra)


def _list_shapes(events: Sequence[Event], first: int = 0) -> dict[int, str]:
    """The shapes of the events that are of the run, from number `first` on."""
    numbered = enumerate(events[first:], first)
    return {number: shape_of(event) for number, event in numbered if is_of_the_run(event)}


def _list_surplus(these: Mapping[int, str], those: Sequence[str]) -> list[int]:
    """Return the keys of the items in `these` that are missing from `those`; of equal items, the later ones."""
    left = Counter(those)
    surplus = []
    for number, item in these.items():
        if left[item]:
            left[item] -= 1
        else:
            surplus.append(number)
    return surplus


def _list_frame(events: Sequence[Event]) -> list[str]:
    return [
        shape_of(event) for event in events if event.get("event_type") != "step.delta" and is_of_the_run(event)
    ]


def _write_steps(events: Sequence[Event], contract: Contract) -> str:
    return shape_of({"steps": assemble_steps(events, contract)})
