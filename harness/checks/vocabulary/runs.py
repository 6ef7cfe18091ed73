"""Parts of exercises: polling a run, holding a background run in place, and runs of agents.

Use every generator here with `yield from`; each is bounded by the target's `wait` or `gone_within`. Whatever the
target fails to provide raises `Unmet`, never an error of our own.

On a scriptable target a background run is held until it is released, so that there is no race. Elsewhere the input
asks for a long answer and the exercise acts at once; a run that is over first is a lost race, not a failure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.checks.vocabulary.expect import OVERLOADED, TOO_MANY, finding, text_in
from harness.checks.vocabulary.streams import Event, decode_frames, last_cursor
from harness.contract import read
from harness.contract.judge.agreement import judge_result
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer, format_request
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import is_settled
from harness.contract.transcript import output_of, output_text, steps_text
from harness.kit.check import Finish, Open, Part, Read, Send, Together, Wait, pauses
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, LiveStream, Request
from harness.wire.bodies import object_or_none

_PASSING = frozenset({404, TOO_MANY, OVERLOADED})
"""Refusals that may be temporary: not readable yet, too many requests, overloaded. Others are final."""


def send_after(request: Request) -> Part[Exchange]:
    """Send a call right after what may have stopped the target; a 503 is not waited out.

    A target that limits the rate accepts it a while later, and rejects it right after that: this proves nothing.
    """
    sees = frozenset({OVERLOADED})
    after: Exchange = yield Send(request, sees=sees)
    if after.status == OVERLOADED:
        later: Exchange = yield Send(request)
        if later.status != OVERLOADED and (yield Send(request, sees=sees)).status == OVERLOADED:
            raise Unmet(f"{format_request(after)} returned {OVERLOADED}, and right after itself, too: a limit")
    return after


def id_of(exchange: Exchange) -> str:
    """Return the id in a successful answer, `""` if it has none."""
    return text_in(exchange, "id")


def need_id(exchange: Exchange) -> str:
    """Return the id in a successful response. Raises `Unmet` if there is none."""
    found = id_of(exchange)
    if not found:
        raise Unmet(f"{format_request(exchange)} returned no id: {format_answer(exchange)}")
    return found


def expect_id(exchange: Exchange) -> Iterator[Finding]:
    """A successful answer without an id breaks the rule; other checks judge the rest of it."""
    if exchange.status in SUCCESS and not id_of(exchange):
        yield finding("the response has no id", "a non-empty string", format_answer(exchange))


def status_of(exchange: Exchange) -> str:
    """Return the interaction's status in a successful answer, `""` if it has none."""
    return text_in(exchange, "status")


def show_status(exchange: Exchange) -> str:
    """The interaction's status for a finding; of a response without one, its beginning."""
    return status_of(exchange) or format_answer(exchange)


def describe_end(status: object) -> str:
    """How a run came to its end, or that it did not: `ended as 'failed'`, `was still 'queued' when last seen`."""
    return f"ended as {status!r}" if is_settled(status) else f"was still {status!r} at the last GET"


def settled(exchange: Exchange) -> bool:
    """Return whether the answer shows a run whose status will not change any more."""
    return is_settled(status_of(exchange))


def polls(
    t: RequestBuilder, interaction_id: str, *, patient: bool = True, whole: bool = False
) -> Part[list[Exchange]]:
    """GET until the run has settled, the answer is a final refusal, or `wait` is over → every answer, in order.

    A 404 is retried for at most `gone_within`. `patient=False`: GET once, for an exercise that has already waited
    in vain for a 404 to pass. Once a run did not settle, others get less time, and raise `Unmet` if they do not
    settle, either; not with `whole`, for an exercise whose judge reports such a run.
    """
    request = t.get(interaction_id)
    if whole or not patient:
        seen = yield from repeat(t, request, _watch(), within=t.wait if patient else 0.0)
    else:  # another worker may wait in vain meanwhile
        seen = yield from repeat(t, request, _watch(), within=t.wait, now=lambda: t.waiting.of(t.wait))
    if patient and status_of(seen[-1]) and not settled(seen[-1]):
        before = t.waiting.in_vain
        t.waiting.in_vain = True
        if before and not whole:
            less = t.waiting.of(t.wait)
            raise Unmet(f"the run had not settled after {less:.3g} s; nor had an earlier one in {t.wait:.3g} s")
    return seen


