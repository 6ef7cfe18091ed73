"""Checks of streams: of each single one, of one beside what is stored, and of when its events arrive.

`harness.contract` judges what a single stream must look like; here its rules are applied to every kind of stream
that a target supports. Kinds that it refuses are left out; only the plain text stream is required.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    finding,
    interaction_in,
    lenient_finding,
    object_in,
    of_rule,
)
from harness.checks.vocabulary.shared import HELLO, OFFERS_GZIP, Streams
from harness.checks.vocabulary.streams import (
    Event,
    adds_up,
    arrival_of,
    completion,
    cursor,
    decode_frames,
    deltas,
    events_in,
    expect_stream,
    is_stream,
    is_whole,
    last_cursor,
    of_kind,
    stream_id,
)
from harness.contract import read
from harness.contract.judge import agreement
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import RUNNING
from harness.contract.transcript import output_text, steps_text
from harness.kit.check import Close, Exchanges, Finish, Open, Part, Read, Send, Steps, exercise
from harness.outcome import Finding, Severity, Unmet
from harness.wire import Exchange, LiveStream
from harness.wire.bodies import object_or_none

_COMPLETED = (lambda events: completion(events) is not None, "no stream contained interaction.completed")
_NEEDS: Mapping[str, tuple[Callable[[Sequence[Event]], object], str]] = {
    "stream.args-join": (
        lambda events: deltas(events, "arguments_delta"),
        "no stream contained an arguments_delta",
    ),
    "stream.sig-last": (
        lambda events: deltas(events, "thought_signature"),
        "no stream contained a thought_signature",
    ),
    "stream.evid-unique": (lambda events: last_cursor(events) is not None, "no stream contained an event_id"),
    "stream.completed-status": _COMPLETED,
    "stream.completed-usage": _COMPLETED,
}
"""What at least one stream must contain for a rule to be testable, and what is said if none does."""


def keeps_in_every_stream(rule: str, text: Exchange, streams: Streams) -> Iterator[Finding]:
    events_in(text)
    alike: dict[tuple[str, str], list[Finding]] = {}
    # The example is no stream whose prompt has the sentinel as a word, if another one shows the defect, too.
    for name, stream in sorted(streams.items(), key=lambda item: b"[DONE]" in item[1].request.body):
        for one in at(f"streams[{name}]", of_rule(rule, stream)):
            alike.setdefault((one.stable_code, one.message), []).append(one)
    for found in alike.values():
        number, among = len({one.where.exchange for one in found}), len(streams)
        where = "all" if number == among else f"{number} of"
        message = f"{found[0].message}, in {where} {among} streams" if among > 1 else found[0].message
        yield replace(found[0], message=message, weight=number)
    needed, lacking = _NEEDS.get(rule, (bool, "no stream contained an event"))
    if not any(needed(events_in(stream)) for stream in streams.values()):
        raise Unmet(lacking)


# --- streams beside something else: their create, and what GET returns and streams again


def opens(text: Exchange, tool: Exchange, thought: Exchange) -> Iterator[Finding]:
    yield from at("text", expect_stream(text))
    for name, answer in (("tool", tool), ("thought", thought)):
        if answer.status not in CLIENT_ERROR:
            yield from at(name, expect_stream(answer))


def brings_the_stored_text(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    compared = 0
    for name, body in _stored_bodies(streams, stored).items():
        ended = completion(events_in(streams[name])) or {}
        if adds_up(streams[name]) and ended.get("status") == body.get("status") == "completed":
            compared += 1
            yield from at(
                f"stored[{name}]", agreement.judge_streamed_text(read(streams[name]).streamed_steps, body)
            )
    if not compared:
        raise Unmet("no complete stream of a completed interaction is readable again")


def keeps_letters(plain: Exchange, streams: Streams) -> Iterator[Finding]:
    texts = {name: steps_text(read(stream).streamed_steps) for name, stream in streams.items()}
    if not any(texts.values()):
        raise Unmet("no stream contained a text")
    whole, odd = output_text(object_in(plain)), dict[str, bool]()
    for name, text in texts.items():
        given = str((object_or_none(streams[name].request.body) or {}).get("input"))
        if "\ufffd" in text and "\ufffd" not in given:
            known = f"{given}\n{whole}" if whole and "\ufffd" not in whole else ""
            around = re.findall("([^\ufffd]{3})\ufffd+(?=([^\ufffd]{3}))", text)
            lost = (r"[^\x00-\x7f]{1,9}".join(map(re.escape, sides)) for sides in around)
            odd[name] = any(re.search(letters, known) for letters in lost)
    # A model may write U+FFFD, but not in two responses within words of its input, where a plain one has none.
    say = finding if sum(odd[name] for name in odd if name != "replay") > 1 else lenient_finding
    for name in odd:
        message = "the text of a stream contains U+FFFD: its characters were probably split"
        yield say(message, "intact characters", format_value(texts[name]), exchange=f"streams[{name}]")


def signs_its_thoughts(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    found = _compare_with_stored(agreement.judge_streamed_signatures, streams, stored)
    yield from (one for one in found if one.rule)  # whether it can be read is judged by another check


def _compare_with_stored(
    judge: Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], Iterator[Finding]],
    streams: Streams,
    stored: Mapping[str, Exchange],
) -> Iterator[Finding]:
    if not stored:
        raise Unmet("no stream contained the id of its interaction")
    bodies = _stored_bodies(streams, stored)
    for name, answer in stored.items():
        place = f"stored[{name}]"
        if name not in bodies:
            yield from at(place, expect_interaction(answer))
        elif adds_up(streams[name]) and completion(events_in(streams[name])) is not None:
            yield from at(place, judge(read(streams[name]).streamed_steps, bodies[name]))


equals_what_is_stored = partial(_compare_with_stored, agreement.judge_streamed_steps)


def ends_as_stored(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    compared = 0
    for name, body in _stored_bodies(streams, stored).items():
        end = completion(events_in(streams[name]))
        if is_whole(streams[name]) and end is not None:
            compared += 1
            yield from at(f"stored[{name}]", agreement.judge_streamed_end(end, body))
    if not compared:
        raise Unmet("no complete stream is readable again")


def _stored_bodies(streams: Streams, stored: Mapping[str, Exchange]) -> dict[str, Mapping[str, Any]]:
    return {
        name: interaction_in(answer)
        for name, answer in stored.items()
        if name in streams and not list(expect_interaction(answer))
    }


def streams_the_background(background: Exchange) -> Iterator[Finding]:
    if not is_stream(background):
        yield finding("the response is not an event stream", "text/event-stream", format_answer(background))
    elif not stream_id(events_in(background)):
        yield finding("the stream does not contain the id of its interaction", "an id in interaction.created")


def deltas_have_cursors(background: Exchange) -> Iterator[Finding]:
    events = events_in(background)
    if not any(cursor(event) for event in events):
        raise Unmet("no event of the background stream has an event_id")
    yield from of_rule("stream.evid-delta", background)


def replays_the_foreground(text: Exchange, replay: Exchange | None) -> Iterator[Finding]:
    events = events_in(text)
    if replay is None:
        raise Unmet("the stream contained no id to request")
    yield from expect_reply("resume.foreground", replay)
    if replay.status not in SUCCESS:
        return
    if not is_stream(replay):
        yield finding("stream=true returned no stream", "text/event-stream", format_answer(replay))
    elif completion(events) is not None and completion(events_in(replay)) is None:
        yield finding("the replay ends early", "interaction.completed", "none")


# --- Checks around streaming: another way to request it, errors within a stream, and readers that disconnect


@exercise(requests=1, interactions=1)
def a_stream_with_an_error(t: RequestBuilder) -> Steps:
    """A stream in which the target reports an error."""
    error = {"after": 3, "code": "deadline_exceeded", "message": "The deadline passed.", "fatal": True}
    yield from runs.require_script(t, "stream-error", error_event=error)
    stream = yield from runs.read_whole_stream(t.create(input=f"{HELLO} (stream-error)", stream=True))
    return {"failing": stream}


@exercise(requests=4, interactions=2)
def a_hang_up(t: RequestBuilder) -> Steps:
    """A stream whose reader disconnects after two events, another create, and two looks at what was streamed.

    What the stream would have brought is not known, so only the second look shows whether the first was right.
    """
    stream = yield Open(t.create(input=HELLO, stream=True))
    yield Read(stream, 2)
    left: Exchange = yield Close(stream)
    if not is_stream(left):
        raise Unmet(f"the create returned no stream: {format_answer(left)}")
    found = stream_id(events_in(left))
    result: Exchanges = {"after": (yield from runs.send_after(t.create(input=HELLO)))}
    result["looked"] = (yield from runs.poll_until_found(t, found))[-1] if found and t.keeps else None
    if result["looked"] is not None:
        yield Send(t.get(found))
    return result


@exercise(requests=5, interactions=1)
def a_slow_stream(t: RequestBuilder) -> Steps:
    """A long answer as a stream: its first event, a GET after it, and the rest if the run had settled by then.

    A stream whose first event comes while the run goes on is not held back, so the rest of it is left. It runs in
    the background unless that is refused. Compression is offered, as most clients do: it may hold events back. The
    same run is streamed by GET, too. A stream that seems to be held back is requested again, and each time without
    `stream`: `unstreamed` shows whether the target returns the id at once, `going` whether a GET then finds the
    run in progress. One that comes compressed is requested without that, too: `uncoded` is a GET after its first
    event, None unless the run was in progress each time.
    """
    seen: Exchanges = {}
    is_steady = True  # without compression
    # How many streams must be held back: one may have been, where the machine had no time for its reader.
    for _ in range(3):
        watched = yield from _watch_a_slow_stream(t, OFFERS_GZIP)
        seen = {**watched, "unstreamed": None, "going": None, "uncoded": None}
        late = seen["fetched"] is not None and _is_held_back(seen["fetched"], seen["looked_again"])
        if not late and not _comes_at_its_end(seen["slow"], seen["looked"]):
            return seen
        seen["unstreamed"] = yield Send(t.create(input=runs.LONG, background=True))
        if (found := runs.id_of(seen["unstreamed"])) and t.keeps:
            seen["going"] = yield Send(t.get(found))
        if not late and not _shows_buffering(seen["slow"], seen["looked"], seen["going"]):
            return seen
        if is_steady and seen["slow"].headers.get("content-encoding"):
            looked = (yield from _watch_a_slow_stream(t))["looked"]
            is_steady = looked is not None and runs.status_of(looked) in RUNNING
            seen["uncoded"] = looked if is_steady else None
    return seen


def _watch_a_slow_stream(t: RequestBuilder, *headers: tuple[str, str]) -> Part[Exchanges]:
    # How long a scripted slow run is queued.
    yield from runs.script(t, "slow-stream", queued=600)
    body = {"input": f"{runs.LONG} (slow-stream)", "stream": True}
    stream: LiveStream = yield Open(t.create(body, background=True).having(*headers))
    if stream.status not in SUCCESS:
        yield Finish(stream)
        stream = yield Open(t.create(body).having(*headers))
    found = stream_id(decode_frames((yield Read(stream, 1))))
    looked: Exchange | None = (yield Send(t.get(found))) if found and t.keeps else None
    seen: Exchanges = {"looked": looked, "fetched": None, "looked_again": None}
    if looked is None or runs.status_of(looked) not in RUNNING:
        return {**seen, "slow": (yield Finish(stream))}
    seen["slow"] = yield Close(stream)
    fetched: LiveStream = yield Open(t.get(found, stream=True).having(*headers))
    yield Read(fetched, 1)
    again: Exchange = yield Send(t.get(found))
    over = runs.status_of(again) not in RUNNING
    seen |= {"looked_again": again, "fetched": (yield Finish(fetched)) if over else (yield Close(fetched))}
    if not over:
        yield Send(t.cancel(found))
    return seen


def arrives_bit_by_bit(
    slow: Exchange,
    looked: Exchange | None,
    fetched: Exchange | None,
    looked_again: Exchange | None,
    unstreamed: Exchange | None,
    going: Exchange | None,
    uncoded: Exchange | None,
) -> Iterator[Finding]:
    events_in(slow)
    if looked is not None and runs.status_of(looked) in RUNNING:
        if fetched is not None and _is_held_back(fetched, looked_again):
            first, _ = _time_first_and_last(fetched)
            message = "GET with `stream=true` returns no event of a run in progress until the run has settled"
            actual = f"the first event after {first:.2f} s, when the run had settled"
            held = lenient_finding(message, expected="events while the run is in progress", actual=actual)
            yield replace(held, code="stream.incremental/get").at(exchange="fetched")
        return
    if not read(slow).frames:
        raise Unmet("the stream contained no event")
    first, last = _time_first_and_last(slow)
    if last < _least_to_tell(looked) and not _shows_buffering(slow, looked, going):
        raise Unmet(f"the whole stream took {last:.2f} s, too short to judge", race_lost=True)
    if _shows_buffering(slow, looked, going):
        coding = slow.headers.get("content-encoding")
        by = f" by the compression ({coding})" if coding else ""
        severity = Severity.NON_STRICT
        # The first event has the id of a background run, which the client loses if its connection drops before.
        # A shorter run proves it, too, where the same stream is not held back without the compression.
        lasted = last >= _least_to_tell(looked) or uncoded is not None
        if lasted and unstreamed is not None and (object_or_none(slow.request.body) or {}).get("background"):
            at_once = runs.status_of(unstreamed) in RUNNING and unstreamed.seconds <= last / 4
            severity = Severity.BROKEN if at_once else severity
        message = f"the events were buffered until the run settled{by}"
        expected = "the first event well before the last"
        came = f"the first after {first:.2f} s, the last after {last:.2f} s"
        yield finding(message, expected, came, severity=severity)


def _is_held_back(slow: Exchange, looked: Exchange | None) -> bool:
    """Whether the first event came when all was over, of a run that lasted."""
    return _comes_at_its_end(slow, looked) and _time_first_and_last(slow)[1] >= _least_to_tell(looked)


def _comes_at_its_end(slow: Exchange, looked: Exchange | None) -> bool:
    """Whether the first event came when all was over."""
    if (looked is not None and runs.status_of(looked) in RUNNING) or not read(slow).frames:
        return False
    first, last = _time_first_and_last(slow)
    return first >= 0.8 * last  # a first event that comes after this part of the whole time was held back


def _shows_buffering(slow: Exchange, looked: Exchange | None, going: Exchange | None) -> bool:
    """Whether a stream came at the end of a run that lasted, or that a create and a GET find in progress.

    Without a buffer, the first event takes a round trip, and the last one the time of the run more. So a run is
    over before a GET can follow its create, where a round trip takes most of all that. No time need be known.
    """
    is_going = looked is not None and going is not None and runs.status_of(going) in RUNNING
    return _is_held_back(slow, looked) or (is_going and _comes_at_its_end(slow, looked))


def _time_first_and_last(slow: Exchange) -> tuple[float, float]:
    """When the first and the last event came, in seconds after the request."""
    frames = read(slow).frames
    return arrival_of(slow, frames[0].end), arrival_of(slow, frames[-1].end)


def _least_to_tell(looked: Exchange | None) -> float:
    """How long a stream must take for a judgment."""
    # Seconds that a stream must take for anything to be said of when its events came.
    # How many times as long as a GET it must take: where everything is slow, the end is seen soon after the start.
    return max(1.0, 5 * (looked.seconds if looked is not None else 0))


@exercise(requests=1, interactions=1)
def a_stream_asked_for_twice(t: RequestBuilder) -> Steps:
    """A streaming create that also requests streaming in its query, as older clients do."""
    body = {"model": t.model, "input": HELLO, "stream": True}
    return {
        "streamed": (
            yield from runs.read_whole_stream(t.request("POST", "interactions", body, query={"alt": "sse"}))
        )
    }


def reports_the_error(failing: Exchange) -> Iterator[Finding]:
    stream = read(failing).stream
    bare = stream is not None and stream.bare_error is not None
    if not bare and not of_kind(events_in(failing), "error"):
        yield finding("the failure is not reported in the stream", "an error event", "none")
    yield from of_rule("stream.error-shape", failing)
