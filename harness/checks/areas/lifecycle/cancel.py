"""Checks of the cancel of a run in progress; `late_cancels` has those that come too late.

Layer 2. A run that finishes before the cancel arrives is a lost race: untestable, not a failure. A run that is
seen in progress well after its cancel was accepted, and then ends otherwise, is none: that cancel did nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import LONG, LONGER, start_held_run
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    expect_status,
    finding,
    interaction_in,
    object_in,
    of_rule,
)
from harness.checks.vocabulary.polling import id_of, list_moments, open_stream, polls, status_of
from harness.checks.vocabulary.stream_events import events_in, expect_stream
from harness.contract.judge.agreement import (
    judge_cancel_shows,
    judge_cancelled,
    judge_cancelled_end,
    judge_identity,
    judge_result_stays,
    judge_stays,
)
from harness.contract.judge.history.ends import judge_cancel_answer
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_ending
from harness.contract.requests import RequestBuilder
from harness.contract.tables.lifecycle import RUNNING, is_settled
from harness.kit.actions import Close, Exchanges, Finish, Part, Read, Send, Steps, Wait, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import By, Exchange, LiveStream
from harness.wire.message import segment

_CANCEL = new_registry()
CHECKS = _CANCEL.checks

_A_MOMENT = 1.0
"""Seconds after which a run that was not really cancelled would show another status."""

TAKES_EFFECT = 2.0
"""Seconds within which an accepted cancel takes effect; a run that still goes on then was not cancelled."""


# --- exercises


@exercise(requests=6, interactions=1)
def a_cancelled_run(t: RequestBuilder) -> Steps:
    """A run that is cancelled while a reader streams it, then polled, and cancelled once more.

    If the run was over too soon to tell, all of it is tried again with a longer one.
    """
    seen: Exchanges = {}
    for text in (LONG, LONGER):
        try:
            seen = yield from _cancel_and_poll(t, text)
        except Unmet as unmet:
            if text is LONGER or not unmet.race_lost:
                raise
            continue
        if not _is_lost(seen):
            break
    reader, last = seen.pop("reader"), seen["polled"][-1]
    if status_of(last) != "cancelled":
        yield Close(reader)
        return stop_exercise(seen, f"the run was never seen as cancelled: {format_answer(last)}")
    seen["stream"] = yield Finish(reader)
    found = id_of(seen["run"])
    seen["again"] = yield Send(t.cancel(found))
    yield Wait(_A_MOMENT)
    seen["later"] = yield Send(t.get(found))
    seen["latest"] = seen["later"]
    if list(judge_result_stays(object_in(last), object_in(seen["later"]))):  # counts may come late, but not go on
        yield Wait(_A_MOMENT)
        seen["latest"] = yield Send(t.get(found))
    return seen


def _cancel_and_poll(t: RequestBuilder, text: str) -> Part[Exchanges]:
    """Begin a run and cancel it as the official clients do: without a body, but labelled as JSON. Then poll it."""
    run = yield from start_held_run(t, "cancel", text=text)
    reader: LiveStream = yield from open_stream(t, run.id)
    yield Read(reader, 1)
    labelled = [("content-type", "application/json")]
    request = t.request("POST", f"interactions/{segment(run.id)}/cancel", headers=labelled)
    seen: Exchanges = {"run": run.created, "held": run.held, "cancelled": (yield Send(request)), "reader": reader}
    seen["polled"] = yield from polls(t, run.id, patient=reader.status != 404, whole=True)
    return seen


def _is_lost(seen: Exchanges) -> bool:
    """Whether the run was over before anything could be told from it."""
    return not seen["held"] and bool(_explain_lost_race(seen["cancelled"], seen["polled"]))


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
        if id_of(run) not in {id_of(answer) for answer in (cancelled, *polled)} - {""}:
            raise Unmet("neither the cancel nor a GET shows the id that was asked for")
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
    accepts=["cancelled, after any number of polls within --timeout"],
    about="polled",
)
def _is_seen(held: bool, cancelled: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    last = status_of(polled[-1])
    if last == "cancelled":
        return
    if not held:
        _excuse_a_lost_race(cancelled, polled)
    if cancelled.status not in SUCCESS:
        raise Unmet(f"the cancel was refused: {format_answer(cancelled)}")
    late = _find_last_running(polled)
    if is_settled(last) and late is not None:
        yield finding(
            "the cancel was accepted, and the run went on",
            expected="cancelled",
            actual=f"in progress {late:.1f} s later, then {last}",
        )
    else:
        yield from judge_cancelled(last)


@_CANCEL.check(
    "cancel.shows-output",
    a_cancelled_run,
    title="a cancel answers the interaction with what it has produced",
    profile="background",
    requires=["background", "background-slow", "store"],
    accepts=["the output and usage that GET shows", "none, if the cancel had not taken effect yet"],
)
def _answers_all(cancelled: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    if status_of(polled[-1]) != "cancelled" or status_of(cancelled) != "cancelled":
        raise Unmet("the cancel was not answered by a cancelled interaction")
    yield from at("cancelled", judge_cancel_shows(interaction_in(cancelled), interaction_in(polled[-1])))


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
    "cancel.result-stays",
    a_cancelled_run,
    title="a cancelled run produces and costs no more",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["the same output and usage", "one that comes a second late"],
)
def _costs_no_more(later: Exchange, latest: Exchange) -> Iterator[Finding]:
    yield from at("latest", judge_result_stays(interaction_in(later), interaction_in(latest)))


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
def _ends_open_streams(stream: Exchange) -> Iterator[Finding]:
    yield from expect_stream(stream)
    events = events_in(stream)
    if stream.ending.by is By.LIMIT:
        yield finding("the stream never ended", expected="an end after the cancel", actual=format_ending(stream))
        return
    yield from judge_cancelled_end(events)


_CANCEL.check(
    "cancel.twice",
    a_cancelled_run,
    title="a second cancel does no harm",
    profile="background",
    requires=["background", "background-slow", "store", "cancel"],
    accepts=["2xx", "any 4xx"],
)(judge_one("again", partial(expect_status, accepts={*SUCCESS, *CLIENT_ERROR})))


# --- what the judges share


def _excuse_a_lost_race(cancelled: Exchange, polled: list[Exchange]) -> None:
    """Raise `Unmet` if the run may have ended before the cancel arrived, or could take effect."""
    lost = _explain_lost_race(cancelled, polled)
    if lost:
        raise Unmet(lost, race_lost=True)


def _explain_lost_race(cancelled: Exchange, polled: list[Exchange]) -> str:
    """How the run may have ended before the cancel arrived; "" if it cannot have.

    It cannot if a refused cancel is followed by a poll that shows the run in progress, if the cancel is answered
    by a cancelled interaction, or if the run is seen in progress long after an accepted cancel.
    """
    status = status_of(polled[-1])
    if status not in ("completed", "requires_action", "incomplete", "failed"):
        return ""
    if cancelled.status in CLIENT_ERROR:
        return "" if status_of(polled[0]) in RUNNING else f"the run ended as {status} before the cancel came"
    if cancelled.status in SUCCESS:
        told = status_of(cancelled) == "cancelled" or (_find_last_running(polled) or 0.0) >= TAKES_EFFECT
        return "" if told else f"the cancel was accepted, and the run ended as {status} all the same"
    return f"the run ended as {status} before the cancel came"


def _find_last_running(polled: list[Exchange]) -> float | None:
    """The seconds after the cancel at which a poll last showed the run in progress; None if none did."""
    running = [moment for moment, answer in list_moments(polled) if status_of(answer) in RUNNING]
    return running[-1] if running else None
