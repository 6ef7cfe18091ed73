"""The resume oracle: the events up to a cursor plus the events after it must be the whole stream.

Layer 2. Pure. Nothing is discarded or deduplicated as a client would do: the reference documents exclusive resume,
so the exact rest is compared. Two lenient readings are distinguished from a loss: the event of the cursor repeated
once, and deltas that are split differently but assemble to the same result. Events that belong to a connection and
not to the run (`run_events.is_of_the_run`) are ignored on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.checks.vocabulary.expect import finding, lenient_finding
from harness.checks.vocabulary.stream_events import Event, cursor, kind
from harness.contract import Contract
from harness.contract.data.assembly import assemble_steps
from harness.contract.judge.history.run_events import is_of_the_run, shape_of
from harness.outcome import Finding
from harness.outcome.words import format_count


@dataclass(frozen=True, slots=True)
class Rest:
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
) -> Rest:
    """Judge `came` as the answer to a resume after event number `at` of `whole` (-1: from the start).

    `had` is what the reader had received until then, if `whole` is from another reading. The two may split their
    deltas differently, and `at` may then lie outside `whole`.
    """
    due = {number: shape_of(event) for number, event in enumerate(whole) if number > at and is_of_the_run(event)}
    got = {number: shape_of(event) for number, event in enumerate(came) if is_of_the_run(event)}
    expected, actual = list(due.values()), list(got.values())
    if actual == expected:
        return Rest()
    if 0 <= at < len(whole) and actual == [shape_of(whole[at]), *expected]:
        return Rest(repeated=True)
    if _same_result(whole, [*(whole[: at + 1] if had is None else had), *came], contract):
        return Rest(resplit=True)
    missing = tuple(_surplus(due, actual))
    extra = tuple(_surplus(got, expected))
    return Rest(missing, extra, reordered=not missing and not extra)


def cuts(whole: Sequence[Event], limit: int) -> list[int]:
    """Return the indices of events to resume after: those with a cursor, except the last event, at most `limit`.

    The first and the last of these are always included, since that is where servers are off by one.
    """
    able = [number for number, event in enumerate(whole[:-1]) if cursor(event)]
    if len(able) <= limit:
        return able
    stride = (len(able) - 1) / (limit - 1)
    return [able[round(place * stride)] for place in range(limit)]


def losses(name: str, whole: Sequence[Event], rest: Rest) -> Iterator[Finding]:
    """Yield a finding for missing events."""
    if rest.missing:
        lost = rest.missing[0]
        first = "the first of them " if len(rest.missing) > 1 else ""
        yield finding(
            f"{name} lacks {format_count(len(rest.missing), 'event')}, {first}number {lost} of the whole",
            expected=str(whole[lost].get("event_type")),
            actual="nothing",
        ).at(event=lost)


def additions(name: str, came: Sequence[Event], rest: Rest) -> Iterator[Finding]:
    """Yield a finding for events that should not have come, or that came in another order."""
    if rest.extra:
        first = rest.extra[0]
        yield finding(
            f"{name} holds {format_count(len(rest.extra), 'wrong event')}",
            expected="only what followed",
            actual=f"{came[first].get('event_type')} as event {first}",
        ).at(event=first)
    elif rest.reordered:
        yield finding(f"{name} has the right events in another order")


def leniencies(name: str, rest: Rest) -> Iterator[Finding]:
    """Yield a finding for what is correct only in a lenient reading."""
    if rest.repeated:
        yield lenient_finding(
            f"{name} repeats the event of its cursor", expected="the event after it", actual="the event"
        )
    elif rest.resplit:
        yield lenient_finding(f"{name} splits its deltas differently", expected="the same deltas", actual="others")


def _surplus(these: Mapping[int, str], those: Sequence[str]) -> list[int]:
    """Return the keys of the items in `these` that are missing from `those`; of equal items, the later ones."""
    left = Counter(those)
    surplus = []
    for number, item in these.items():
        if left[item]:
            left[item] -= 1
        else:
            surplus.append(number)
    return surplus


def _same_result(whole: Sequence[Event], read: Sequence[Event], contract: Contract) -> bool:
    # Only deltas may be split differently; every other event must be there, in its place.
    return _frame(whole) == _frame(read) and _steps(whole, contract) == _steps(read, contract)


def _frame(events: Sequence[Event]) -> list[str]:
    return [shape_of(event) for event in events if kind(event) != "step.delta" and is_of_the_run(event)]


def _steps(events: Sequence[Event], contract: Contract) -> str:
    return shape_of({"steps": assemble_steps(events, contract)})