def poll_until_settled(t: RequestBuilder, interaction_id: str, run: str = "the run") -> Part[list[Exchange]]:
    """Poll a run until it has settled, and return the responses. Raises `Unmet` if it does not in time."""
    seen = yield from polls(t, interaction_id)
    if not settled(seen[-1]):
        reason = f"{run} did not settle: {format_count(len(seen), 'GET')}, the last {format_answer(seen[-1])}"
        raise Unmet(
            reason, remedy="once such runs end: read the log of their worker, or raise `--timeout` for slow runs"
        )
    return seen


def list_moments(polled: Sequence[Exchange]) -> list[tuple[float, Exchange]]:
    """Pair the answers of `polls` with the least seconds that had passed since the first request."""
    moments: list[tuple[float, Exchange]] = []
    spent = 0.0
    for answer, pause in zip(polled, pauses(), strict=False):
        moments.append((spent, answer))
        spent += answer.seconds + pause
    return moments


def poll_until_found(t: RequestBuilder, asked_for: str | Request, *, patient: bool = True) -> Part[list[Exchange]]:
    """GET an id, or what a request names, until the answer is no longer a 404 → every answer, in order.

    That is for at most `gone_within`; `patient` as in `polls`.
    """
    request = t.get(asked_for) if isinstance(asked_for, str) else asked_for
    within = t.gone_within if patient and t.keeps else 0.0
    return (yield from repeat(t, request, lambda seen: seen.status != 404, within=within))


def poll_after_stream(
    t: RequestBuilder, interaction_id: str, streamed: Exchange | None = None, *, patient: bool = True
) -> Part[list[Exchange]]:
    """GET until an interaction whose stream has ended is settled there, too, for at most `gone_within`.

    Text that was `streamed`, and that a completed run lacks, may be stored late: it is waited for, too. `patient`
    as in `polls`.
    """
    within = t.gone_within if t.keeps and patient else 0.0
    return (yield from repeat(t, t.get(interaction_id), _watch_text(streamed), within=within))


def poll_after_streams(t: RequestBuilder, streams: Mapping[str, Exchange]) -> Part[list[Exchange]]:
    """Like `poll_after_stream` for the streams of several interactions, by id → the last response of each.

    All are requested at the same time, and those that lack a part of their run again, one after the other. All
    streams have ended: after waiting in vain for one interaction, each of the others is requested once more.
    """
    asked = tuple(t.get(found) for found in streams)
    last: list[Exchange] = (yield Together(asked)) if asked else []
    patient = True
    for number, (found, streamed) in enumerate(streams.items()):
        if not _watch_text(streamed)(last[number]):
            last[number] = (yield from poll_after_stream(t, found, streamed, patient=patient))[-1]
            patient = patient and _watch_text(streamed)(last[number])
    return last


def _watch_text(streamed: Exchange | None) -> Callable[[Exchange], bool]:
    """A question like `_watch`, which also looks for the text that was streamed."""
    streamed_text = steps_text(output_of(read(streamed).streamed_steps)) if streamed is not None else ""
    is_over = _watch()

    def is_enough(seen: Exchange) -> bool:
        over, stored = is_over(seen), output_text(read(seen).interaction or {})
        is_cut = stored != streamed_text and streamed_text.startswith(stored)
        return over and not (is_cut and status_of(seen) == "completed")

    return is_enough


def poll_for_output(t: RequestBuilder, interaction_id: str, settled_run: Exchange) -> Part[list[Exchange]]:
    """GET a completed run without any output until it has some, for at most `gone_within`."""

    def has_output(seen: Exchange) -> bool:
        body = read(seen).interaction or {}
        return body.get("status") != "completed" or not list(judge_result(body))

    if has_output(settled_run):
        return []
    return (yield from repeat(t, t.get(interaction_id), has_output, within=t.gone_within))


def read_all(t: RequestBuilder, *creates: Exchange | None) -> Part[None]:
    """GET what each create brought, streamed or not: what they show must agree, which every run judges."""
    made = [created for created in creates if created is not None and created.succeeded] if t.keeps else []
    yield from poll_after_streams(t, {found: created for created in made if (found := read(created).id)})


def poll_for(
    t: RequestBuilder, interaction_id: str, seconds: float, *, to_the_end: bool = False
) -> Part[list[Exchange]]:
    """Like `polls`, for at most `seconds`; no other exercise waits less because this was in vain.

    It waits less itself once another one was in vain, unless `to_the_end`.
    """

    def allow() -> float:
        return seconds if to_the_end else t.waiting.of(seconds)

    return (yield from repeat(t, t.get(interaction_id), _watch(), within=seconds, now=allow))


