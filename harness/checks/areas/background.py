"""Checks of background runs: the immediate response to the create, and what polling shows until the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

from msgspec.structs import replace

from harness.checks.areas.tools import QUESTION, calls_in, first_call, need_calls, result_of
from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import at, expect_interaction, finding, interaction_in, object_in
from harness.checks.vocabulary.shared import FORCED, HELLO, UNKNOWN_ID, WEATHER, cancel_too_late
from harness.checks.vocabulary.streams import completion, events_in, is_stream
from harness.contract import read
from harness.contract.judge import agreement
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import RUNNING
from harness.contract.transcript import output_steps
from harness.kit.check import Exchanges, Finish, Part, Send, Steps, exercise, play_each, send, stop_exercise
from harness.outcome import Finding, Severity, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

_STREAM_LOOK = 3.0
"""Seconds for the stream of a run that does not settle, which may never end."""


@exercise(requests=8, interactions=1, uses=("cancel", "stream"))
def a_background_run(t: RequestBuilder) -> Steps:
    """A background run, polled until it has settled, then read twice more, and cancelled too late.

    If it does not settle, its stream is read: if that reports an end, `outlived` is the last GET after it, and
    `past_caches` the same with a query that no cache has seen. If it fails, its create is sent again twice, each
    time after the same as a stream: the `retries`. If it goes on, they are `_send_beside`.
    """
    seen: Exchanges = {"created": (yield Send(t.create(input=HELLO, background=True)))}
    found = runs.id_of(seen["created"])
    if not found:
        return stop_exercise(seen, f"the background create returned no id: {format_answer(seen['created'])}")
    seen["polled"], seen["outlived"] = (yield from runs.polls(t, found, whole=True)), None
    seen |= {"past_caches": None, "retries": []}
    if not runs.settled(seen["polled"][-1]):
        seen["outlived"] = yield from _ask_after_its_stream(t, found)
        fresh = t.request("GET", f"interactions/{segment(found)}", query={"harness": "fresh"})
        seen["past_caches"] = (yield Send(fresh)) if seen["outlived"] is not None else None
        seen["retries"] = (yield from _send_beside(t, found)) if seen["outlived"] is None else []
        return stop_exercise(seen, f"the run did not settle within {t.wait:.3g} s")
    seen["polled"] += yield from runs.poll_for_output(t, found, seen["polled"][-1])
    failed = runs.status_of(seen["polled"][-1]) in ("failed", "cancelled")
    for _ in range(2 if failed and "stream" in t.capabilities else 0):
        streamed = yield from runs.read_whole_stream(t.create(input=HELLO, background=True, stream=True))
        seen["retries"].append(streamed)
        again = runs.id_of((yield Send(t.create(input=HELLO, background=True))))
        seen["retries"] += (yield from runs.polls(t, again))[-1:] if again else []
    seen["later"] = yield from play_each([send(t.get(found)), send(t.get(found))])
    late = yield from cancel_too_late(t, settled=t.cancel(found), settled_after=t.get(found))
    return {**seen, "settled_before": seen["later"][-1], **late}


def _send_beside(t: RequestBuilder, found: str) -> Part[list[Exchange]]:
    """A run that goes on, and a newer one, each read after the same create was streamed to its end."""
    seen: list[Exchange] = []
    newer = runs.id_of((yield Send(t.create(input=HELLO, background=True)))) if "stream" in t.capabilities else ""
    for one in (found, newer) if newer else ():
        seen.append((yield from runs.read_whole_stream(t.create(input=HELLO, background=True, stream=True))))
        if completion(read(seen[-1]).events) is None:
            break
        seen.append((yield Send(t.get(one))))
    return seen


def _ask_after_its_stream(t: RequestBuilder, found: str) -> Part[Exchange | None]:
    """The GET long after the stream of a run showed its end; None if it did not."""
    stream: Exchange = yield Finish((yield from runs.open_stream(t, found, timeout=min(t.wait, _STREAM_LOOK))))
    end = completion(read(stream).events) or {}
    if end.get("status") not in ("completed", "requires_action"):
        return None
    last = (yield from runs.poll_after_stream(t, found))[-1]
    return None if runs.settled(last) or not runs.status_of(last) else last


@exercise(requests=3, interactions=1, alone=True, uses=("stream",))
def a_run_that_lasts(t: RequestBuilder) -> Steps:
    """A run, held if the target can be scripted, else of some seconds; a GET of it, and a POST to `{id}:cancel`.

    If it has settled when its create returns, a `longer` one is begun. A late create may have waited for its run:
    it is sent again, `twice` is the fastest one, and `foreground` and the slowest `short` show its usual time. A
    GET may wait, too: see `_compare_gets`.
    """
    held = yield from runs.script(t, "lasts", hold={"after": runs.HELD_AFTER})
    text = f"{runs.LONG} (lasts)"
    created: Exchange = yield Send(t.create(input=text, background=True))
    found = runs.id_of(created)
    seen: Exchanges = {"created": created, "held": held, "longer": None, "foreground": None, "short": None}
    seen |= {"twice": None, "pairs": []}
    if runs.settled(created) and not held:
        seen["longer"] = yield Send(t.create(input=runs.LONGER, background=True))
    if not found:
        return stop_exercise(seen, f"the background create returned no id: {format_answer(created)}")
    looked = seen["looked"] = (yield from runs.poll_until_found(t, found))[-1]
    if runs.settled(looked) and runs.status_of(created) in RUNNING and _is_late(created):
        seconds = attrgetter("seconds")
        creates, shorts = list[Exchange](), list[Exchange]()
        for _ in range(runs.ROUNDS):
            creates.append((yield Send(t.create(input=text, background=True))))
            foreground: Exchange = yield Send(t.create(input=text))
            shorts.append((yield Send(t.create(input=HELLO, background=True))))
            fastest, short = min(creates, key=seconds), max(shorts, key=seconds)
            seen |= {"twice": fastest, "foreground": foreground, "short": short}
            if fastest.seconds < 2 * min(short.seconds, foreground.seconds):
                break
    if runs.settled(looked) and _outlasts(looked, (yield Send(t.get(found)))):
        seen["pairs"] = yield from _compare_gets(t, text, looked)
    seen["colon"] = yield Send(t.request("POST", f"interactions/{segment(found)}:cancel"))
    yield from runs.release_run(t, runs.BackgroundRun(found, created, held))
    return seen


def _compare_gets(t: RequestBuilder, text: str, looked: Exchange) -> Part[list[tuple[Exchange, Exchange]]]:
    """GETs right after the creates of runs, each with one of a run that has ended: three pairs if all wait."""
    pairs: list[tuple[Exchange, Exchange]] = []
    mode = {"background": True, "stream": True} if "stream" in t.capabilities else {}
    while len(pairs) < 3 and runs.settled(looked) and all(_outlasts(*pair) for pair in pairs[-1:]):
        ended = read((yield Send(t.create({"input": text, **mode})))).id
        pairs.append((looked, (yield Send(t.get(ended or UNKNOWN_ID)))))
        begun = runs.id_of((yield Send(t.create(input=text, background=True))))
        looked = yield Send(t.get(begun or UNKNOWN_ID))
    return pairs


def _outlasts(waited: Exchange, quick: Exchange) -> bool:
    """Whether a GET took much longer than one that had nothing to wait for."""
    return runs.settled(quick) and waited.seconds > 4 * quick.seconds


def _is_late(answer: Exchange) -> bool:
    """Whether a response took so long that users notice."""
    return answer.seconds >= 1.0


@exercise(requests=8, interactions=3)
def a_background_call(t: RequestBuilder) -> Steps:
    """A background run that calls a function: polled, replayed, streamed from its create, and given its result.

    If it does not settle soon, its stream is read: if that reports an end, `outlived` is what GET shows after it.
    No other run shows that, because runs with tools may have a longer queue than those that begin later.
    """
    body = {"input": QUESTION, "tools": [WEATHER], "background": True, **FORCED}
    created: Exchange = yield Send(t.create(body))
    found = runs.need_id(created)
    polled = yield from runs.poll_for(t, found, t.gone_within, to_the_end=True)
    outlived = (yield from _ask_after_its_stream(t, found)) if runs.status_of(polled[-1]) in RUNNING else None
    if outlived is None and not runs.settled(polled[-1]):
        plain: Exchange = yield Send(t.create({**body, "background": None}))
        quick = calls_in(plain) and f", unlike a foreground one of {plain.seconds:.1f} s,"
        what = f"the background run that calls a function{quick or ''}"
        polled = yield from runs.poll_until_settled(t, found, what)
    seen: Exchanges = {"called": polled[-1], "outlived": outlived}
    look = None if outlived is None else min(t.wait, _STREAM_LOOK)
    replayed = yield from runs.read_whole_stream(t.get(found, stream=True), look)
    streamed = yield from runs.read_whole_stream(t.create(body, stream=True), look)
    seen["call_streams"] = {"GET": replayed, "POST": streamed}
    if outlived is not None:
        return stop_exercise(seen, _OUTLIVED)
    yield from runs.read_all(t, streamed)
    try:
        result = result_of(first_call(polled[-1]))
    except Unmet as unmet:
        return stop_exercise(seen, unmet.reason)
    turn = {"input": [result], "tools": [WEATHER], "previous_interaction_id": found}
    return {**seen, "answered": (yield Send(t.create(turn)))}


_OUTLIVED = "GET shows a run in progress, although its stream has ended"


def answers_with_an_id(created: Exchange) -> Iterator[Finding]:
    yield from agreement.judge_id("bg.create", runs.id_of(created))
    if not runs.status_of(created):
        yield finding("the response has no status", "in_progress", format_answer(created))


def does_not_wait(
    created: Exchange,
    held: bool,
    longer: Exchange | None,
    foreground: Exchange | None,
    short: Exchange | None,
    twice: Exchange | None,
) -> Iterator[Finding]:
    interaction_in(created)
    least = min(created.seconds, twice.seconds) if twice is not None else 0.0
    waits = runs.status_of(created) in RUNNING and least >= 1.0
    if waits and foreground is not None and short is not None and least >= 0.8 * foreground.seconds:
        message = "the create waits for the run, which has settled at the first GET after it"
        times = f"{created.seconds:.1f} s, and {foreground.seconds:.1f} s in the foreground"
        late = Finding.from_code("bg.at-once/late", message, "a response before the end", times)
        # A create may be slow for another reason, unless one of a shorter run is faster.
        if short.status in SUCCESS and short.seconds <= least / 2 and _is_late(foreground):
            yield late.at(exchange="created")
        elif foreground.seconds <= least / 2:  # else each create of this server is slow
            yield replace(late, severity=Severity.NON_STRICT).at(exchange="created")
    if not runs.settled(created):
        return
    if not held and (longer is None or not runs.settled(longer)):
        if longer is None or not runs.status_of(longer):
            raise Unmet("the run settled before its create returned", race_lost=True)
        return
    name, last = ("longer", longer) if longer is not None else ("created", created)
    seconds = f"{last.seconds:.1f} s"
    message = f"the create waits for the run: it returned after {seconds} with a settled run"
    if runs.status_of(last) == "completed" and any(agreement.judge_result(interaction_in(last))):
        message = f"the create returns `completed` after {seconds}, before there is any output"
    elif not _is_late(last):
        message = f"`background` seems to be ignored: even a run with a long response settled after {seconds}"
    yield finding(message, "in_progress", runs.status_of(last), exchange=name)


def shows_a_run_at_once(looked: Exchange, pairs: list[tuple[Exchange, Exchange]]) -> Iterator[Finding]:
    interaction_in(looked)  # a denial is told by `get.ok`
    least = min((one.seconds for one, _ in pairs), default=0.0)
    usual = max((other.seconds for _, other in pairs), default=0.0)
    if len(pairs) == 3 and least > 4 * usual and _outlasts(*pairs[-1]):
        message = "a GET of a run in progress waits until the run has settled"
        actual = f"{least:.2f} s and more, each time; a GET of one that has ended took {usual:.2f} s"
        yield finding(message, "in_progress at once", actual, exchange="looked")


def answers_in_time(created: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    # Seconds after which plain HTTP calls are typically cut off.
    if created.seconds >= 60.0:
        yield finding("the create took as long as the run", "well below 60 s", f"{created.seconds:.1f} s")


def comes_to_an_end(rule: str, polled: list[Exchange]) -> Iterator[Finding]:
    last, place = polled[-1], f"polled[{len(polled) - 1}]"
    yield from at(place, expect_interaction(last))
    if last.status in SUCCESS:
        yield from at(place, agreement.judge_end_status(rule, runs.status_of(last)))


def holds_its_output(
    polled: list[Exchange], outlived: Exchange | None, past_caches: Exchange | None, retries: list[Exchange]
) -> Iterator[Finding]:
    if outlived is not None:  # the GET long after the end of the stream
        message, shown = "GET shows a run in progress long after its stream completed", runs.status_of(outlived)
        if age := outlived.headers.get("age"):
            message, shown = f"{message}: it comes from a cache", f"{shown} (Age: {age})"
        elif past_caches is not None and runs.settled(past_caches):
            message = f"{message}: it comes from a cache, as a GET with another query shows"
        place = "outlived"
        yield finding(message, "completed", shown, code="bg.result/outlived", exchange=place, pointer="$.status")
        return
    body = interaction_in(polled[-1])
    end, place = body.get("status"), f"polled[{len(polled) - 1}]"
    ends = [completion(events_in(one)) or {} if is_stream(one) else object_in(one) for one in retries]
    waited = (polled[-1].began or 0.0) - (polled[0].began or 0.0)
    # A run that goes on may be a slow one: a warning, and only if its streamed twins are far faster.
    is_slow = end == "queued" or (end == "in_progress" and any(2 * one.seconds > waited for one in retries[::2]))
    if not is_slow and [one.get("status") for one in ends] == ["completed", end] * 2:
        message = f"each background run {runs.describe_end(end)}, and those whose creates are streamed complete"
        is_open = bool(body.get("errors")) or end == "in_progress"  # the errors may be of a quota
        severity = Severity.NON_STRICT if is_open else Severity.BROKEN
        failed = finding(message, "completed", str(end), code="bg.result/failed", severity=severity)
        yield failed.at(exchange=place, pointer="$.status")
        return
    if end != "completed":
        raise Unmet(f"the run {runs.describe_end(end)}, so there is no result of one that completed")
    first = next((look for look in polled if runs.status_of(look) == "completed"), polled[-1])
    late = list(agreement.judge_completed_early(interaction_in(first), body))
    yield from at(f"polled[{polled.index(first)}]", late)
    if not late:
        yield from at(place, agreement.judge_result(body))


def shows_the_same_interaction(created: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    interaction_in(polled[-1])
    for number, answer in enumerate(polled):
        if answer.status in SUCCESS:
            yield from at(
                f"polled[{number}]",
                agreement.judge_identity("bg.same-id", runs.id_of(created), runs.id_of(answer)),
            )


def stays_settled(polled: list[Exchange], later: list[Exchange]) -> Iterator[Finding]:
    interaction_in(polled[-1])
    end = runs.status_of(polled[-1])
    for number, answer in enumerate(later):
        place = f"later[{number}]"
        yield from at(place, expect_interaction(answer))
        if answer.status in SUCCESS:
            yield from at(place, agreement.judge_end_stays(end, runs.status_of(answer)))


def takes_nothing_back(polled: list[Exchange]) -> Iterator[Finding]:
    pairs = [
        (number, object_in(before), object_in(after))
        for number, (before, after) in enumerate(pairwise(polled), 1)
        if runs.status_of(before) in RUNNING and runs.status_of(after) not in ("", *agreement.CUT_SHORT)
    ]
    if not any(output_steps(before) for _, before, _ in pairs):
        raise Unmet("no poll showed output of the run in progress")
    for number, before, after in pairs:
        yield from at(f"polled[{number}]", agreement.judge_growth(before, after))


def moves_along(created: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    yield from moves("bg.transition", [created, *polled])


def sets_no_time_back(created: Exchange, polled: list[Exchange], later: list[Exchange]) -> Iterator[Finding]:
    interaction_in(polled[-1])
    yield from agreement.judge_updated(map(object_in, [created, *polled, *later]))


def moves(rule: str, history: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield a finding for every two consecutive statuses that the lifecycle does not allow."""
    statuses = [status for status in map(runs.status_of, history) if status]
    if not statuses:
        raise Unmet("no response contained a status")
    yield from agreement.judge_changes(statuses, rule)


