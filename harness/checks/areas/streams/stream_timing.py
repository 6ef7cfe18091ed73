"""Checks around streaming: another way to request it, errors within a stream, and readers that disconnect.

Layer 2. `harness.checks.areas.streams.stream` checks what a stream must look like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import LONG, read_whole_stream, require_script, script
from harness.checks.vocabulary.expect import OVERLOADED, at, expect_alive, expect_interaction, finding, of_rule
from harness.checks.vocabulary.polling import poll_until_found, status_of
from harness.checks.vocabulary.stored import HELLO
from harness.checks.vocabulary.stream_events import (
    arrival_of,
    decode_frames,
    events_in,
    expect_stream,
    is_stream,
    of_kind,
    stream_id,
)
from harness.contract import read
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.contract.tables.lifecycle import RUNNING
from harness.kit.actions import Close, Exchanges, Finish, Open, Part, Read, Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Headers, LiveStream, Request

_STREAMING = new_registry()
CHECKS = _STREAMING.checks

_LASTS = 1.0
"""Seconds that a stream must take for anything to be said of when its events came."""

_READS = 5
"""How many times as long as a GET it must take: where everything is slow, the end is seen soon after the start."""

_LATE = 0.8
"""A first event that comes after this part of the whole time was held back."""

_TRIES = 3
"""How many streams must be held back: one may have been, where the machine had no time for its reader."""

_SLOW_TICKS = 600
"""How long a scripted slow run is queued."""


@exercise(requests=1, interactions=1)
def a_stream_with_an_error(t: RequestBuilder) -> Steps:
    """A stream in which the target reports an error."""
    error = {"after": 3, "code": "deadline_exceeded", "message": "The deadline passed.", "fatal": True}
    yield from require_script(t, "stream-error", error_event=error)
    stream = yield from read_whole_stream(t.create(input=f"{HELLO} (stream-error)", stream=True))
    return {"failing": stream}


@exercise(requests=3, interactions=2)
def a_hang_up(t: RequestBuilder) -> Steps:
    """A stream whose reader disconnects after two events, then another create and a GET of what was streamed."""
    stream = yield Open(t.create(input=HELLO, stream=True))
    yield Read(stream, 2)
    left: Exchange = yield Close(stream)
    if not is_stream(left):
        raise Unmet(f"the create brought no stream to leave: {format_answer(left)}")
    found = stream_id(events_in(left))
    result: Exchanges = {"after": (yield Send(t.create(input=HELLO), sees=frozenset({OVERLOADED})))}
    result["looked"] = (yield from poll_until_found(t, found))[-1] if found and t.keeps else None
    return result


@exercise(requests=3, interactions=1)
def a_slow_stream(t: RequestBuilder) -> Steps:
    """A long answer as a stream: its first event, a GET when that came, and the rest if the run was over by then.

    A stream whose first event comes while the run goes on is not held back, so the rest of it is left. It runs in
    the background unless that is refused. Compression is offered, as most clients do: it may hold events back.
    What seems to be held back is asked for again.
    """
    seen: Exchanges = {}
    for _ in range(_TRIES):
        seen = yield from _watch_a_slow_stream(t)
        if not _is_held_back(seen["slow"], seen["looked"]):
            break
    return seen


def _watch_a_slow_stream(t: RequestBuilder) -> Part[Exchanges]:
    yield from script(t, "slow-stream", queued=_SLOW_TICKS)
    body = {"input": f"{LONG} (slow-stream)", "stream": True}
    stream: LiveStream = yield Open(_offer_compression(t.create(body, background=True)))
    if stream.status not in SUCCESS:
        yield Finish(stream)
        stream = yield Open(_offer_compression(t.create(body)))
    found = stream_id(decode_frames((yield Read(stream, 1))))
    looked: Exchange | None = (yield Send(t.get(found))) if found and t.keeps else None
    if looked is None or status_of(looked) not in RUNNING:
        return {"slow": (yield Finish(stream)), "looked": looked}
    slow = yield Close(stream)
    yield Send(t.cancel(found))
    return {"slow": slow, "looked": looked}


def _offer_compression(request: Request) -> Request:
    return replace(request, headers=Headers((*request.headers, ("accept-encoding", "gzip, deflate"))))


@_STREAMING.check(
    "stream.incremental",
    a_slow_stream,
    title="events arrive while the answer is made",
    profile="streaming",
    requires=["stream"],
    accepts=["a first event well before the end of a run that lasts", "anything of a run that is over at once"],
    about="slow",
)
def _arrives_bit_by_bit(slow: Exchange, looked: Exchange | None) -> Iterator[Finding]:
    events_in(slow)
    if looked is not None and status_of(looked) in RUNNING:
        return
    if not read(slow).frames:
        raise Unmet("the stream held no event")
    first, last = _time_first_and_last(slow)
    if last < _least_to_tell(looked):
        raise Unmet(f"the whole stream took {last:.2f} s, too little to tell", race_lost=True)
    if _is_held_back(slow, looked):
        coding = slow.headers.get("content-encoding")
        by = f" by what compresses them ({coding})" if coding else ""
        yield finding(
            f"the events were held back until the run was over{by}",
            expected="the first event well before the last",
            actual=f"the first after {first:.2f} s, the last after {last:.2f} s",
        )


def _is_held_back(slow: Exchange, looked: Exchange | None) -> bool:
    """Whether the first event came when all was over, of a run that lasted."""
    if (looked is not None and status_of(looked) in RUNNING) or not read(slow).frames:
        return False
    first, last = _time_first_and_last(slow)
    return last >= _least_to_tell(looked) and first >= _LATE * last


def _time_first_and_last(slow: Exchange) -> tuple[float, float]:
    """When the first and the last event came, in seconds after the request."""
    frames = read(slow).frames
    return arrival_of(slow, frames[0].end), arrival_of(slow, frames[-1].end)


def _least_to_tell(looked: Exchange | None) -> float:
    """How long a stream must take for anything to be said."""
    return max(_LASTS, _READS * (looked.seconds if looked is not None else 0))


@exercise(requests=1, interactions=1)
def a_stream_asked_for_twice(t: RequestBuilder) -> Steps:
    """A streaming create that also requests streaming in its query, as older clients do."""
    body = {"model": t.model, "input": HELLO, "stream": True}
    return {
        "streamed": (yield from read_whole_stream(t.request("POST", "interactions", body, query={"alt": "sse"})))
    }


@_STREAMING.check(
    "stream.alt-sse",
    a_stream_asked_for_twice,
    title="alt=sse beside stream=true does no harm",
    profile="streaming",
    requires=["stream"],
    accepts=["an event stream"],
)
def _bears_alt(streamed: Exchange) -> Iterator[Finding]:
    yield from expect_stream(streamed)


@_STREAMING.check(
    "stream.error-shape",
    a_stream_with_an_error,
    title="an error event holds an object of strings",
    profile="streaming",
    requires=["stream", "script"],
    accepts=["error with code and message as strings", "an error event without details"],
    everywhere=True,
)
def _reports_the_error(failing: Exchange) -> Iterator[Finding]:
    yield from expect_stream(failing)
    told = read(failing).stream
    bare = told is not None and told.bare_error is not None
    if not bare and not of_kind(events_in(failing), "error"):
        yield finding("the failure is not reported in the stream", expected="an error event", actual="none")
    yield from of_rule("stream.error-shape", failing)


@_STREAMING.check(
    "stream.hangup",
    a_hang_up,
    title="a reader that leaves hurts no later call",
    profile="streaming",
    requires=["stream"],
    accepts=[
        "the next create succeeds, and the interaction that was left can be read",
        "the interaction that was left is gone: non-strict",
    ],
)
def _survives_a_hang_up(after: Exchange, looked: Exchange | None) -> Iterator[Finding]:
    hurt = list(at("after", expect_alive(after, accepts=SUCCESS)))
    yield from hurt or at("after", expect_interaction(after))
    if looked is not None:
        yield from at("looked", expect_interaction(looked, tolerates=CLIENT_ERROR))