def poll_until_gone(t: RequestBuilder, interaction_id: str) -> Part[list[Exchange]]:
    """GET until the interaction is gone, for at most `gone_within` → every answer, in order."""

    def is_gone(answer: Exchange) -> bool:
        return answer.status is not None and answer.status not in SUCCESS

    return (yield from repeat(t, t.get(interaction_id), is_gone, within=t.gone_within))


def read_later(t: RequestBuilder, interaction_id: str, *pauses: float, spent: float = 0.0) -> Part[list[Exchange]]:
    """GET after each of these pauses → the answers, in order. A response takes its time from the next pause.

    `spent` are the seconds of the first pause that have passed already.
    """
    seen: list[Exchange] = []
    for pause in pauses:
        yield Wait(max(0.0, pause - spent))
        seen.append((yield Send(t.get(interaction_id))))
        spent = seen[-1].seconds
    return seen


READS_MORE = 3
"""How often what must not be shown is read again: one read finds the copy of one worker by chance only."""


def expect_still_gone(gone: Sequence[Exchange], later: Sequence[Exchange]) -> Iterator[Finding]:
    """An interaction that returned 404 must not be found later."""
    back = next((number for number, answer in enumerate(later) if answer.status in SUCCESS), None)
    if gone[-1].status == 404 and back is not None:
        actual = format_answer(later[back])
        yield finding("a deleted interaction appeared again", "404", actual, exchange=f"later[{back}]")


def open_stream(t: RequestBuilder, interaction_id: str, *, timeout: float | None = None) -> Part[LiveStream]:
    """Open the event stream of an interaction; retry while the answer is a 404, for at most `gone_within`.

    `timeout` as in `Open`.
    """
    spent, pause_after = 0.0, pauses()
    while True:
        stream: LiveStream = yield Open(t.get(interaction_id, stream=True), timeout)
        if stream.status != 404 or spent >= t.gone_within:
            return stream
        refused: Exchange = yield Finish(stream)
        pause = min(next(pause_after), t.gone_within - spent)
        yield Wait(pause)
        spent += refused.seconds + pause


def repeat(
    t: RequestBuilder,
    request: Request,
    enough: Callable[[Exchange], bool],
    *,
    within: float,
    now: Callable[[], float] = lambda: math.inf,
) -> Part[list[Exchange]]:
    """Repeat a request until `enough`, until `within` is over, or until a 404 has lasted for `gone_within`.

    The last request is sent at the very end of that time, which may become less: `now` is asked again and again.
    """
    seen: list[Exchange] = []
    spent = missing = 0.0
    for pause in pauses():
        answer: Exchange = yield Send(request)
        seen.append(answer)
        absent = answer.status == 404
        spent += answer.seconds
        missing = missing + answer.seconds if absent else 0.0
        left = min(within, now()) - spent
        left = min(left, t.gone_within - missing) if absent else left
        if enough(answer) or left <= 0:
            break
        waited = min(pause, left)
        yield Wait(waited)
        spent += waited
        missing += waited if absent else 0.0
    return seen


def _watch() -> Callable[[Exchange], bool]:
    """A question to ask of each answer in turn: whether to look no more."""
    mute = 0

    def is_enough(answer: Exchange) -> bool:
        nonlocal mute
        shows_none = answer.status is None or (answer.status in SUCCESS and not status_of(answer))
        mute = mute + 1 if shows_none else 0
        refused = answer.status is not None and answer.status not in SUCCESS and answer.status not in _PASSING
        whole = answer.status in SUCCESS and answer.complete
        unreadable = whole and read(answer).json_fault not in ("", "surrogate")
        # Answers in a row that show no status, after which no other will: the run may be over, and no GET says so.
        return settled(answer) or refused or unreadable or mute >= 5

    return is_enough


LONG = "Write a story of two thousand words about a lighthouse."
"""An input that keeps a live model busy for some seconds."""

LONGER = "Write a story of ten thousand words about a lighthouse, chapter by chapter: " + " ".join(
    f"{number}. What the keeper sees in night {number}, and what he writes into his book."
    for number in range(1, 17)
)
"""An input that keeps it busy for longer, for a run that was over too soon with `LONG`.

It has hundreds of words itself: servers made for tests answer what they were asked.
"""

LONGEST = " ".join([LONGER] * 8)
"""An input for which a server whose runs take as long as their input keeps one in progress for many seconds."""