# --- a function call in the background


def waits_when_polled(called: Exchange, outlived: Exchange | None) -> Iterator[Finding]:
    if outlived is not None:
        words = (_OUTLIVED, "requires_action", runs.status_of(outlived))
        yield Finding.from_code("bg.requires-action/outlived", *words).at(exchange="outlived", pointer="$.status")
        return
    if runs.status_of(called) == "requires_action" and not calls_in(called):
        message, expected = "GET shows `requires_action`, and no call that waits for a result", "a function_call"
        lost = Finding.from_code("bg.requires-action/no-call", message, expected, "none")
        yield lost.at(exchange="called", pointer="$.steps")
        return
    calls = need_calls(called)
    if runs.status_of(called) in agreement.CUT_SHORT:
        raise Unmet(f"the run ended as {runs.status_of(called)}, so it waits for no result")
    yield from at("called", agreement.judge_waiting("bg.requires-action", runs.status_of(called), calls))


def waits_when_streamed(call_streams: dict[str, Exchange]) -> Iterator[Finding]:
    waiting = 0
    for name, stream in call_streams.items():
        steps = read(stream).streamed_steps if is_stream(stream) else []
        end = completion(events_in(stream)) if is_stream(stream) else None
        if end is not None and agreement.pending_calls(steps):
            waiting += 1
            found = agreement.judge_waiting("bg.requires-action-streamed", end.get("status"), steps)
            yield from at(f"call_streams[{name}]", found)
    if not waiting:
        raise Unmet("no background stream with a final event contained a pending function call")
