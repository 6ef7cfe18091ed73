"""Checks of several readers of a run in progress, and of a reader that disconnects and comes back.

Layer 2. This is what resume is for; `harness.checks.areas.streams.resume` checks many cuts of a finished run.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import (
    HELD_AFTER,
    read_to_a_cursor,
    read_whole_stream,
    release_run,
    start_held_run,
)
from harness.checks.vocabulary.expect import at
from harness.checks.vocabulary.polling import open_stream
from harness.checks.vocabulary.stream_diff import additions, is_fuller, leniencies, losses
from harness.checks.vocabulary.stream_events import (
    Event,
    completion,
    cursor,
    events_in,
    expect_stream,
    is_stream,
    last_cursor,
)
from harness.contract import read
from harness.contract.data.event_diff import compare
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Close, Exchanges, Finish, Open, Read, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange

_READERS = new_registry()
CHECKS = _READERS.checks

_READ_BEFORE_CUT = 5
"""Events a reader receives before it disconnects; more if none of them carries a cursor."""


@exercise(requests=6, interactions=1)
def a_running_run_with_readers(t: RequestBuilder) -> Steps:
    """Two readers of a run in progress, and a third that disconnects and resumes with its cursor."""
    run = yield from start_held_run(t, "readers")
    one = yield from open_stream(t, run.id)
    yield Read(one, 1)
    two = yield Open(t.get(run.id, stream=True))
    yield Read(two, 1)
    three = yield Open(t.get(run.id, stream=True))
    had = yield from read_to_a_cursor(three, _READ_BEFORE_CUT, most=HELD_AFTER)
    yield Close(three)
    yield Read(one, HELD_AFTER - 1)  # so that the run goes on while the third reader is away
    race = completion(had) is not None
    token = last_cursor(had)
    back = (yield Open(t.get(run.id, stream=True, last_event_id=token))) if token and not race else None
    yield from release_run(t, run)
    seen: Exchanges = {"readers": [(yield Finish(one)), (yield Finish(two))]}
    rest = (yield Finish(back)) if back is not None else None
    seen["replay"] = yield from read_whole_stream(t.get(run.id, stream=True))
    if rest is None:
        reason = "the run was over before it could be cut" if race else "no event before the cut had an event_id"
        return stop_exercise(seen, reason, race_lost=True)
    return {**seen, "had": had, "token": token, "rest": rest}


@_READERS.check(
    "resume.two-readers",
    a_running_run_with_readers,
    title="two readers of a running run both receive everything",
    profile="background",
    requires=["background", "stream", "background-slow", "resume"],
    accepts=["the events of a later replay, for each reader"],
)
def _serves_two_readers(readers: list[Exchange], replay: Exchange) -> Iterator[Finding]:
    for number, reader in enumerate(readers):
        yield from at(f"readers[{number}]", expect_stream(reader))
    due = events_in(replay)
    for number, reader in enumerate(readers):
        if is_stream(reader):
            rest = compare(due, -1, events_in(reader), read(reader).contract)
            name, place = f"reader {number + 1}", f"readers[{number}]"
            if is_fuller(events_in(reader), due):
                raise Unmet(f"{name} holds events that the replay lacks, so nothing tells what was due")
            yield from at(place, losses(name, due, rest))
            yield from at(place, additions(name, events_in(reader), rest))


@_READERS.check(
    "resume.live",
    a_running_run_with_readers,
    title="a reader that returns to a running run gets the rest",
    profile="background",
    requires=["background", "stream", "background-slow", "event-ids", "resume"],
    accepts=[
        "exactly the rest",
        "the event of the cursor once more, first: non-strict",
        "the same result as a replay whose deltas are split differently: non-strict",
    ],
)
def _takes_a_reader_back(had: list[Event], token: str, rest: Exchange, replay: Exchange) -> Iterator[Finding]:
    due = events_in(replay)
    cut = max(number for number, event in enumerate(had) if cursor(event) == token)
    place = next((number for number, event in enumerate(due) if cursor(event) == token), cut)
    yield from at("rest", expect_stream(rest))
    if not is_stream(rest):
        return
    found = compare(due, place, events_in(rest), read(rest).contract, had=had[: cut + 1])
    if place >= len(due) and not found.resplit:
        raise Unmet(
            f"the replay holds {format_count(len(due), 'event')}, fewer than a reader of the running run had"
        )
    name = f"the stream after {token!r}"
    yield from at("rest", losses(name, due, found))
    yield from at("rest", additions(name, events_in(rest), found))
    yield from at("rest", leniencies(name, found))
