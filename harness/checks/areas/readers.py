"""Checks of several readers of a run in progress, and of readers that disconnect and come back.

This is what resume is for; `resume` checks many cuts of a finished run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from msgspec import structs

from harness.checks.vocabulary import runs, streams
from harness.checks.vocabulary.expect import at, finding
from harness.checks.vocabulary.shared import HELLO
from harness.contract import PROTOCOL, read
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import RUNNING
from harness.contract.transcript import compare, is_of_the_run, shape_of
from harness.kit.check import Close, Exchanges, Finish, Open, Part, Read, Send, Steps, exercise, stop_exercise
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, LiveStream, Wait

_READ_BEFORE_CUT = 5
"""Events a reader receives before it disconnects; more if none of them carries a cursor."""


@exercise(requests=9, interactions=1)
def a_running_run_with_readers(t: RequestBuilder) -> Steps:
    """Two readers of a run in progress, and a third that disconnects and comes back while the run goes on.

    Others come back with the newest event as their cursor, which may have no successor yet: a server that sends
    events in bursts has one after some of them only.

    A run that is over before the third reader is back is tried again with a longer one, which is left earlier, and
    twice more if the second reader seems to have waited each time.
    """
    waits = 0
    for number, (text, count) in enumerate([(runs.LONG, _READ_BEFORE_CUT), *[(runs.LONGER, 3)] * 3]):
        seen = yield from _leave_and_return(t, text, count)
        over = streams.completion(seen["had"]) is not None or (
            seen["live"] is not None and runs.settled(seen["live"])
        )
        one, two = seen["readers"]  # a busy machine keeps a reader waiting, too, but not in each run
        usual = max(one.first_byte, seen["replay"].first_byte)
        waits += over and two.first_byte > max(4 * usual, one.seconds / 2)
        if not over or (number and waits <= number):
            break
    live = [*seen["readers"], *seen["newest_rests"], *filter(None, [seen["rest"]])]
    if seen["replay"].complete and any(one.hung and one.succeeded for one in live):
        with suppress(Unmet):
            yield from _follow_again(t)
    seen["waits"] = waits == 4
    stayed = {name: seen[name] for name in ("readers", "replay", "waits")}
    if over:
        late = seen["live"] is not None and streams.completion(seen["had"]) is None
        what = "the resume that was requested during it returned" if late else "the disconnected reader resumed"
        return stop_exercise(stayed, f"the run settled before {what}", race_lost=True)
    if seen["token"] is None:
        remedy = "with an `event_id` in every event"
        return stop_exercise(stayed, "no event before the drop had an `event_id`", race_lost=True, remedy=remedy)
    return seen


def _leave_and_return(t: RequestBuilder, text: str, count: int) -> Part[dict[str, Any]]:
    """One run and its three readers, one of which leaves after `count` events; without a cursor it stays away."""
    run = yield from runs.start_held_run(t, "readers", text=text)
    one = yield from runs.open_stream(t, run.id)
    begun = streams.decode_frames((yield Read(one, 1)))
    two = yield from runs.open_stream(t, run.id)
    yield Read(two, 1)
    three = yield from runs.open_stream(t, run.id)
    had = yield from runs.read_to_a_cursor(three, count, most=runs.HELD_AFTER)
    left: Exchange = yield Close(three)
    # One event comes while the third reader is away. With more, a short run would be over before it returns.
    ahead = streams.decode_frames((yield Read(one, min(len(had), runs.HELD_AFTER - 1))))
    # Others report a run that does not go on; each of its readers would wait for it for as long as it may take.
    if left.hung and one.ended and streams.completion(ahead) is None:
        raise Unmet("no reader of the run received any more events")
    token = streams.last_cursor(had)
    back = live = None
    known: list[list[streams.Event]] = []
    newest: list[LiveStream] = []
    if token is not None and streams.completion(had) is None:
        back = yield Open(t.get(run.id, stream=True, last_event_id=token))
        live = yield Send(t.get(run.id))
        more = runs.HELD_AFTER - 1 - len(ahead) if run.held else 1
        events = [*begun, *ahead]
        for late, further in enumerate((more,) if run.held else (more, 1, 1)):
            events += streams.decode_frames((yield Read(one, further)))
            if events and streams.cursor(events[-1]) and streams.completion(events) is None:
                # A server that replays and then subscribes loses what comes in between: not just after an event.
                yield Wait(late * min(1.0, left.seconds / len(had)))
                known.append([*events])
                newest.append((yield Open(t.get(run.id, stream=True, last_event_id=streams.cursor(events[-1])))))
    yield from runs.release_run(t, run)
    readers = [(yield Finish(one)), (yield Finish(two))]
    rest = (yield Finish(back)) if back is not None else None
    replay = yield from runs.read_whole_stream(t.get(run.id, stream=True))
    seen = {"readers": readers, "had": had, "token": token, "live": live, "rest": rest, "replay": replay}
    newest_rests = []
    for opened in newest:
        newest_rest = yield Finish(opened)
        newest_rests.append(newest_rest)
    seen |= {"known": known, "newest_rests": newest_rests}
    return {**seen, **(yield from _resume_after_the_end(t, run.id, readers[0]))}


def _follow_again(t: RequestBuilder) -> Part[None]:
    """Read more runs while they go on, until eight readers did not end.

    Each run judges which were silent. Behind a balancer, only some readers are at a worker that sends nothing.
    They are read one after the other, so each first takes in what has come: from then on all are silent.
    """
    endless = 0
    for _ in range(6):
        run = runs.need_id((yield from runs.start_run(t)))
        opened: list[LiveStream] = []
        for _ in range(4):
            opened.append((yield from runs.open_stream(t, run)))
            yield Read(opened[-1], 1)
        yield from runs.poll_until_settled(t, run)
        for one in opened:
            one.hurry(t.wait)
            yield Read(one, 0)
        for one in opened:
            endless += (yield Finish(one)).hung
        if endless >= 8:
            break


def _resume_after_the_end(t: RequestBuilder, run: str, reader: Exchange) -> Part[dict[str, Any]]:
    """Resume a run that has ended after an event within its text that a reader received while it went on."""
    events = streams.events_in(reader) if streams.is_stream(reader) else []
    places = [number for number, event in enumerate(events) if PROTOCOL.text_of(event) and streams.cursor(event)]
    if not places or streams.completion(events) is None:
        return {"had_all": [], "late_rest": None}
    place = places[len(places) // 2]
    late = yield from runs.read_whole_stream(t.get(run, stream=True, last_event_id=streams.cursor(events[place])))
    return {"had_all": events[: place + 1], "late_rest": late}


@exercise(requests=8, interactions=1)
def a_background_stream_left(t: RequestBuilder) -> Steps:
    """A background run whose reader leaves the stream of its create, polls it to its end, and reads the rest.

    Two more readers come and leave. If none can read the run after its end, `others` are GETs of it and streams of
    other runs.
    A run that does not end as one should gets a twin: the same, with a reader that stays. A run that settles
    before the reader can leave is tried again with a longer one.
    """
    for text in (runs.LONG, runs.LONGER):
        held = yield from runs.script(t, "left", hold={"after": runs.HELD_AFTER})
        request = t.create(input=f"{text} (left)", background=True, stream=True)
        stream = yield Open(request, t.wait)
        had = yield from runs.read_to_a_cursor(stream, _READ_BEFORE_CUT, most=runs.HELD_AFTER)
        left: Exchange = yield Close(stream)
        if streams.completion(had) is None:
            break
    found = streams.stream_id(had)
    if not streams.is_stream(left) or not found:
        raise Unmet(f"the create returned no stream with an id: {format_answer(left)}")
    if streams.completion(had) is not None:
        raise Unmet("the run settled before the client could disconnect", race_lost=True)
    for _ in range(2):  # a server may go on counting who has left
        yield Close((yield Open(t.get(found, stream=True))))
    yield from runs.release_run(t, runs.BackgroundRun(found, left, held))
    seen: Exchanges = {"left": left, **(yield from _poll_beside_a_twin(t, found, f"{text} (twin)"))}
    if not _ends_well(seen["polled"][-1]):
        return stop_exercise(seen, f"the run did not continue: {format_answer(seen['polled'][-1])}")
    token = streams.last_cursor(had)
    seen["others"], others = [], []
    for _ in range(4):  # how often this run must have no place for a reader while another one has
        seen["replay"] = yield Send(t.get(found, stream=True), sees=frozenset({429}))
        if seen["replay"].status != 429:
            break
        # A limit of the rate rejects one of these, too.
        other = runs.id_of((yield Send(t.create(input=HELLO))))
        others.append((yield Send(t.get(found), sees=frozenset({429}))))
        others.append((yield Send(t.get(other or found, stream=True), sees=frozenset({429}))))
    else:
        if all(other.succeeded for other in others):
            return {**seen, "had": had, "token": "", "rest": seen["replay"], "others": others}
        seen["replay"] = yield from runs.read_whole_stream(t.get(found, stream=True))
    if token is None:
        return stop_exercise(seen, "no event of the create's stream had an event_id")
    rest: Exchange = yield from runs.read_whole_stream(t.get(found, stream=True, last_event_id=token))
    return {**seen, "had": had, "token": token, "rest": rest}


def _poll_beside_a_twin(t: RequestBuilder, found: str, text: str) -> Part[Exchanges]:
    """Poll a run; if that does not end well in a part of the time, until another run of the same text has settled.

    The other began later, so a run that is not over then has stopped.
    """
    # The part of the time of a run after which one that was left is compared with another.
    polled = yield from runs.poll_for(t, found, t.wait * 0.25)
    if _ends_well(polled[-1]):
        return {"polled": polled, "twin": None}
    stream = yield Open(t.create(input=text, background=True, stream=True), t.wait)
    twin = streams.stream_id(streams.decode_frames((yield Read(stream, 1))))
    if twin:  # as the other was: what keeps the first look at a run would show that one alone as in progress
        yield Send(t.get(twin))
    stayed: Exchange = yield Finish(stream)
    if not twin:
        raise Unmet(f"the create returned no stream with an id: {format_answer(stayed)}")
    ended = streams.completion(streams.events_in(stayed)) is not None
    seen = yield from (runs.poll_after_stream(t, twin, stayed) if ended else runs.poll_until_settled(t, twin))
    polled += yield from runs.poll_for(t, found, t.gone_within, to_the_end=True)
    return {"polled": polled, "twin": seen[-1]}


def _ends_well(answer: Exchange) -> bool:
    """Whether an answer shows a run that is over, and not because something stopped it."""
    return runs.settled(answer) and runs.status_of(answer) not in ("failed", "cancelled")


def serves_two_readers(readers: list[Exchange], replay: Exchange, waits: bool) -> Iterator[Finding]:
    due = streams.events_in(replay)
    if waits:
        message = "the second reader of a run receives nothing before the run has ended"
        one, two = (f"{reader.first_byte:.2f} s" for reader in readers)
        actual = f"its first byte after {two}, {one} for the first reader"
        yield finding(message, "events at once", actual, code="resume.two-readers/waits", exchange="readers[1]")
    for number, reader in enumerate(readers):
        rest = compare(due, -1, streams.events_in(reader), read(reader).contract)
        name, place = f"reader {number + 1}", f"readers[{number}]"
        if streams.is_fuller(streams.events_in(reader), due):
            raise Unmet(f"{name} contains events that the replay lacks, so the expected events are unknown")
        ends = [streams.completion(streams.events_in(one)) is not None for one in (reader, readers[1 - number])]
        for lost in at(place, streams.losses(name, due, rest)):
            if ends == [False, True]:
                message = f"{lost.message}, which the other reader received"
                lost = structs.replace(lost, message=message, code="resume.two-readers/other")
            elif rest.missing[0] and not rest.extra and len(due) - rest.missing[0] > len(rest.missing):
                message = f"{lost.message}, and has later ones"
                lost = structs.replace(lost, message=message, code="resume.two-readers/lost")
            yield lost
        yield from at(place, streams.additions(name, streams.events_in(reader), rest))


def takes_a_live_reader_back(
    had: list[streams.Event],
    token: str,
    rest: Exchange,
    replay: Exchange,
    readers: list[Exchange],
    known: list[list[streams.Event]],
    newest_rests: list[Exchange],
    had_all: list[streams.Event],
    late_rest: Exchange | None,
) -> Iterator[Finding]:
    """Like `takes_a_reader_back`; what the stream lacks may have gone to another reader of the run instead.

    A reader may also come back when the run has ended.
    """
    if (
        streams.is_stream(rest)
        and (streams.completion(streams.events_in(rest)) or {}).get("status") == "cancelled"
    ):
        message = "a client that leaves the stream of a run cancels the run"
        yield finding(message, "the rest of the run", "cancelled", code="resume.live/canceled", exchange="rest")
        return
    due, *came = (
        [shape_of(event) for event in streams.of_kind(streams.events_in(one), "step.delta")]
        for one in (replay, rest, *readers)
        if streams.is_stream(one)
    )
    places = {shape: number for number, shape in enumerate(dict.fromkeys(due))}  # a text may repeat a word
    got = [sorted({places[shape] for shape in shapes if shape in places}) for shapes in came]
    shared = [number for number, times in Counter(chain.from_iterable(got)).items() if times > 1]
    # A stream that ends early lacks the last events, and one of readers that share them some in between.
    gaps = [bool(numbers) and numbers[-1] - numbers[0] >= len(numbers) for numbers in got]
    divided = any(gaps) and len(came) > 1 and len(shared) <= len(places) / 2
    for one in takes_a_reader_back(had, token, rest, replay):
        if divided and one.where.event is not None:
            message = f"the readers of a run divide its events among them: {one.message}"
            one = structs.replace(one, message=message, code="resume.live/divided")
        elif gaps[:1] == [True] and one.where.event is not None and one.actual == "nothing":
            message = f"{one.message}, and has later ones"
            one = structs.replace(one, message=message, code="resume.live/lost")
        yield one
    for number, (events, newest) in enumerate(zip(known, newest_rests, strict=True)):
        place, found = f"newest_rests[{number}]", None
        for found in takes_a_reader_back(events, streams.last_cursor(events) or "", newest, replay):
            message = f"at the newest event of a run in progress, {found.message}"
            yield structs.replace(found, message=message, code="resume.live/newest").at(exchange=place)
        if found is not None:  # the others show the same
            break
    if late_rest is None or not streams.is_stream(late_rest) or not streams.is_stream(replay):
        return
    # A server may join the deltas of a run that has ended; the text of both streams stays that of the run.
    before, after, whole = (
        "".join(text[1] for event in events if (text := PROTOCOL.text_of(event)))
        for events in (had_all, streams.events_in(late_rest), streams.events_in(replay))
    )
    if whole and before + after != whole:
        twice = (before + after).endswith(whole)
        message = "after the end of a run, a cursor from a stream of the run "
        message += "returns text again that came before it" if twice else "returns other text than the rest"
        texts = format_value(whole[len(before) :]), format_value(after)
        yield finding(message, *texts, code="resume.live/after-the-end", exchange="late_rest")


def takes_who_left_back(
    had: list[streams.Event], token: str, rest: Exchange, replay: Exchange, others: list[Exchange]
) -> Iterator[Finding]:
    if not others:
        yield from takes_a_reader_back(had, token, rest, replay)
        return
    message = "a run that has ended, and whose readers have left, takes no reader, unlike other runs"
    full = (message, "the rest of the stream", format_answer(rest))
    yield finding(*full, code="resume.from-create/readers", exchange="rest")


def takes_a_reader_back(
    had: list[streams.Event], token: str, rest: Exchange, replay: Exchange
) -> Iterator[Finding]:
    due = streams.events_in(replay)
    cut = max(number for number, event in enumerate(had) if streams.cursor(event) == token)
    place = _place_of(had[: cut + 1], due)
    if place is None:
        place = next((number for number, event in enumerate(due) if streams.cursor(event) == token), cut)
    yield from at("rest", streams.expect_stream(rest))
    if not streams.is_stream(rest):
        return
    found = compare(due, place, streams.events_in(rest), read(rest).contract, had=had[: cut + 1])
    if place >= len(due) and not found.resplit:
        raise Unmet(
            f"the replay contains {format_count(len(due), 'event')}, fewer than a reader received during the run"
        )
    name = f"the stream after {token!r}"
    yield from at("rest", streams.losses(name, due, found))
    yield from at("rest", streams.additions(name, streams.events_in(rest), found))
    yield from at("rest", streams.leniencies(name, streams.events_in(rest), found))


def _place_of(had: list[streams.Event], due: list[streams.Event]) -> int | None:
    """The number among the events due of the last that a reader had; None if it had others.

    It does not follow from the cursor, which may be of another event in another stream.
    """
    mine = [shape_of(event) for event in had if is_of_the_run(event)]
    theirs = [(number, shape_of(event)) for number, event in enumerate(due) if is_of_the_run(event)][: len(mine)]
    return theirs[-1][0] if mine and [shape for _, shape in theirs] == mine else None


def goes_on_alone(polled: list[Exchange], twin: Exchange | None) -> Iterator[Finding]:
    last = polled[-1]
    if twin is None or _ends_well(last):
        return
    if runs.status_of(twin) in RUNNING:  # the whole stream of its create has come
        message = "GET shows a run in progress long after the stream of its create completed"
        stuck = finding(message, "completed", runs.status_of(twin), code="bg.survives-hangup/outlived")
        yield stuck.at(exchange="twin", pointer="$.status")
        return
    if not _ends_well(twin):
        raise Unmet(f"an undisturbed run ends as {runs.status_of(twin)!r}, too")
    message = "the client left the stream of the create, and the run did not complete"
    expected, place = f"{runs.status_of(twin)}, as an undisturbed run", f"polled[{len(polled) - 1}]"
    yield finding(message, expected, runs.show_status(last), exchange=place)
