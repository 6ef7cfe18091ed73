"""Checks of cancelling a run, in progress or too late.

A run that finishes before the cancel arrives is a lost race: not tested, no failure. A run that is seen in
progress well after its cancel was accepted, and then ends otherwise, is no lost race: that cancel had no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from harness.checks.vocabulary import runs, streams
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    finding,
    interaction_in,
    lenient_finding,
    object_in,
)
from harness.checks.vocabulary.shared import HELLO
from harness.contract.judge import agreement
from harness.contract.judge.answer import CLIENT_ERROR, GONE, SUCCESS
from harness.contract.judge.history.interactions import judge_cancel_answer
from harness.contract.judge.reading import format_answer, format_ending, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import RUNNING, is_settled
from harness.kit.check import (
    Close,
    Exchanges,
    Finish,
    Open,
    Part,
    Read,
    Send,
    Steps,
    exercise,
    play_each,
    stop_exercise,
)
from harness.outcome import Finding, Severity, Unmet
from harness.wire import By, Exchange, LiveStream, Request
from harness.wire.message import segment

_TEXTS = (runs.LONG, runs.LONGER, runs.LONGEST)
_A_MOMENT = 1.0
"""Seconds after which a run that was not really cancelled would show another status."""


@exercise(requests=21, interactions=5, pauses=_A_MOMENT, alone=True, uses=("chain", "stream"))
def a_cancelled_run(t: RequestBuilder) -> Steps:
    """A run that is cancelled while a reader streams it, then polled, streamed again, and cancelled again.

    Another run goes on. Then another one is cancelled, whose create is the stream that is read. A short run is
    cancelled, too, and read when it would be over: a worker may write its end. It runs alone: streams of other
    exercises would occupy the only worker of a target, too.
    """
    seen = yield from _repeat_until_ended(_cancel_in_time, t, "stream", "cancelled")
    last, stream = seen["polled"][-1], seen["stream"]
    if stream is None:
        del seen["stream"]
        return stop_exercise(
            {**seen, **_UNPOSTED, "silent": None},  # no second cancel was sent
            f"no response showed the run as `cancelled`: {format_answer(last)}",
        )
    short: Exchange = yield Send(t.create(input=HELLO, background=True))
    if found := runs.id_of(short):
        yield Send(t.cancel(found))
        yield Send(t.get(found))
    parts: list[Part[Exchanges]] = [_look_after_the_cancel(t, runs.id_of(seen["run"]), last, seen["cancelled"])]
    if "stream" in t.capabilities and not _has_no_end(stream):
        parts.append(_repeat_until_ended(_cancel_a_streamed_create, t, "posted_stream", "posted"))
    after, *posted = yield from play_each(parts)
    if found:
        yield Send(t.get(found))  # every run judges whether a settled status stays
    return {**seen, **after, **(posted[0] if posted else _UNPOSTED)}


def _has_no_end(stream: Exchange | None) -> bool:
    return stream is not None and stream.succeeded and stream.ending.by is By.LIMIT


def _end(answer: Exchange) -> float:
    return (answer.began or 0.0) + answer.seconds


def _repeat_until_ended(
    play: Callable[[RequestBuilder], Part[Exchanges]], t: RequestBuilder, name: str, cancel: str
) -> Part[Exchanges]:
    """Play a part, and again with another run while its stream does not end: a connection may be silent.

    One run is enough if the stream that is opened after the cancel does not end, either.
    """
    for _ in range(3):  # a fourth stream would not be sent: the run takes it that none of this kind ends
        seen = yield from play(t)
        if not _has_no_end(seen[name]):
            break
        later: Exchange = yield Send(t.get(runs.id_of(seen[cancel]), stream=True), min(t.wait, 5.0))
        if _has_no_end(later) and not later.excuse:
            break
    return seen


def _cancel_in_time(t: RequestBuilder) -> Part[Exchanges]:
    """Cancel a run; if it was over too soon to tell, try longer ones. `stream` is None if none was canceled."""
    seen: Exchanges = {}
    waits, stuck, most = 0, 0, 5  # in a row: a target may be slow now and then
    for number, text in enumerate((*_TEXTS, *_TEXTS[-1:] * (most - 1)), 1):
        try:
            seen = yield from _cancel_and_poll(t, text)
        except Unmet as unmet:
            if not unmet.race_lost or number == len(_TEXTS) or (number > len(_TEXTS) and not seen):
                raise
            continue
        # A create that takes until the run has ended by itself waits for the reader of its stream.
        end = runs.status_of(seen["polled"][0])
        by_itself, cancelled = is_settled(end) and end != "cancelled", seen["cancelled"]
        usual, beside = seen["run"].seconds, seen["bystander"].seconds
        waits = (waits + 1) * (by_itself and beside > _TIMES * usual)
        late = cancelled.seconds >= max(1.0, 4 * min(usual, beside))
        stuck = (stuck + 1) * (by_itself and runs.settled(cancelled) and late)
        is_told = max(waits, stuck) in (0, most)
        if not _is_lost(seen["held"], cancelled, seen["polled"]) or (number >= len(_TEXTS) and is_told):
            break
    seen |= {"waits": waits // most, "stuck": stuck // most}
    reader, is_canceled = seen.pop("reader"), runs.status_of(seen["polled"][-1]) == "cancelled"
    ended: Exchange = yield Finish(reader) if is_canceled else Close(reader)
    seen["stream"] = ended if is_canceled else None
    return seen


def _look_after_the_cancel(t: RequestBuilder, found: str, last: Exchange, cancelled: Exchange) -> Part[Exchanges]:
    """Cancel a run again, look at it later, continue it, and stream it. What gets no response is sent again.

    Every run judges the response to the turn after it, which may be a refusal.
    """
    # The least seconds that a second cancel gets; where the first one took longer, it gets so many times as long.
    within = max(5.0, _TIMES * cancelled.seconds)
    again: Exchange = yield Send(t.cancel(found), timeout=within)
    seen: Exchanges = {"again": again, "silent": None}
    if "chain" in t.capabilities:
        yield Send(t.create(input=HELLO, previous_interaction_id=found))
    (seen["later"],) = yield from runs.read_later(t, found, _A_MOMENT)
    if _is_silent(again) and seen["later"].status is not None:  # only this request hangs
        last_one = yield from _send_until_heard(t.cancel(found), within)
        seen["silent"] = last_one if _is_silent(last_one) else None
    seen["latest"] = seen["later"]
    # Counts may come late, but not go on.
    if list(agreement.judge_result_stays(object_in(last), object_in(seen["later"]))):
        (seen["latest"],) = yield from runs.read_later(t, found, _A_MOMENT)
    # Seconds for the stream of a run that is over: nothing keeps it open.
    seen["replay"] = yield Send(t.get(found, stream=True), min(t.wait, 5.0))
    return seen


def _cancel_a_streamed_create(t: RequestBuilder) -> Part[Exchanges]:
    """Cancel a run while the stream of its create is read; nothing if no look showed the run in progress."""
    yield from runs.script(t, "posted", hold={"after": runs.HELD_AFTER})
    reader: LiveStream = yield Open(t.create(input=f"{runs.LONG} (posted)", background=True, stream=True))
    found = streams.stream_id(streams.decode_frames((yield Read(reader, 1)))) if reader.status in SUCCESS else ""
    look = (yield Send(t.get(found))) if found else None
    if look is None or runs.status_of(look) not in RUNNING:
        yield Close(reader)
        return _UNPOSTED
    seen: Exchanges = {"posted": (yield Send(t.cancel(found)))}
    seen["posted_polled"] = polled = yield from runs.polls(t, found, whole=True)
    is_over = runs.status_of(polled[-1]) == "cancelled"
    return {**seen, "posted_stream": (yield Finish(reader)) if is_over else (yield Close(reader))}


def _send_until_heard(request: Request, within: float) -> Part[Exchange]:
    """Send a request again until it gets a response, up to three times, because a connection may be silent."""
    for _ in range(3):
        answer: Exchange = yield Send(request, timeout=within)
        if not _is_silent(answer):
            break
    return answer


def _is_silent(answer: Exchange) -> bool:
    """Whether the harness waited in vain for the head of a response."""
    return answer.status is None and answer.ending.by is By.LIMIT


_UNPOSTED: Exchanges = {"posted": None, "posted_polled": [], "posted_stream": None}
"""The results of a run whose create is a stream, where there is none, or none that was seen in progress."""


def _cancel_and_poll(t: RequestBuilder, text: str) -> Part[Exchanges]:
    """Begin a run and cancel it as the official clients do: without a body, but labeled as JSON. Then poll it."""
    run = yield from runs.start_held_run(t, "cancel", text=text)
    reader: LiveStream = yield from runs.open_stream(t, run.id)
    yield Read(reader, runs.HELD_AFTER if run.held else 1)  # a run that is held has output by then
    bystander: Exchange = yield Send(t.create(input=f"{text} (bystander)", background=True))
    labelled = [("content-type", "application/json")]
    request = t.request("POST", f"interactions/{segment(run.id)}/cancel", headers=labelled)
    cancelled: Exchange = yield Send(request)
    if _is_silent(cancelled) and not _is_silent((yield from _send_until_heard(request, t.wait))):
        yield Close(reader)
        raise Unmet("only a later cancel got a response", race_lost=True)
    seen: Exchanges = {"run": run.created, "held": run.held, "cancelled": cancelled, "reader": reader}
    seen["bystander"] = bystander
    beside = found if (found := runs.id_of(bystander)) != run.id else ""
    seen["beside"] = (yield Send(t.get(beside))) if beside else None
    seen["polled"] = yield from runs.polls(t, run.id, patient=reader.status != 404, whole=True)
    if beside and runs.status_of(seen["beside"]) in RUNNING:
        seen["beside"] = yield Send(t.get(beside))
        yield Send(t.cancel(beside))  # it would cost tokens until its end
        yield Send(t.get(beside))  # what a look at the run showed stays
    return seen


def _is_lost(held: bool, cancelled: Exchange, polled: list[Exchange]) -> bool:
    """Whether the run settled too early for a judgment."""
    return not held and bool(_explain_lost_race(cancelled, polled))


def can_be_cancelled(
    run: Exchange,
    held: bool,
    cancelled: Exchange,
    polled: list[Exchange],
    bystander: Exchange,
    waits: int,
    posted: Exchange | None,
    posted_polled: list[Exchange],
    silent: Exchange | None,
) -> Iterator[Finding]:
    if silent is not None:
        message = "a second cancel of a run gets no response, although a GET after it does"
        words = (message, "a response, of any status", "none, each time")
        yield Finding.from_code("cancel.ok/silent", *words).at(exchange="silent")
    if not held and waits:
        expected, actual = f"{run.seconds:.2f} s, as without a stream", f"{bystander.seconds:.1f} s"
        severity = Severity.BROKEN if bystander.seconds >= 1.0 else Severity.NON_STRICT
        blocked = Finding.from_code("cancel.ok/blocked", _BLOCKED, expected, actual, severity=severity)
        yield blocked.at(exchange="bystander")
        return
    if cancelled.status in CLIENT_ERROR and not held:
        _excuse_a_lost_race(cancelled, polled)
    yield from expect_reply("cancel.ok", cancelled)
    if cancelled.status in SUCCESS:
        if runs.id_of(run) not in {runs.id_of(answer) for answer in (cancelled, *polled)} - {""}:
            raise Unmet("neither the cancel nor a GET returned the requested id")
        yield from judge_cancel_answer(cancelled, runs.id_of(run))
    if posted is not None and posted.status in CLIENT_ERROR and not _is_lost(held, posted, posted_polled):
        message = "a run whose create is streamed cannot be canceled"
        yield finding(message, "2xx", format_answer(posted), code="cancel.ok/streamed", exchange="posted")


_BLOCKED = "the target returns no other response while the stream of a run is open: a cancel comes too late"
_TIMES = 10
"""How many times as long as it takes otherwise a create waits for another's stream."""


