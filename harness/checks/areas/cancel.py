"""Checks of cancel: for a running run, for finished runs, and for an unknown id.

Layer 2. A run that finishes before the cancel arrives is a lost race: untestable, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.areas.background import a_run_that_lasts
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import start_held_run
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    expect_status,
    finding,
    interaction_in,
    of_rule,
)
from harness.checks.vocabulary.polling import (
    id_of,
    need_id,
    open_stream,
    poll_until_found,
    poll_until_settled,
    polls,
    status_of,
)
from harness.checks.vocabulary.stored import HELLO, UNKNOWN_ID
from harness.checks.vocabulary.stream_events import events_in, expect_stream
from harness.contract.judge.agreement import (
    judge_cancelled,
    judge_cancelled_end,
    judge_identity,
    judge_stays,
    judge_unchanged,
)
from harness.contract.judge.ends import judge_cancel_answer, judge_late_cancel
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_ending
from harness.contract.requests import RequestBuilder, segment
from harness.kit.actions import Exchanges, Finish, Read, Send, Steps, Wait, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import By, Exchange

_CANCEL = new_registry()
CHECKS = _CANCEL.checks

_A_MOMENT = 1.0
"""Seconds after which a run that was not really cancelled would show another status."""


# --- exercises


@exercise(requests=6, interactions=1)
def a_cancelled_run(t: RequestBuilder) -> Steps:
    """A run that is cancelled while a reader streams it, then polled, and cancelled once more.

    The cancel is sent as the official clients send it: without a body, but labelled as JSON.
    """
    run = yield from start_held_run(t, "cancel")
    reader = yield from open_stream(t, run.id)
    yield Read(reader, 1)
    labelled = [("content-type", "application/json")]
    request = t.request("POST", f"interactions/{segment(run.id)}/cancel", headers=labelled)
    seen: Exchanges = {"run": run.created, "held": run.held, "cancelled": (yield Send(request))}
    seen["polled"] = yield from polls(t, run.id, patient=reader.status != 404)
    if status_of(seen["polled"][-1]) != "cancelled":
        return stop_exercise(seen, f"the run was never seen as cancelled: {format_answer(seen['polled'][-1])}")
    seen["stream"] = yield Finish(reader)
    seen["again"] = yield Send(t.cancel(run.id))
    yield Wait(_A_MOMENT)
    return {**seen, "later": (yield Send(t.get(run.id)))}


@exercise(requests=10, interactions=2)
def late_cancels(t: RequestBuilder) -> Steps:
    """Cancels of a foreground interaction and a background run, both of them finished."""
    front = yield Send(t.create(input=HELLO))
    found = need_id(front)
    seen: Exchanges = {"before": (yield from poll_until_found(t, found))[-1]}
    seen["foreground"] = yield Send(t.cancel(found))
    seen["after"] = yield Send(t.get(found))
    back = id_of((yield Send(t.create(input=HELLO, background=True))))
    if not back:
        return stop_exercise(seen, "the target began no background run")
    seen["settled_before"] = (yield from poll_until_settled(t, back))[-1]
    seen["settled"] = yield Send(t.cancel(back))
    return {**seen, "settled_after": (yield Send(t.get(back)))}


@exercise(requests=1)
def a_cancel_of_nothing(t: RequestBuilder) -> Steps:
    """A cancel for an id that does not exist."""
    return {"answer": (yield Send(t.cancel(UNKNOWN_ID)))}


# --- judges of the cancel that comes in time


@_CANCEL.check(
    "cancel.ok",
    a_cancelled_run,
    title="a running background run can be cancelled",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["200 with the interaction, cancelled or not yet"],
    about="cancelled",
)
def _can_be_cancelled(run: Exchange, held: bool, cancelled: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    if cancelled.status in CLIENT_ERROR and not held:
        _excuse_a_lost_race(cancelled, polled)
    yield from expect_reply("cancel.ok", cancelled)
    if cancelled.status in SUCCESS:
        yield from judge_cancel_answer(cancelled, id_of(run))


@_CANCEL.check(
    "cancel.schema",
    a_cancelled_run,
    title="whatever a cancel answers fits the schema of an interaction",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["additional fields", "unknown kinds of steps and content (noted)"],
    everywhere=True,
)
def _answers_what_fits(cancelled: Exchange) -> Iterator[Finding]:
    interaction_in(cancelled)
    yield from of_rule("cancel.schema", cancelled)


@_CANCEL.check(
    "cancel.state",
    a_cancelled_run,
    title="a cancelled run is seen as cancelled",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["cancelled, after any number of polls within --wait"],
    about="polled",
)
def _is_seen(held: bool, cancelled: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    if status_of(polled[-1]) == "cancelled":
        return
    if not held:
        _excuse_a_lost_race(cancelled, polled)
    yield from judge_cancelled(status_of(polled[-1]))


@_CANCEL.check(
    "cancel.stays",
    a_cancelled_run,
    title="a cancelled run stays cancelled",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["cancelled in every read after the first that shows it"],
)
def _stays_cancelled(polled: list[Exchange], later: Exchange) -> Iterator[Finding]:
    statuses = [status_of(answer) for answer in [*polled, later]]
    if "cancelled" not in statuses:
        raise Unmet("the run was never seen as cancelled")
    yield from judge_stays(statuses)


@_CANCEL.check(
    "cancel.get-after",
    a_cancelled_run,
    title="a cancelled interaction can be read",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["2xx and the interaction"],
    about="later",
)
def _can_be_read(run: Exchange, later: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(later)
    if later.status in SUCCESS:
        yield from judge_identity("cancel.get-after", id_of(run), id_of(later))


@_CANCEL.check(
    "cancel.stream-ends",
    a_cancelled_run,
    title="an open stream ends with the cancel, and says so",
    profile="background",
    requires=["background", "background-slow", "store", "stream", "cancel", "resume"],
    accepts=["interaction.completed with status cancelled", "an error event"],
)
def _stream_ends(stream: Exchange) -> Iterator[Finding]:
    yield from expect_stream(stream)
    events = events_in(stream)
    if stream.ending.by is By.LIMIT:
        yield finding("the stream never ended", expected="an end after the cancel", actual=format_ending(stream))
        return
    yield from judge_cancelled_end(events)


@_CANCEL.check(
    "cancel.twice",
    a_cancelled_run,
    title="a second cancel does no harm",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["2xx", "any 4xx"],
)
def _again_is_harmless(again: Exchange) -> Iterator[Finding]:
    yield from expect_status(again, accepts={*SUCCESS, *CLIENT_ERROR})


# --- judges of cancels that come too late, or to nothing


@_CANCEL.check(
    "cancel.foreground",
    late_cancels,
    title="a foreground interaction is not cancelled",
    profile="core",
    requires=["store", "cancel"],
    accepts=["any 4xx", "200 with the interaction unchanged"],
)
def _spares_the_foreground(foreground: Exchange) -> Iterator[Finding]:
    yield from _refused_or_unchanged("cancel.foreground", foreground)


@_CANCEL.check(
    "cancel.settled",
    late_cancels,
    title="a finished background run is not cancelled",
    profile="background",
    requires=["background", "store", "cancel"],
    accepts=["any 4xx", "200 with the interaction unchanged"],
)
def _spares_the_finished(settled: Exchange) -> Iterator[Finding]:
    yield from _refused_or_unchanged("cancel.settled", settled)


@_CANCEL.check(
    "cancel.keeps-result",
    late_cancels,
    title="a late cancel leaves the result alone",
    profile="core",
    requires=["store", "cancel"],
    accepts=["the same status and output before and after"],
)
def _leaves_the_result(before: Exchange, after: Exchange) -> Iterator[Finding]:
    yield from at("after", _expect_unchanged("cancel.keeps-result", before, after))


@_CANCEL.check(
    "cancel.keeps-background-result",
    late_cancels,
    title="a late cancel leaves the result of a background run alone",
    profile="background",
    requires=["background", "store", "cancel"],
    accepts=["the same status and output before and after"],
)
def _leaves_the_background_result(settled_before: Exchange, settled_after: Exchange) -> Iterator[Finding]:
    rule = "cancel.keeps-background-result"
    yield from at("settled_after", _expect_unchanged(rule, settled_before, settled_after))


@_CANCEL.check(
    "cancel.unknown",
    a_cancel_of_nothing,
    title="a cancel of nothing is refused",
    profile="background",
    requires=["background", "cancel"],
    accepts=["404", "400", "any other 4xx: non-strict"],
)
def _refuses_nothing(answer: Exchange) -> Iterator[Finding]:
    yield from expect_reply("cancel.unknown", answer)


@_CANCEL.check(
    "cancel.colon",
    a_run_that_lasts,
    title="`{id}:cancel` is no route",
    profile="background",
    requires=["background", "store"],
    accepts=["any 4xx"],
)
def _colon_is_no_route(colon: Exchange) -> Iterator[Finding]:
    yield from expect_status(colon, accepts=CLIENT_ERROR)


# --- what the judges share


def _excuse_a_lost_race(cancelled: Exchange, polled: list[Exchange]) -> None:
    """Raise `Unmet` if the run ended before the cancel arrived.

    A refused cancel after which the first poll still shows a running run is not a lost race.
    """
    if cancelled.status in CLIENT_ERROR and status_of(polled[0]) in ("in_progress", "queued"):
        return
    status = status_of(polled[-1])
    if status in ("completed", "requires_action", "incomplete", "failed"):
        if cancelled.status in SUCCESS:  # it may have come too late, or do nothing: both look alike
            raise Unmet(f"the cancel was accepted, and the run ended as {status} all the same", race_lost=True)
        raise Unmet(f"the run ended as {status} before the cancel came", race_lost=True)


def _refused_or_unchanged(rule: str, answer: Exchange) -> Iterator[Finding]:
    yield from expect_reply(rule, answer)
    yield from judge_late_cancel(rule, answer)


def _expect_unchanged(rule: str, before: Exchange, after: Exchange) -> Iterator[Finding]:
    old = interaction_in(before)
    yield from expect_interaction(after)
    yield from judge_unchanged(rule, old, interaction_in(after))
