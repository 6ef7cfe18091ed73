"""Checks of unusual cursors: percent-encoded, of the final event, or unknown; and of streams of an unknown id.

Layer 2. `resume` checks ordinary cursors; its exercise obtains most of the exchanges used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.areas.streams.resume import Resumed, a_finished_run_resumed
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import read_whole_stream
from harness.checks.vocabulary.expect import expect_reply, expect_status, finding
from harness.checks.vocabulary.stored import UNKNOWN_ID
from harness.checks.vocabulary.stream_events import events_in, expect_stream, is_stream, of_kind
from harness.contract import read
from harness.contract.data.event_diff import EventDiff, compare
from harness.contract.data.run_events import is_of_the_run
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding
from harness.outcome.words import format_count
from harness.wire import Exchange

_CURSORS = new_registry()
CHECKS = _CURSORS.checks


@exercise(requests=1)
def a_stream_of_nothing(t: RequestBuilder) -> Steps:
    """GET with stream=true for an id that does not exist."""
    return {"answer": (yield from read_whole_stream(t.get(UNKNOWN_ID, stream=True)))}


@_CURSORS.check(
    "resume.encoded",
    a_finished_run_resumed,
    title="a percent-encoded cursor is the same cursor",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=["the same events as with the plain cursor"],
    about="encoded",
)
def _reads_an_encoded_cursor(rests: list[Resumed], encoded: Resumed) -> Iterator[Finding]:
    plain = next(resumed for resumed in rests if resumed.at == encoded.at)
    expected = events_in(plain.exchange)
    yield from expect_stream(encoded.exchange)
    contract = read(encoded.exchange).contract
    if is_stream(encoded.exchange) and compare(expected, -1, events_in(encoded.exchange), contract) != EventDiff():
        yield finding(
            f"cursor {encoded.cursor!r} gives other events when it is percent-encoded",
            expected=format_count(len(expected), "event"),
            actual=format_count(len(events_in(encoded.exchange)), "event"),
        )


@_CURSORS.check(
    "resume.last",
    a_finished_run_resumed,
    title="nothing new follows the final event",
    profile="background",
    requires=["background", "stream", "event-ids", "resume"],
    accepts=["an empty stream", "[DONE] only", "interaction.completed again", "any 4xx"],
)
def _ends_at_the_end(last: Exchange) -> Iterator[Finding]:
    yield from expect_status(last, accepts={*SUCCESS, *CLIENT_ERROR})
    if last.status in SUCCESS and last.hung:
        code, silence = "resume.last/hangs", f"silence for {last.seconds:.1f} s"
        yield Finding.from_code(code, "a resume at the final event never ends", "an end, or a refusal", silence)
    if last.status not in SUCCESS or not last.body:
        return
    if not is_stream(last):
        yield finding(
            "something else than events came", expected="a stream or nothing", actual=format_answer(last)
        )
        return
    events = [event for event in events_in(last) if is_of_the_run(event)]
    if len(events) > len(of_kind(events, "interaction.completed")) or len(events) > 1:
        yield finding(
            "events came after the final one", expected="the completion at most", actual=f"{len(events)}"
        )


@_CURSORS.check(
    "resume.bad-cursor",
    a_finished_run_resumed,
    title="an unknown cursor is answered, one way or another",
    profile="background",
    requires=["background", "stream", "resume"],
    accepts=["any 4xx", "an error event", "the stream from its start"],
    about="bad_cursor",
)
def _answers_a_bad_cursor(first: Exchange, bad_cursor: Exchange) -> Iterator[Finding]:
    yield from expect_status(bad_cursor, accepts={*SUCCESS, *CLIENT_ERROR})
    if bad_cursor.status not in SUCCESS:
        return
    if not is_stream(bad_cursor):
        yield finding(
            "something else than events came", expected="a stream or a refusal", actual=format_answer(bad_cursor)
        )
        return
    events = [event for event in events_in(bad_cursor) if is_of_the_run(event)]
    if not of_kind(events, "error") and len(events) < len([e for e in events_in(first) if is_of_the_run(e)]):
        yield finding(
            "an unknown cursor brings a part of the stream and no error",
            expected="a refusal, an error event, or everything",
            actual=format_count(len(events), "event"),
        )


_CURSORS.check(
    "resume.unknown",
    a_stream_of_nothing,
    title="streaming an unknown interaction is refused",
    profile="background",
    requires=["stream", "store"],
    accepts=["404", "400", "an error event"],
)(judge_one("answer", partial(expect_reply, "resume.unknown")))