def is_seen(
    held: bool,
    cancelled: Exchange,
    polled: list[Exchange],
    beside: Exchange | None,
    waits: int,
    stuck: int,
    posted: Exchange | None,
    posted_polled: list[Exchange],
) -> Iterator[Finding]:
    if not held and waits:
        raise Unmet(_BLOCKED)
    last = runs.status_of(polled[-1])
    if posted is not None and posted.status in SUCCESS:
        # No cancel of this target comes too late without a word.
        at_once = runs.status_of(cancelled) == "cancelled"
        ignored = at_once and _went_on(posted, posted_polled)
        message = "a canceled run whose create is streamed does not reach the status `cancelled`"
        judged = ignored or not _is_lost(held, posted, posted_polled)
        for one in agreement.judge_cancelled(runs.status_of(posted_polled[-1])) if judged else ():
            place = f"posted_polled[{len(posted_polled) - 1}]"
            yield replace(one, message=message, code="cancel.state/streamed").at(exchange=place)
    if beside is not None and runs.status_of(beside) == "cancelled" and last == "cancelled":
        message = "a cancel stops another run, too, which was not canceled"
        others = Finding.from_code("cancel.state/others", message, "a run in progress", "cancelled")
        yield others.at(exchange="beside", pointer="$.status")
    if last == "cancelled":
        return
    if not held and stuck:
        actual = f"{runs.status_of(cancelled)}, after {cancelled.seconds:.1f} s"
        message = "the cancel gets its response only when the run has ended by itself"
        yield finding(message, "cancelled", actual, code="cancel.state/waits")
        return
    if not held and _went_on(cancelled, polled):
        message = "the cancel was accepted during the run, which then completed"
        actual = f"in progress in the cancel and in a GET after it, then {last}"
        yield lenient_finding(message, "cancelled", actual, code="cancel.state/completed")
        return
    if not held:
        _excuse_a_lost_race(cancelled, polled)
    if cancelled.status not in SUCCESS:
        raise Unmet(f"the cancel was rejected: {format_answer(cancelled)}")
    late = _find_last_running(polled)
    if is_settled(last) and late is not None:
        message, place = "the cancel was accepted, but the run continued", f"polled[{len(polled) - 1}]"
        yield finding(message, "cancelled", f"in progress {late:.1f} s later, then {last}", exchange=place)
    else:
        for one in agreement.judge_cancelled(last):
            lost = replace(one, message="a GET after the cancel finds no interaction", code="cancel.state/lost")
            yield lost if polled[-1].status in GONE else one


