"""The resume oracle: what came up to a cursor, plus what comes after it, is the whole stream.

Layer 2. Pure. A client discards or deduplicates nothing here: the reference documents exclusive resume, so what
is compared is the exact rest. Two lenient readings are told apart from a loss: the boundary event repeated once,
and deltas that are split differently but assemble to the same result. What belongs to a connection and not to
the run (`events.of_the_run`) is no part of either.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.checks.events import Event, cursor, inner, kind, of_the_run
from harness.checks.judging import broken, lenient
from harness.contract.assembly import assembled
from harness.outcome import Finding
from harness.outcome.words import counted

_NOT_COMPARED = frozenset({"event_id", "metadata"})
"""Top-level fields of an event that may differ between two readings of it."""

_ENVELOPES = {"interaction.created": ("id",), "interaction.completed": ("id", "status")}
"""What is compared of the interaction in an event; a replay may show a later status or time in the rest."""


@dataclass(frozen=True, slots=True)
class Rest:
    """How the events after a cursor differ from what they should be.

    `missing` are numbers of events in the whole stream, `extra` numbers in what came. `repeated`: the event of
    the cursor came once more, first. `resplit`: different deltas, the same assembled result. `reordered`: all
    are there, in another order.
    """

    missing: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    repeated: bool = False
    resplit: bool = False
    reordered: bool = False


def compare(whole: Sequence[Event], at: int, came: Sequence[Event], *, had: Sequence[Event] | None = None) -> Rest:
    """Judge `came` as the answer to a resume after event number `at` of `whole` (-1: from the start).

    `had` is what the reader had until then, where that was another reading than `whole`: the deltas of the two may
    be split differently, and then `at` may lie outside `whole`.
    """
    due = {number: _shape(event) for number, event in enumerate(whole) if number > at and of_the_run(event)}
    got = {number: _shape(event) for number, event in enumerate(came) if of_the_run(event)}
    expected, actual = list(due.values()), list(got.values())
    if actual == expected:
        return Rest()
    if 0 <= at < len(whole) and actual == [_shape(whole[at]), *expected]:
        return Rest(repeated=True)
    if _same_result(whole, [*(whole[: at + 1] if had is None else had), *came]):
        return Rest(resplit=True)
    missing = tuple(_surplus(due, actual))
    extra = tuple(_surplus(got, expected))
    return Rest(missing, extra, reordered=not missing and not extra)


def cuts(whole: Sequence[Event], limit: int) -> list[int]:
    """Numbers of events to resume after: all that carry a cursor but the last event, thinned out to `limit`.

    The ends are always among them, since the first and the last resume are where servers err by one.
    """
    able = [number for number, event in enumerate(whole[:-1]) if cursor(event)]
    if len(able) <= limit:
        return able
    stride = (len(able) - 1) / (limit - 1)
    return [able[round(place * stride)] for place in range(limit)]


def same_event(one: Event, other: Event) -> bool:
    """Whether two readings show the same event."""
    return _shape(one) == _shape(other)


def losses(name: str, whole: Sequence[Event], rest: Rest) -> Iterator[Finding]:
    """What did not come."""
    if rest.missing:
        lost = rest.missing[0]
        first = "the first of them " if len(rest.missing) > 1 else ""
        yield broken(
            f"{name} lacks {counted(len(rest.missing), 'event')}, {first}number {lost} of the whole",
            expected=str(whole[lost].get("event_type")),
            actual="nothing",
        ).at(event=lost)


def additions(name: str, came: Sequence[Event], rest: Rest) -> Iterator[Finding]:
    """What came and should not have, or in another order."""
    if rest.extra:
        first = rest.extra[0]
        yield broken(
            f"{name} holds {counted(len(rest.extra), 'wrong event')}",
            expected="only what followed",
            actual=f"{came[first].get('event_type')} as event {first}",
        ).at(event=first)
    elif rest.reordered:
        yield broken(f"{name} has the right events in another order")


def leniencies(name: str, rest: Rest) -> Iterator[Finding]:
    """What is right in a lenient reading only."""
    if rest.repeated:
        yield lenient(f"{name} repeats the event of its cursor", expected="the event after it", actual="the event")
    elif rest.resplit:
        yield lenient(f"{name} splits its deltas differently", expected="the same deltas", actual="others")


def _shape(event: Event) -> str:
    shown = {name: value for name, value in event.items() if name not in _NOT_COMPARED}
    if (fields := _ENVELOPES.get(kind(event))) is not None:
        interaction = inner(event, "interaction")
        shown["interaction"] = {name: interaction.get(name) for name in fields}
    try:
        return json.dumps(shown, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return f"an event of {kind(event)} that is too deep to compare"


def _surplus(these: Mapping[int, str], those: Sequence[str]) -> list[int]:
    """Numbers of the items of `these` that `those` does not account for, the later ones of equal items."""
    left = Counter(those)
    surplus = []
    for number, item in these.items():
        if left[item]:
            left[item] -= 1
        else:
            surplus.append(number)
    return surplus


def _same_result(whole: Sequence[Event], read: Sequence[Event]) -> bool:
    # Only the split of deltas is free: every other event has to be there, in its place.
    return _frame(whole) == _frame(read) and _steps(whole) == _steps(read)


def _frame(events: Sequence[Event]) -> list[str]:
    return [_shape(event) for event in events if kind(event) != "step.delta" and of_the_run(event)]


def _steps(events: Sequence[Event]) -> str:
    return _shape({"steps": assembled(events)})