ROUNDS = 3
"""How often more a response has to be late, each time beside one that is not: a right server may be so twice."""

HELD_AFTER = 8
"""Events that a held run sends before it stops: enough to cut it in the middle of a step."""


class BackgroundRun(Struct, frozen=True):
    """A background run that had not settled when its create returned; a `held` one waits for `release_run`."""

    id: str
    created: Exchange
    held: bool


def script(t: RequestBuilder, marker: str, **keys: Any) -> Part[bool]:
    """Script the answer to the next create whose input contains `(marker)` → whether the target accepted it."""
    if "script" not in t.capabilities:
        return False
    body = {**keys, "match": {"input_contains": f"({marker})"}}
    answer: Exchange = yield Send(t.control("POST", "scripts", body))
    return answer.status in SUCCESS


def require_script(t: RequestBuilder, marker: str, **keys: Any) -> Part[None]:
    """Like `script`, for exercises that depend on it: raises `Unmet` if the target does not accept scripts."""
    if not (yield from script(t, marker, **keys)):
        raise Unmet("the target accepts no scripts through /__harness__/")


def start_run(t: RequestBuilder, text: str = LONG, **fields: Any) -> Part[Exchange]:
    """Begin a background run that is still in progress → the answer to its create, which has its id.

    Raises `Unmet` if the create brings no id, or, with `race_lost`, if the run was over at once.
    """
    answer: Exchange = yield Send(t.create(input=text, background=True, **fields))
    need_id(answer)
    if settled(answer):
        raise Unmet("the background run settled before its create returned", race_lost=True)
    return answer


def start_held_run(t: RequestBuilder, marker: str, *, text: str = LONG, **fields: Any) -> Part[BackgroundRun]:
    """Begin one as `start_run` does, held if that can be; `marker` separates its script from other exercises'."""
    held = yield from script(t, marker, hold={"after": HELD_AFTER})
    answer = yield from start_run(t, f"{text} ({marker})", **fields)
    return BackgroundRun(need_id(answer), answer, held)


def release_run(t: RequestBuilder, run: BackgroundRun) -> Part[None]:
    """Release a held run; do nothing for a run that is not held."""
    if run.held:
        yield Send(t.control("POST", "release", {"id": run.id}))


def read_to_a_cursor(stream: LiveStream, count: int, *, most: int) -> Part[list[Event]]:
    """Read `count` events of a stream, and more until one carries a cursor, at most `most`."""
    had = decode_frames((yield Read(stream, count)))
    while last_cursor(had) is None and len(had) < most:
        more = decode_frames((yield Read(stream, 1)))
        if not more:
            break
        had += more
    return had


def read_whole_stream(request: Request, timeout: float | None = None) -> Part[Exchange]:
    """Open a stream and read it to its end; `timeout` as in `Open`."""
    stream = yield Open(request, timeout)
    exchange: Exchange = yield Finish(stream)
    return exchange


def watch_run(t: RequestBuilder, create: Request) -> Part[Exchange]:
    """Read the stream of a background run to its end, beside those that other parts watch."""
    received: list[Exchange] = yield Together((create,), timeout=t.waiting.of(t.wait), is_idle=True)
    return received[0]


_NEEDS_MORE = frozenset({400, 422})


def start_agent(t: RequestBuilder, fields: Mapping[str, Any], **more: Any) -> Part[Exchange]:
    """Create a run of an agent in the environment of the target.

    A target that lists no environments may still need one for its agents, so a refusal is tried once with it.
    """
    body = {**fields, **more}
    created: Exchange = yield Send(t.create(body, environment=t.environment))
    if created.status in _NEEDS_MORE and t.environment is None:
        again: Exchange = yield Send(t.create(body, environment="remote"))
        return again if again.succeeded else created
    return created


NOBODY = "harness-no-such-agent"


def find_model(answer: Exchange) -> str:
    """The model that answers in place of the agent that was named; `""` if the answer does not say so."""
    body = read(answer).json if answer.status in SUCCESS else None
    if not isinstance(body, dict) or body.get("agent"):
        return ""
    named = (object_or_none(answer.request.body) or {}).get("agent")
    model = body.get("model")
    return model if isinstance(model, str) and model != named else ""


def find_stand_in(answer: Exchange, of_nobody: Exchange) -> str:
    """The model that responds in place of any agent, also of one that does not exist; `""` if none does."""
    model = find_model(answer)
    return model if model and find_model(of_nobody) == model else ""