def answers_all(cancelled: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    if runs.status_of(polled[-1]) != "cancelled" or runs.status_of(cancelled) != "cancelled":
        raise Unmet("the cancel did not return a canceled interaction")
    yield from at("cancelled", agreement.judge_cancel_shows(interaction_in(cancelled), interaction_in(polled[-1])))


def stays_cancelled(polled: list[Exchange], later: Exchange) -> Iterator[Finding]:
    statuses = [runs.status_of(answer) for answer in [*polled, later]]
    if "cancelled" not in statuses:
        raise Unmet("no response showed the run as `cancelled`")
    yield from agreement.judge_stays(statuses)


def costs_no_more(later: Exchange, latest: Exchange) -> Iterator[Finding]:
    if runs.status_of(latest) != "cancelled":
        raise Unmet(f"the run did not stay canceled: it {runs.describe_end(runs.status_of(latest))}")
    yield from at("latest", agreement.judge_result_stays(interaction_in(later), interaction_in(latest)))


def can_be_read(run: Exchange, later: Exchange) -> Iterator[Finding]:
    yield from agreement.judge_identity("cancel.get-after", runs.id_of(run), runs.id_of(later))


def ends_open_streams(
    cancelled: Exchange,
    stream: Exchange,
    replay: Exchange,
    posted: Exchange | None,
    posted_polled: list[Exchange],
    posted_stream: Exchange | None,
) -> Iterator[Finding]:
    later = "a stream that is opened after the cancel"
    readings = {"stream": (stream, "the stream", cancelled), "replay": (replay, later, None)}
    if posted_stream is not None:
        readings["posted_stream"] = (posted_stream, "the stream of the create", posted)
    for place, (reading, name, cancel) in readings.items():
        if _has_no_end(reading):
            if cancel is not None and 2 * (_end(reading) - _end(cancel)) < reading.seconds:
                raise Unmet(f"most of the time limit of {name} had passed before the cancel")
            words = (f"{name} did not end", "an end after the cancel", format_ending(reading))
            yield Finding.from_code("cancel.stream-ends/hangs", *words).at(exchange=place)
            return
    ended = streams.completion(streams.events_in(replay)) if streams.is_stream(replay) else None
    if ended is not None and is_settled(ended.get("status")) and ended["status"] != "cancelled":
        message = "a stream that is opened after the cancel ends with another status than GET shows"
        words = (message, "cancelled", format_value(ended["status"]))
        yield Finding.from_code("cancel.stream-ends/replay", *words).at(exchange="replay")
    yield from at("stream", streams.expect_stream(stream))
    yield from at("stream", agreement.judge_cancelled_end(streams.events_in(stream)))
    if posted_stream is not None and runs.status_of(posted_polled[-1]) == "cancelled":
        yield from at("posted_stream", agreement.judge_cancelled_end(streams.events_in(posted_stream)))


def _excuse_a_lost_race(cancelled: Exchange, polled: list[Exchange]) -> None:
    """Raise `Unmet` if the run may have ended before the cancel arrived, or could take effect."""
    lost = _explain_lost_race(cancelled, polled)
    if lost:
        raise Unmet(lost, race_lost=True)


def _explain_lost_race(cancelled: Exchange, polled: list[Exchange]) -> str:
    """How the run may have ended before the cancel arrived; "" if it cannot have.

    It cannot if a refused cancel is followed by a poll that shows the run in progress, if the cancel returns a
    cancelled interaction, or if the run is seen in progress long after an accepted cancel.
    """
    status = runs.status_of(polled[-1])
    if not status and cancelled.status in CLIENT_ERROR and runs.status_of(polled[0]) not in RUNNING:
        return "the cancel was rejected, and no GET after it showed the run"  # a proxy may have lost them
    if status not in ("completed", "requires_action", "incomplete", "failed"):
        return ""
    if status == "failed" and cancelled.status in SUCCESS:  # a user who cancelled it sees an error without a cause
        return ""
    if cancelled.status in CLIENT_ERROR:
        return "" if runs.status_of(polled[0]) in RUNNING else f"the run ended as {status} before the cancel"
    if cancelled.status in SUCCESS:
        # Seconds within which an accepted cancel takes effect; a run that still goes on then was not cancelled.
        in_time = runs.status_of(cancelled) == "cancelled" or (_find_last_running(polled) or 0.0) >= 2.0
        return "" if in_time else f"the cancel was accepted, but the run ended as {status}"
    return f"the run ended as {status} before the cancel"


def _went_on(cancelled: Exchange, polled: list[Exchange]) -> bool:
    """Whether a run went on after its cancel, and completed too soon to tell what the cancel would have done."""
    accepted = cancelled.status in SUCCESS and runs.status_of(cancelled) in RUNNING
    went_on = runs.status_of(polled[0]) in RUNNING and runs.status_of(polled[-1]) == "completed"
    return accepted and went_on and bool(_explain_lost_race(cancelled, polled))


def _find_last_running(polled: list[Exchange]) -> float | None:
    """The seconds after the cancel at which a poll last showed the run in progress; None if none did."""
    running = [moment for moment, answer in runs.list_moments(polled) if runs.status_of(answer) in RUNNING]
    return running[-1] if running else None


# --- cancels that come too late


def leaves_the_result(rule: str, before: Exchange, after: Exchange) -> Iterator[Finding]:
    old = interaction_in(before)
    yield from expect_interaction(after)
    yield from agreement.judge_unchanged(rule, old, interaction_in(after))
