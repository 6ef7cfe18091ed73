"""Parts of exercises: taking the id from an answer, and looking again until something has happened.

Layer 2. Every generator here is used with `yield from` and bounded by the target's own `wait` or `gone_within`.
What the target does not give becomes an `Unmet`, never an error of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeAlias, TypeVar

from harness.checks.actions import Action, Finish, Open, Send, Wait
from harness.checks.judging import SUCCESS, TOO_MANY, asked, broken, shown
from harness.checks.target import Target
from harness.contract import read
from harness.contract.lifecycle import is_settled
from harness.outcome import Finding, Unmet
from harness.outcome.words import counted
from harness.wire import Exchange, LiveStream, Request

T = TypeVar("T")
Part: TypeAlias = Generator[Action, Any, T]
"""A piece of an exercise that yields actions and returns a `T`."""

_FIRST, _GROWTH, _LONGEST = 0.02, 1.6, 5.0
"""Seconds between looks: the first, by how much they grow, the last. Most things happen soon, on a target that is
near within milliseconds, and what does not may take long."""

_PASSING = frozenset({404, TOO_MANY, 503})
"""Refusals that may pass: not readable yet, too many requests, overloaded. Others will not."""


def id_of(exchange: Exchange) -> str:
    """The id in a successful answer, `""` when it has none."""
    body = read(exchange).json
    found = body.get("id") if exchange.status in SUCCESS and isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def need_id(exchange: Exchange) -> str:
    """The id in a successful answer; raises `Unmet` when there is none."""
    found = id_of(exchange)
    if not found:
        raise Unmet(f"{asked(exchange)} brought no id: {shown(exchange)}")
    return found


def expect_id(exchange: Exchange, message: str = "no id") -> Iterator[Finding]:
    """A successful answer without an id breaks the rule; what else it has to be, others say."""
    if exchange.status in SUCCESS and not id_of(exchange):
        yield broken(message, expected="a non-empty string", actual=shown(exchange))


def status_of(exchange: Exchange) -> str:
    """The interaction's status in a successful answer, `""` when it has none."""
    body = read(exchange).json
    found = body.get("status") if exchange.status in SUCCESS and isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def settled(exchange: Exchange) -> bool:
    """Whether this answer shows a run that will not move any more."""
    return is_settled(status_of(exchange))


def polls(t: Target, interaction_id: str, *, patient: bool = True) -> Part[list[Exchange]]:
    """GET until the run has settled or the target's patience is over → every answer, the last one last.

    `patient=False`: look once; an exercise that has waited out one 404 already does not wait for the next.
    """
    return (yield from _repeat(t, t.get(interaction_id), _over, within=t.wait if patient else 0.0))


def settle(t: Target, interaction_id: str) -> Part[list[Exchange]]:
    """As `polls`, and raises `Unmet` when the run did not settle in time."""
    seen = yield from polls(t, interaction_id)
    if not settled(seen[-1]):
        raise Unmet(f"the run never settled: {counted(len(seen), 'look')}, the last {shown(seen[-1])}")
    return seen


def appear(t: Target, interaction_id: str, *, patient: bool = True) -> Part[list[Exchange]]:
    """GET until the interaction can be read, for at most `gone_within` → every answer, the last one last.

    `patient` as in `polls`.
    """
    return (yield from appear_as(t, t.get(interaction_id), patient=patient))


def appear_as(t: Target, request: Request, *, patient: bool = True) -> Part[list[Exchange]]:
    """As `appear`, with a GET of the caller's own."""
    within = t.gone_within if patient and t.keeps else 0.0
    return (yield from _repeat(t, request, lambda seen: seen.status != 404, within=within))


def vanish(t: Target, interaction_id: str) -> Part[list[Exchange]]:
    """GET until the interaction is gone, for at most `gone_within` → every answer, the last one last."""
    return (yield from _repeat(t, t.get(interaction_id), _gone, within=t.gone_within))


def opened(t: Target, interaction_id: str) -> Part[LiveStream]:
    """Open the events of an interaction, again and again while they are a 404, for at most `gone_within`."""
    spent, pause_after = 0.0, pauses()
    while True:
        stream: LiveStream = yield Open(t.get(interaction_id, stream=True))
        if stream.status != 404 or spent >= t.gone_within:
            return stream
        refused: Exchange = yield Finish(stream)
        pause = min(next(pause_after), t.gone_within - spent)
        yield Wait(pause)
        spent += refused.seconds + pause


def _repeat(
    t: Target, request: Request, enough: Callable[[Exchange], bool], *, within: float
) -> Part[list[Exchange]]:
    """Ask until it is enough, `within` is over, or a 404 has lasted; the last look is at the very end."""
    seen: list[Exchange] = []
    spent = missing = 0.0
    for pause in pauses():
        answer: Exchange = yield Send(request)
        seen.append(answer)
        absent = answer.status == 404
        spent += answer.seconds
        missing = missing + answer.seconds if absent else 0.0
        left = min(within - spent, t.gone_within - missing) if absent else within - spent
        if enough(answer) or left <= 0:
            break
        yield Wait(min(pause, left))
        spent += min(pause, left)
        missing += min(pause, left) if absent else 0.0
    return seen


def pauses() -> Iterator[float]:
    """Seconds between one look and the next, for ever."""
    pause = _FIRST
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST)


def pauses_within(seconds: float) -> Iterator[float]:
    """The same for as long as they add up to less than so many seconds; the last one is cut to fit."""
    for pause in pauses():
        if seconds <= 0:
            return
        yield min(pause, seconds)
        seconds -= pause


def _over(answer: Exchange) -> bool:
    refused = answer.status is not None and answer.status not in SUCCESS and answer.status not in _PASSING
    return settled(answer) or refused


def _gone(answer: Exchange) -> bool:
    return answer.status is not None and answer.status not in SUCCESS
