"""Checks of deleting: that it succeeds, that it is thorough, and that it affects nothing else.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import start_run
from harness.checks.vocabulary.expect import at, expect_interaction, expect_reply, finding
from harness.checks.vocabulary.polling import (
    expect_still_gone,
    id_of,
    look_later,
    need_id,
    open_stream,
    poll_until_gone,
)
from harness.checks.vocabulary.stored import UNKNOWN_ID, a_stored_interaction, several_interactions
from harness.contract.judge.history.ends import judge_deleted
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_ending, format_request
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Finish, Read, Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, NotApplicable, Unmet
from harness.wire import By, Exchange

_DELETE = new_registry()
CHECKS = _DELETE.checks


@_DELETE.check(
    "del.ok",
    a_stored_interaction,
    title="DELETE of a stored interaction succeeds",
    profile="core",
    requires=["store", "delete"],
    accepts=["2xx with {} or no body", "2xx with any other body (non-strict)"],
)
def _deletes(deleted: Exchange) -> Iterator[Finding]:
    yield from expect_reply("del.ok", deleted)
    yield from judge_deleted(deleted)


@_DELETE.check(
    "del.gone",
    a_stored_interaction,
    title="a deleted interaction is answered 404",
    profile="core",
    requires=["store", "delete"],
    accepts=["404 at once or within 5 seconds, and from then on"],
)
def _is_gone(deleted: Exchange, gone: list[Exchange], later: list[Exchange]) -> Iterator[Finding]:
    _need_deleted(deleted)
    yield from at(f"gone[{len(gone) - 1}]", expect_reply("del.gone", gone[-1]))
    yield from expect_still_gone(gone, later)


@_DELETE.check(
    "del.gone-stream",
    a_stored_interaction,
    title="a deleted interaction cannot be streamed",
    profile="streaming",
    requires=["store", "stream", "delete"],
    accepts=["404", "a stream that holds nothing but an error event", "another 4xx (non-strict)"],
)
def _is_gone_as_a_stream(deleted: Exchange, gone_stream: Exchange) -> Iterator[Finding]:
    _need_deleted(deleted)
    yield from at("gone_stream", expect_reply("del.gone-stream", gone_stream))


@_DELETE.check(
    "del.twice",
    a_stored_interaction,
    title="a second DELETE is answered 404 or succeeds again",
    profile="core",
    requires=["store", "delete"],
    accepts=["404", "2xx", "410 (non-strict)"],
)
def _deletes_twice(deleted: Exchange, deleted_again: Exchange) -> Iterator[Finding]:
    _need_deleted(deleted)
    yield from at("deleted_again", expect_reply("del.twice", deleted_again))


@_DELETE.check(
    "del.chain-after",
    a_stored_interaction,
    title="a deleted interaction cannot be continued",
    profile="chaining",
    requires=["store", "delete", "chain"],
    accepts=["400 or 404", "another 4xx (non-strict)"],
)
def _cannot_be_continued(deleted: Exchange, chained: Exchange) -> Iterator[Finding]:
    _need_deleted(deleted)
    yield from at("chained", expect_reply("del.chain-after", chained))


@_DELETE.check(
    "del.isolated",
    several_interactions,
    title="deleting one interaction leaves others readable",
    profile="core",
    requires=["store", "delete"],
    accepts=["2xx and the interaction that was not deleted"],
)
def _takes_nothing_else(deleted: Exchange, second: Exchange, other: Exchange) -> Iterator[Finding]:
    _need_deleted(deleted)
    yield from at("other", expect_interaction(other))
    if other.status in SUCCESS and id_of(other) != id_of(second):
        another = finding("another interaction", expected=id_of(second), actual=id_of(other) or "no id")
        yield another.at(exchange="other")


@exercise(requests=1)
def an_unknown_id_deleted(t: RequestBuilder) -> Steps:
    """DELETE of an id that does not exist."""
    return {"unknown": (yield Send(t.delete(UNKNOWN_ID)))}


_DELETE.check(
    "del.unknown",
    an_unknown_id_deleted,
    title="DELETE of an id that names nothing is answered 404",
    profile="core",
    requires=["store", "delete"],
    accepts=["404", "400 to what is not one of the target's ids (noted)", "2xx (noted)"],
)(judge_one("unknown", partial(expect_reply, "del.unknown")))


_READER_PART = 0.25
"""Part of the time of a request that the reader of a deleted run gets, to tell silence from a pause."""

_ENDS_AFTER = (0.6, 1.4)
"""Pauses after which a deleted run is looked at again: its end may write it back."""


@exercise(requests=5, interactions=1)
def a_running_one_deleted(t: RequestBuilder) -> Steps:
    """A background run, deleted while it is in progress, and looked at until it may have ended."""
    found = need_id((yield from start_run(t)))
    deleted: Exchange = yield Send(t.delete(found))
    gone = yield from poll_until_gone(t, found)
    return {"deleted": deleted, "gone": gone, "later": (yield from look_later(t, found, *_ENDS_AFTER))}


@_DELETE.check(
    "del.running",
    a_running_one_deleted,
    title="a run in progress is deleted for good, or the delete is refused",
    profile="background",
    requires=["background", "background-slow", "delete"],
    accepts=["2xx, then 404", "400 or 409", "another 4xx (non-strict)"],
)
def _stops_or_refuses(deleted: Exchange, gone: list[Exchange], later: list[Exchange]) -> Iterator[Finding]:
    yield from at("deleted", expect_reply("del.running", deleted))
    if deleted.status in SUCCESS and gone[-1].status != 404:
        last = f"gone[{len(gone) - 1}]"
        yield finding("the deleted run is still there", expected="404", actual=format_answer(gone[-1])).at(
            exchange=last
        )
    if deleted.status in SUCCESS:
        yield from expect_still_gone(gone, later)


@exercise(requests=3, interactions=1)
def a_run_deleted_under_its_reader(t: RequestBuilder) -> Steps:
    """A background run, deleted in progress while somebody streams it; the stream is read to its end."""
    found = need_id((yield from start_run(t)))
    reader = yield from open_stream(t, found, timeout=t.wait * _READER_PART)
    yield Read(reader, 1)
    deleted: Exchange = yield Send(t.delete(found))
    return {"deleted": deleted, "stream": (yield Finish(reader))}


@_DELETE.check(
    "del.reader-ends",
    a_run_deleted_under_its_reader,
    title="a reader of a run that is deleted gets an end",
    profile="background",
    requires=["background", "background-slow", "store", "stream", "resume", "delete"],
    accepts=["any end: a closing event, an error, the connection closed"],
)
def _lets_its_readers_go(deleted: Exchange, stream: Exchange) -> Iterator[Finding]:
    if deleted.status in CLIENT_ERROR:
        raise NotApplicable(f"a run in progress cannot be deleted: {format_answer(deleted)}")
    _need_deleted(deleted)
    if not stream.succeeded:
        raise Unmet(f"the run could not be streamed: {format_answer(stream)}")
    if stream.hung and stream.silence < stream.seconds / 2:
        raise Unmet("the stream went on until time was up, as that of a long run may")
    if stream.ending.by is By.LIMIT:
        actual = format_ending(stream)
        yield finding("the stream never ended", expected="an end after the delete", actual=actual).at(
            exchange="stream"
        )


def _need_deleted(answer: Exchange) -> None:
    if answer.status not in SUCCESS:
        raise Unmet(f"{format_request(answer)} deleted nothing: {format_answer(answer)}")
