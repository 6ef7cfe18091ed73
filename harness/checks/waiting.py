"""Parts of exercises: taking the id from an answer, and looking again until something has happened.

Layer 2. Every generator here is used with `yield from` and bounded by the target's own `wait`. What the target
does not give becomes an `Unmet`, never an error of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from harness.checks.actions import Action, Send, Wait
from harness.checks.judging import SUCCESS, TOO_MANY, asked, shown
from harness.checks.target import Target
from harness.contract import read
from harness.contract.lifecycle import is_settled
from harness.outcome import Unmet
from harness.wire import Exchange, Request

T = TypeVar("T")
Part: TypeAlias = Generator[Action, Any, T]
"""A piece of an exercise that yields actions and returns a `T`."""

GONE_WITHIN = 5.0
"""Seconds a delete may take to be seen, and a create to be readable; a 404 that lasts longer is an answer."""

_SHORTEST = 0.05

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


def status_of(exchange: Exchange) -> str:
    """The interaction's status in a successful answer, `""` when it has none."""
    body = read(exchange).json
    found = body.get("status") if exchange.status in SUCCESS and isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def settled(exchange: Exchange) -> bool:
    """Whether this answer shows a run that will not move any more."""
    return is_settled(status_of(exchange))


def polls(t: Target, interaction_id: str) -> Part[list[Exchange]]:
    """GET until the run has settled or the target's patience is over → every answer, the last one last."""
    return (yield from _repeat(t, t.get(interaction_id), _over, within=t.wait))


def settle(t: Target, interaction_id: str) -> Part[list[Exchange]]:
    """As `polls`, and raises `Unmet` when the run did not settle in time."""
    seen = yield from polls(t, interaction_id)
    if not settled(seen[-1]):
        raise Unmet(f"the run never settled: {len(seen)} looks, the last {shown(seen[-1])}")
    return seen


def appear(t: Target, interaction_id: str) -> Part[list[Exchange]]:
    """GET until the interaction can be read, for at most `GONE_WITHIN` → every answer, the last one last."""
    return (yield from _repeat(t, t.get(interaction_id), lambda seen: seen.status != 404, within=GONE_WITHIN))


def vanish(t: Target, interaction_id: str) -> Part[list[Exchange]]:
    """GET until the interaction is gone, for at most `GONE_WITHIN` → every answer, the last one last."""
    return (yield from _repeat(t, t.get(interaction_id), _gone, within=GONE_WITHIN))


def _repeat(
    t: Target, request: Request, enough: Callable[[Exchange], bool], *, within: float
) -> Part[list[Exchange]]:
    seen: list[Exchange] = []
    spent = missing = 0.0
    pause = max(t.poll, _SHORTEST)
    while True:
        answer: Exchange = yield Send(request)
        seen.append(answer)
        took = answer.seconds + pause
        spent += took
        missing = missing + took if answer.status == 404 else 0.0
        if enough(answer) or spent > within or missing > GONE_WITHIN:
            return seen
        yield Wait(pause)


def _over(answer: Exchange) -> bool:
    refused = answer.status is not None and answer.status not in SUCCESS and answer.status not in _PASSING
    return settled(answer) or refused


def _gone(answer: Exchange) -> bool:
    return answer.status is not None and answer.status not in SUCCESS
