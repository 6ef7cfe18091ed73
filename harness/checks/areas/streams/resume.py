"""Checks of replay and resume on a finished run: after every cut the stream must continue exactly there.

Layer 2. `vocabulary.stream_diff` makes the comparison. `concurrent_readers` checks runs in progress, `cursors`
unusual cursors. Without event ids only replay is testable.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import read_whole_stream
from harness.checks.vocabulary.expect import at, expect_reply, finding
from harness.checks.vocabulary.polling import need_id, open_stream, poll_until_found
from harness.checks.vocabulary.stored import HELLO
from harness.checks.vocabulary.stream_diff import additions, cuts, is_fuller, leniencies, losses
from harness.checks.vocabulary.stream_events import (
    Event,
    completion,
    cursor,
    events_in,
    expect_stream,
    is_stream,
    stream_id,
)
from harness.contract import PROTOCOL, read
from harness.contract.data.event_diff import EventDiff, compare
from harness.contract.data.run_events import is_of_the_run, is_same_event
from harness.contract.judge.agreement import judge_identity
from harness.contract.judge.answer import judge_stream_label
from harness.contract.judge.replies import SUCCESS
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Finish, Part, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Severity, Unmet
from harness.wire import Exchange, Request

_RESUME = new_registry()
CHECKS = _RESUME.checks

CUTS = 8
"""The number of places to resume a finished run from; each costs one request and runs no model."""

_OPENINGS = (b"event", b"data", b"id", b"retry", b":", b"\n", b"\r", b"\xef\xbb\xbf")
"""How a stream of server-sent events can begin; clients silently skip lines with other field names."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A stream resumed after `cursor`, the cursor of event number `at` of the whole stream.

    With `before`, the cursor was taken from a stream that was itself resumed: it is of event `at` of those, which
    came after the event `origin` of the whole stream.
    """

    cursor: str
    at: int
    exchange: Exchange
    before: tuple[Event, ...] = ()
    origin: int = -1

    @property
    def name(self) -> str:
        """The name of the exchange among the results of its exercise and in messages."""
        return f"resume after event {self.at}" + (" of a resumed stream" if self.before else "")

    def reference(self, whole: Sequence[Event]) -> Sequence[Event]:
        """The events among which the cursor is number `at`."""
        return self.before or whole


_PART = 12
"""Which part of the time of a request an answer gets that has nothing to wait for: its run is over."""

# --- exercises


@exercise(requests=8 + CUTS, interactions=1)
def a_finished_run_resumed(t: RequestBuilder) -> Steps:
    """A background run read to its end, replayed, and resumed after some of its events and after the last.

    One of the resumed streams is resumed once more, with a cursor of its own, as after a second lost connection.
    """
    found = need_id((yield Send(t.create(input=HELLO, background=True))))
    yield from poll_until_found(t, found)  # so that what answers by the path alone brings this again
    first: Exchange = yield Finish((yield from open_stream(t, found)))
    replay = yield from read_whole_stream(t.get(found, stream=True))
    seen: Exchanges = {"asked_for": found, "first": first, "replay": replay}
    seen["bad_cursor"] = yield from read_whole_stream(t.get(found, stream=True, last_event_id="no-such-cursor"))
    events = next((events for events in map(_reference, (replay, first)) if cuts(events, CUTS)), [])
    places = cuts(events, CUTS)
    if not places:
        return stop_exercise(seen, "no complete reading of the run's stream had an event with an event_id")
    seen["events"] = events
    seen["rests"] = yield from _resumes(t, found, events, places)
    seen.update({resumed.name: resumed.exchange for resumed in seen["rests"]})
    middle = places[len(places) // 2]
    encoded = yield from read_whole_stream(_escape_cursor(t, found, cursor(events[middle]) or ""))
    seen["encoded"] = Resumed(cursor(events[middle]) or "", middle, encoded)
    final = cursor(events[-1])
    if final is None:
        return stop_exercise(seen, "the last event carries no event_id", race_lost=True)
    ask = t.get(found, stream=True, last_event_id=final)
    return {**seen, "last": (yield from read_whole_stream(ask, timeout=t.wait / _PART))}


def _reference(reading: Exchange) -> list[Event]:
    """Return a reading's events if it is complete, so that resumes can be compared with it, else none."""
    events = events_in(reading) if is_stream(reading) and not reading.truncated else []
    return events if completion(events) is not None else []


