"""Checks around streaming: another way to request it, errors within a stream, and readers that disconnect.

Layer 2. `harness.checks.areas.stream` checks what a stream must look like.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import read_whole_stream, require_script
from harness.checks.vocabulary.expect import OVERLOADED, at, expect_alive, expect_interaction, finding, of_rule
from harness.checks.vocabulary.polling import poll_until_found
from harness.checks.vocabulary.stored import HELLO
from harness.checks.vocabulary.stream_events import events_in, expect_stream, is_stream, of_kind, stream_id
from harness.contract import read
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Close, Exchanges, Open, Read, Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_STREAMING = new_registry()
CHECKS = _STREAMING.checks


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
