"""Checks of replay and resume on a finished run: after every cut the stream must continue exactly there.

`vocabulary.streams` makes the comparison; `readers` checks runs in progress. Without event ids only replay is
testable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct, structs

from harness.checks.vocabulary.expect import at, expect_reply, expect_status, finding
from harness.checks.vocabulary.runs import need_id, open_stream, poll_until_found, read_whole_stream, status_of
from harness.checks.vocabulary.shared import HELLO
from harness.checks.vocabulary.streams import (
    Event,
    additions,
    completion,
    cursor,
    cuts,
    events_in,
    expect_stream,
    is_fuller,
    is_stream,
    leniencies,
    losses,
    of_kind,
    stream_id,
)
from harness.contract import PROTOCOL, read
from harness.contract.judge.agreement import judge_identity
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS, judge_endless, judge_stream_label
from harness.contract.judge.reading import format_answer
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import RUNNING
from harness.contract.transcript import EventDiff, compare, is_of_the_run, is_same_event, shape_of
from harness.kit.check import Exchanges, Finish, Part, Send, Steps, exercise, play_each, send, stop_exercise
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import By, Exchange

CUTS = 8
"""The number of places to resume a finished run from; each costs one request and runs no model."""

_OPENINGS = (b"event", b"data", b"id", b"retry", b":", b"\n", b"\r", b"\xef\xbb\xbf")
"""How a stream of server-sent events can begin; clients silently skip lines with other field names."""


class Resumed(Struct, frozen=True):
    """A stream resumed after `cursor`, the cursor of event number `at` of the whole stream.

    With `before`, the cursor was taken from a stream that was itself resumed: it is of event `at` of those, which
    came after the event `origin` of the whole stream. With `again`, an earlier resume had the same cursor.
    """

    cursor: str
    at: int
    exchange: Exchange
    before: tuple[Event, ...] = ()
    origin: int = -1
    again: bool = False

    @property
    def name(self) -> str:
        """The name of the exchange among the results of its exercise and in messages."""
        words = f"resume after event {self.at}" + (" of a resumed stream" if self.before else "")
        return f"second {words}" if self.again else words

    def reference(self, whole: Sequence[Event]) -> Sequence[Event]:
        """The events among which the cursor is number `at`."""
        return self.before or whole


_RAW = "!$'()*+,-./:;=?@_~"
"""What a query may contain as it is, and a client encodes all the same."""


@exercise(requests=9 + CUTS, interactions=1)
def a_finished_run_resumed(t: RequestBuilder) -> Steps:
    """A background run read to its end, replayed, and resumed after some of its events and after the last.

    One of the resumed streams is opened twice with the same cursor, and resumed with a cursor of its own, as if a
    second connection was lost. `first` and `replay` are two readings of the whole, `events` those of the complete
    one; `rests` are the resumed streams, `last` is the one after the final event.
    """
    found = need_id((yield Send(t.create(input=HELLO, background=True))))
    yield from poll_until_found(t, found)  # so that what answers by the path alone brings this again
    first: Exchange = yield Finish((yield from open_stream(t, found)))
    seen: Exchanges = {"asked_for": found, "first": first}
    wrong = read_whole_stream(t.get(found, stream=True, last_event_id="no-such-cursor"))
    if first.ending.by is By.LIMIT and status_of((yield Send(t.get(found)))) in RUNNING:
        t.waiting.in_vain = True
        seen["bad_cursor"] = yield from wrong
        return stop_exercise(seen, f"the run had not settled after {first.seconds:.3g} s")
    whole = read_whole_stream(t.get(found, stream=True))
    seen["bad_cursor"], seen["replay"] = yield from play_each((wrong, whole))
    events: list[Event] = []  # those of a complete reading, so that resumes can be compared with it
    for reading in (seen["replay"], first):
        whole_one = is_stream(reading) and not reading.truncated and completion(events_in(reading)) is not None
        if whole_one and cuts(events_in(reading), CUTS):
            events = events_in(reading)
            break
    places = cuts(events, CUTS)
    if not places:
        return stop_exercise(seen, "no complete stream of the run had an event with an event_id")
    seen["events"] = events
    rests = yield from play_each(_resume(t, found, events, place) for place in places)
    middle, final = places[len(places) // 2], cursor(events[-1])
    token = cursor(events[middle]) or ""
    plain = t.get(found, stream=True)
    escaped = "".join(f"%{byte:02X}" for byte in token.encode("utf-8", "surrogatepass"))  # which is equivalent
    within = max(1.0, t.wait / 12)  # a resume at the final event has nothing to wait for
    again, encoded, *last = yield from play_each(
        (
            _resume_again(t, found, rests[len(rests) // 2]),
            read_whole_stream(structs.replace(plain, target=f"{plain.target}&last_event_id={escaped}")),
            *([send(t.get(found, stream=True, last_event_id=final), within)] if final is not None else []),
        )
    )
    seen["rests"] = [*rests, *again]
    if all(one.cursor not in one.exchange.request.target and one.exchange.status in CLIENT_ERROR for one in rests):
        # Where each cursor has to be percent-encoded, one as it is shows whether that is why they are rejected.
        target = f"{plain.target}&last_event_id={quote(token, safe=_RAW)}"
        raw: Exchange = yield from read_whole_stream(structs.replace(plain, target=target))
        seen["rests"] += [Resumed(token, middle, raw, again=True)] if is_stream(raw) else []
    seen.update({resumed.name: resumed.exchange for resumed in seen["rests"]})
    seen["encoded"] = Resumed(token, middle, encoded)
    if not last:
        remedy = "on a server whose final event has an `event_id`"
        return stop_exercise(seen, "the final event has no `event_id`", race_lost=True, remedy=remedy)
    return {**seen, "last": last[0]}


def _read_after(t: RequestBuilder, found: str, token: str) -> Part[Exchange]:
    return read_whole_stream(t.get(found, stream=True, last_event_id=token))


def _resume(t: RequestBuilder, found: str, events: Sequence[Event], place: int, **known: Any) -> Part[Resumed]:
    """Resume after one of the events; `known` is more about that connection."""
    token = cursor(events[place]) or ""
    return Resumed(token, place, (yield from _read_after(t, found, token)), **known)


def _resume_again(t: RequestBuilder, found: str, first: Resumed) -> Part[list[Resumed]]:
    """Resume with a cursor that was used before, and with one of the stream that it gave."""
    before = tuple(events_in(first.exchange)) if is_stream(first.exchange) else ()
    repeated, *later = yield from play_each(
        (
            _read_after(t, found, first.cursor),
            *(_resume(t, found, before, place, before=before, origin=first.at) for place in cuts(before, 3)[1:2]),
        )
    )
    return [Resumed(first.cursor, first.at, repeated, again=True), *later]


def opens_a_stream(first: Exchange, replay: Exchange) -> Iterator[Finding]:
    for name, reading in (("first", first), ("replay", replay)):
        yield from at(name, expect_reply("resume.opens", reading))
        if reading.status not in SUCCESS:
            continue
        yield from at(name, expect_stream(reading))
        if is_stream(reading):
            labels = judge_stream_label(reading)  # others may be right
            yield from at(name, (structs.replace(one, rule="", cause=one.rule) for one in labels))


def is_the_one_asked_for(asked_for: str, first: Exchange, replay: Exchange) -> Iterator[Finding]:
    ids = {name: stream_id(events_in(reading)) for name, reading in (("first", first), ("replay", replay))}
    if not any(ids.values()):
        raise Unmet("no event names its interaction")
    for name, found in ids.items():
        if found:
            yield from at(name, judge_identity("resume.same-id", asked_for, found))


def begins_at_the_first_event(first: Exchange, replay: Exchange) -> Iterator[Finding]:
    due = events_in(first)
    yield from expect_stream(replay)
    if not is_stream(replay):
        return
    name, came = "the replay", events_in(replay)
    if due and not came and replay.complete:
        message = "an event that one reader got comes to no other: a stream that is opened later is empty"
        yield finding(message, format_count(len(due), "event"), "none", code="resume.replay/consumed")
        return
    if is_fuller(came, due):
        name, due, came = "the first stream, read during the run,", came, due
    rest = _spare_the_end(compare(due, -1, came, read(replay).contract), due, replay)
    yield from losses(name, due, rest, came)
    yield from additions(name, came, rest)
    yield from leniencies(name, came, rest)


def _drop_repeats(events: list[Event], rests: list[Resumed]) -> list[Resumed]:
    """The resumed streams without a second one whose first is wrong, too: it shows nothing new."""
    firsts = [one for one in rests if not one.again]
    wrong = {one.cursor for one in firsts if not is_stream(one.exchange) or _rest(events, one) != EventDiff()}
    return [one for one in rests if not one.again or one.cursor not in wrong]


def lacks_nothing(events: list[Event], rests: list[Resumed], replay: Exchange) -> Iterator[Finding]:
    escaped = [one for one in rests if one.cursor not in one.exchange.request.target]
    rejected = [one for one in rests if one.exchange.status in CLIENT_ERROR]
    if rejected and rejected == escaped != rests:
        message = f"{escaped[0].cursor!r} is rejected, as is each cursor that the address has percent-encoded"
        words = message, "a stream, as for other cursors", format_answer(escaped[0].exchange)
        yield finding(*words, code="resume.no-gap/encoded", exchange=escaped[0].name)
        return
    for resumed in _drop_repeats(events, rests):
        yield from at(resumed.name, expect_stream(resumed.exchange))
        if is_stream(resumed.exchange):
            whole = resumed.reference(events)
            rest = _spare_the_end(_rest(events, resumed), whole, replay)
            moved = _judge_cursor("resume.no-gap/ids", events, resumed) if rest.missing else None
            lost = losses(resumed.name, whole, rest, events_in(resumed.exchange))
            yield from [moved] if moved else at(resumed.name, lost)


def brings_nothing_twice(events: list[Event], rests: list[Resumed]) -> Iterator[Finding]:
    for resumed in _drop_repeats(events, rests):
        yield from at(resumed.name, expect_stream(resumed.exchange))
        if is_stream(resumed.exchange):
            rest = _rest(events, resumed)
            differs = rest.extra or rest.reordered
            moved = _judge_cursor("resume.exclusive/ids", events, resumed) if differs else None
            came = events_in(resumed.exchange)
            lacks = _judge_withheld(events, came, rest)
            yield from [moved] if moved else at(resumed.name, lacks or additions(resumed.name, came, rest))
            yield from at(resumed.name, leniencies(resumed.name, came, rest))


def keeps_its_ids(events: list[Event], rests: list[Resumed], first: Exchange) -> Iterator[Finding]:
    if is_stream(first):
        yield from _moved_ids("the first reading", events, events_in(first))
    for resumed in rests:
        if is_stream(resumed.exchange) and _rest(events, resumed) == EventDiff():
            due = resumed.reference(events)[resumed.at + 1 :]
            yield from at(resumed.name, _moved_ids(resumed.name, due, events_in(resumed.exchange)))


def still_completes(rests: list[Resumed]) -> Iterator[Finding]:
    for resumed in rests:
        if completion(events_in(resumed.exchange)) is None:
            message = f"the {resumed.name} does not complete"
            yield finding(message, "interaction.completed", "none", exchange=resumed.name)


def is_well_formed(rests: list[Resumed], replay: Exchange) -> Iterator[Finding]:
    usual = {flaw.rule for flaw in read(replay).findings}
    for name, stream in ((resumed.name, resumed.exchange) for resumed in rests if is_stream(resumed.exchange)):
        if not stream.body.startswith(_OPENINGS):
            message = "the resumed stream begins in the middle of a frame"
            yield finding(message, "event: or data:", repr(stream.body[:40]), exchange=name)
        for flaw in read(stream).findings:
            if flaw.severity is Severity.BROKEN and flaw.rule not in usual:
                yield structs.replace(flaw, rule="", message=f"{flaw.message} ({flaw.rule})").at(exchange=name)


def _rest(events: Sequence[Event], resumed: Resumed) -> EventDiff:
    came, contract = events_in(resumed.exchange), read(resumed.exchange).contract
    return compare(resumed.reference(events), resumed.at, came, contract)


def _spare_the_end(rest: EventDiff, whole: Sequence[Event], replay: Exchange) -> EventDiff:
    """The difference without the end of the run, if no stream of it has one: `stream.terminal` reports that."""
    if all(flaw.rule != "stream.terminal" for flaw in read(replay).findings):
        return rest
    kept = tuple(number for number in rest.missing if not PROTOCOL.completes(whole[number]))
    return structs.replace(rest, missing=kept)


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
        "so that a second resume returns other events than the rest"
    )
    place = f"resume after event {resumed.origin}"
    return Finding.from_code(code, message, repr(usual), repr(resumed.cursor)).at(exchange=place, event=resumed.at)


def _judge_withheld(events: Sequence[Event], came: Sequence[Event], rest: EventDiff) -> list[Finding]:
    """The finding that the whole stream lacks what a resumed one holds between its events; none if it does not."""
    known = {shape_of(event) for event in events}
    inner = [number for number in rest.extra if number + 1 < len(came)]
    if rest.missing or not rest.extra or len(inner) < len(rest.extra):
        return []
    if any(shape_of(came[number]) in known or cursor(came[number]) is None for number in inner):
        return []
    kind = str(came[inner[0]].get("event_type"))
    message = f"the stream without a cursor lacks an event (`{kind}`) that a resumed stream contains"
    actual = f"`{kind}` in the resumed stream only"
    found = Finding.from_code("resume.exclusive/withheld", message, "the same events in both", actual)
    return [found.at(event=inner[0])]


def _moved_ids(name: str, these: Sequence[Event], those: Sequence[Event]) -> Iterator[Finding]:
    pairs = zip(filter(is_of_the_run, these), filter(is_of_the_run, those), strict=False)
    for number, (one, other) in enumerate(pairs):
        if is_same_event(one, other) and cursor(one) != cursor(other):
            yield finding(
                f"an event has another event_id in {name}", repr(cursor(one)), repr(cursor(other)), event=number
            )
            return


# --- unusual cursors: percent-encoded, of the final event, or unknown; and of streams of an unknown id


def reads_an_encoded_cursor(rests: list[Resumed], encoded: Resumed) -> Iterator[Finding]:
    plain = next(resumed for resumed in rests if resumed.at == encoded.at)
    expected = events_in(plain.exchange)
    yield from expect_stream(encoded.exchange)
    contract = read(encoded.exchange).contract
    if is_stream(encoded.exchange) and compare(expected, -1, events_in(encoded.exchange), contract) != EventDiff():
        yield finding(
            f"cursor {encoded.cursor!r} returns other events when it is percent-encoded",
            format_count(len(expected), "event"),
            format_count(len(events_in(encoded.exchange)), "event"),
        )


def ends_at_the_end(last: Exchange) -> Iterator[Finding]:
    yield from expect_status(last, accepts={*SUCCESS, *CLIENT_ERROR})
    if last.status not in SUCCESS or not last.body:
        return
    if not is_stream(last):
        yield finding("the response contains no events", "a stream or nothing", format_answer(last))
        return
    events = [event for event in events_in(last) if is_of_the_run(event)]
    if len(events) > len(of_kind(events, "interaction.completed")) or len(events) > 1:
        yield finding("events arrived after the final event", "the completion at most", f"{len(events)}")


def ends_at_all(last: Exchange, rests: list[Resumed]) -> Iterator[Finding]:
    if not last.hung:
        return
    if 2 * max(resumed.exchange.seconds for resumed in rests) >= last.seconds:
        raise Unmet("other resumed streams were slow, too, so the wait at the final event was too short to judge")
    message = "a resume at the final event does not end"
    yield from at("last", judge_endless("resume.ends", message, last))


def answers_a_bad_cursor(first: Exchange, bad_cursor: Exchange) -> Iterator[Finding]:
    yield from expect_status(bad_cursor, accepts={*SUCCESS, *CLIENT_ERROR})
    if bad_cursor.status not in SUCCESS:
        return
    if not is_stream(bad_cursor):
        yield finding("the response contains no events", "a stream or a refusal", format_answer(bad_cursor))
        return
    events = [event for event in events_in(bad_cursor) if is_of_the_run(event)]
    if not of_kind(events, "error") and len(events) < len([e for e in events_in(first) if is_of_the_run(e)]):
        yield finding(
            "an unknown cursor returns a part of the stream and no error",
            "a refusal, an error event, or everything",
            format_count(len(events), "event"),
        )