def _resumes(t: RequestBuilder, found: str, events: Sequence[Event], places: Sequence[int]) -> Part[list[Resumed]]:
    rests = []
    for place in places:
        token = cursor(events[place]) or ""
        exchange = yield from read_whole_stream(t.get(found, stream=True, last_event_id=token))
        rests.append(Resumed(token, place, exchange))
    again = rests[len(rests) // 2]
    before = tuple(events_in(again.exchange)) if is_stream(again.exchange) else ()
    for place in cuts(before, 3)[1:2]:
        token = cursor(before[place]) or ""
        exchange = yield from read_whole_stream(t.get(found, stream=True, last_event_id=token))
        rests.append(Resumed(token, place, exchange, before, again.at))
    return rests


def _escape_cursor(t: RequestBuilder, found: str, token: str) -> Request:
    """Build the resume with every byte of the cursor percent-encoded, which is equivalent."""
    plain = t.get(found, stream=True)
    escaped = "".join(f"%{byte:02X}" for byte in token.encode("utf-8", "surrogatepass"))
    return Request(plain.method, f"{plain.target}&last_event_id={escaped}", plain.headers, plain.body)


# --- judges of finished runs


@_RESUME.check(
    "resume.opens",
    a_finished_run_resumed,
    title="GET with stream=true opens a stream",
    profile="background",
    requires=["background", "stream", "resume"],
    accepts=["2xx and events, under text/event-stream", "a brief 404 right after the create"],
)
def _opens_a_stream(first: Exchange, replay: Exchange) -> Iterator[Finding]:
    for name, reading in (("first", first), ("replay", replay)):
        yield from at(name, expect_reply("resume.opens", reading))
        if reading.status not in SUCCESS:
            continue
        yield from at(name, expect_stream(reading))
        if is_stream(reading):
            yield from at(name, judge_stream_label(reading))


@_RESUME.check(
    "resume.same-id",
    a_finished_run_resumed,
    title="the stream that GET opens is of the interaction asked for",
    profile="background",
    requires=["background", "stream", "resume"],
    accepts=["the id that was asked for, wherever an event names one"],
)
def _is_the_one_asked_for(asked_for: str, first: Exchange, replay: Exchange) -> Iterator[Finding]:
    told = {name: stream_id(events_in(reading)) for name, reading in (("first", first), ("replay", replay))}
    if not any(told.values()):
        raise Unmet("no event names its interaction")
    for name, found in told.items():
        if found:
            yield from at(name, judge_identity("resume.same-id", asked_for, found))


@_RESUME.check(
    "resume.replay",
    a_finished_run_resumed,
    title="a stream without a cursor begins at the first event",
    profile="background",
    requires=["background", "stream", "resume"],
    accepts=[
        "the same events as the first reading",
        "the same result from deltas split differently: non-strict",
    ],
    about="replay",
)
def _begins_at_the_first_event(first: Exchange, replay: Exchange) -> Iterator[Finding]:
    due = events_in(first)
    yield from expect_stream(replay)
    if not is_stream(replay):
        return
    name, came = "the replay", events_in(replay)
    if is_fuller(came, due):
        name, due, came = "the first reading, made while the run went on,", came, due
    rest = _spare_the_end(compare(due, -1, came, read(replay).contract), due, replay)
    yield from losses(name, due, rest)
    yield from additions(name, came, rest)
    yield from leniencies(name, rest)


@_RESUME.check(
    "resume.no-gap",
    a_finished_run_resumed,
    title="nothing is missing after a cursor",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=["every event after the cursor", "the same result from deltas split differently"],
)
def _lacks_nothing(events: list[Event], rests: list[Resumed], replay: Exchange) -> Iterator[Finding]:
    for resumed in rests:
        yield from at(resumed.name, expect_stream(resumed.exchange))
        if is_stream(resumed.exchange):
            whole = resumed.reference(events)
            rest = _spare_the_end(_rest(events, resumed), whole, replay)
            moved = _judge_cursor("resume.no-gap/ids", events, resumed) if rest.missing else None
            yield from [moved] if moved else at(resumed.name, losses(resumed.name, whole, rest))


@_RESUME.check(
    "resume.exclusive",
    a_finished_run_resumed,
    title="a resume begins after its cursor",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=[
        "exactly the events after the cursor",
        "the event of the cursor once more, first: non-strict",
        "the same result from deltas split differently: non-strict",
    ],
)
def _brings_nothing_twice(events: list[Event], rests: list[Resumed]) -> Iterator[Finding]:
    for resumed in rests:
        yield from at(resumed.name, expect_stream(resumed.exchange))
        if is_stream(resumed.exchange):
            rest = _rest(events, resumed)
            moved = (
                _judge_cursor("resume.exclusive/ids", events, resumed) if rest.extra or rest.reordered else None
            )
            wrong = additions(resumed.name, events_in(resumed.exchange), rest)
            yield from [moved] if moved else at(resumed.name, wrong)
            yield from at(resumed.name, leniencies(resumed.name, rest))


@_RESUME.check(
    "resume.ids-stable",
    a_finished_run_resumed,
    title="events keep their ids from one reading to the next",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=["the same event_id, or none, on the same event of each reading"],
)
def _keeps_its_ids(events: list[Event], rests: list[Resumed], first: Exchange) -> Iterator[Finding]:
    if is_stream(first):
        yield from _moved_ids("the first reading", events, events_in(first))
    for resumed in rests:
        if is_stream(resumed.exchange) and _rest(events, resumed) == EventDiff():
            due = resumed.reference(events)[resumed.at + 1 :]
            yield from at(resumed.name, _moved_ids(resumed.name, due, events_in(resumed.exchange)))


@_RESUME.check(
    "resume.finished",
    a_finished_run_resumed,
    title="a resume after the end still brings the completion",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=["interaction.completed at the end of every resumed stream"],
)
def _still_completes(rests: list[Resumed]) -> Iterator[Finding]:
    for resumed in rests:
        if completion(events_in(resumed.exchange)) is None:
            lost = finding(f"the {resumed.name} never completes", expected="interaction.completed", actual="none")
            yield lost.at(exchange=resumed.name)


@_RESUME.check(
    "resume.well-formed",
    a_finished_run_resumed,
    title="a resumed stream is a stream like any other",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=[
        "whatever the rules of a stream accept",
        "a beginning in the middle of a step",
        "what breaks a rule of streams that the whole stream breaks, too",
    ],
)
def _is_well_formed(rests: list[Resumed], replay: Exchange) -> Iterator[Finding]:
    usual = {flaw.rule for flaw in read(replay).findings}
    for resumed in rests:
        if is_stream(resumed.exchange):
            yield from at(resumed.name, _list_flaws(resumed.exchange, usual))


# --- what the judges share


def _rest(events: Sequence[Event], resumed: Resumed) -> EventDiff:
    came, contract = events_in(resumed.exchange), read(resumed.exchange).contract
    return compare(resumed.reference(events), resumed.at, came, contract)


def _spare_the_end(rest: EventDiff, whole: Sequence[Event], replay: Exchange) -> EventDiff:
    """The difference without the end of the run, if no stream of it tells that: `stream.terminal` says so."""
    if all(flaw.rule != "stream.terminal" for flaw in read(replay).findings):
        return rest
    kept = tuple(number for number in rest.missing if not PROTOCOL.completes(whole[number]))
    return replace(rest, missing=kept)


def _judge_cursor(code: str, events: Sequence[Event], resumed: Resumed) -> Finding | None:
    """The finding that a cursor from a resumed stream is not its event's id in the whole one; None if it is."""
    number = resumed.origin + 1 + resumed.at
    if (
        not resumed.before
        or number >= len(events)
        or not is_same_event(events[number], resumed.before[resumed.at])
    ):
        return None
    usual = cursor(events[number])
    if usual == resumed.cursor:
        return None
    message = (
        f"event {number} has the id {usual!r} in the whole stream and {resumed.cursor!r} in a resumed one, "
        "so that whoever resumes after it again gets something else than the rest"
    )
    place = f"resume after event {resumed.origin}"
    return Finding.from_code(code, message, repr(usual), repr(resumed.cursor)).at(exchange=place, event=resumed.at)


def _list_flaws(stream: Exchange, usual: Container[str]) -> Iterator[Finding]:
    if not stream.body.startswith(_OPENINGS):
        yield finding("begins in the middle of a frame", expected="event: or data:", actual=repr(stream.body[:40]))
    for flaw in read(stream).findings:
        if flaw.severity is Severity.BROKEN and flaw.rule not in usual:
            yield replace(flaw, rule="", message=f"{flaw.message} ({flaw.rule})")


def _moved_ids(name: str, these: Sequence[Event], those: Sequence[Event]) -> Iterator[Finding]:
    pairs = zip(filter(is_of_the_run, these), filter(is_of_the_run, those), strict=False)
    for number, (one, other) in enumerate(pairs):
        if is_same_event(one, other) and cursor(one) != cursor(other):
            yield finding(
                f"an event has another id in {name}", expected=repr(cursor(one)), actual=repr(cursor(other))
            ).at(event=number)
            return
