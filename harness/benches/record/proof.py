"""Decides whether the result of a scenario may become a cassette: nothing failed, and its replay is the same.

Layer 5, pure. Must not know where files are or what is sent next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from harness.benches.record.recorder import Summary
from harness.benches.recordings.diff import Drifts
from harness.cassette import Player, Recording
from harness.engine.cleanup import CreatedResources
from harness.engine.execute import PlayedExercise, play
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.retries import LATER, format_refusal
from harness.engine.traffic.traffic_policy import BUDGET_SPENT
from harness.kit.check import Scenario
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import Outcome
from harness.outcome.words import format_count
from harness.transport import ServiceDriver
from harness.wire import By, Exchange

_PLACEHOLDER = re.compile(rb"REDACTED-[0-9]+")
_UNAUTHORISED = frozenset({401, 403})
_EXHAUSTED = 429
_GAVE_UP = 408
_REFUSALS = "400"


class ScenarioState(StrEnum):
    """What became of a scenario."""

    RECORDED = "recorded"
    UNSUPPORTED = "unsupported"
    UNFAITHFUL = "unfaithful"
    REFUSED = "refused"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"


class RecordingProblem(NamedTuple):
    """Why there is nothing to keep. STOPPED means that the scenarios that follow would fail as well."""

    state: ScenarioState
    reason: str


def problem_of(played: PlayedExercise, summary: Summary, *, reached: bool) -> RecordingProblem | None:
    """What went wrong, or None; `reached` says whether an earlier scenario could use the target."""
    trail = played.trail
    first = trail[0] if trail else None
    if first is not None and not reached and (why := _explain_refusal(first, summary)):
        return RecordingProblem(ScenarioState.STOPPED, f"the target cannot be used: {why}")
    for exchange in trail:
        if exchange.status is None:
            return RecordingProblem(
                ScenarioState.STOPPED, f"the connection to the target was lost: {_explain_loss(summary)}"
            )
        if problem := _problem_with(exchange):
            return problem
    if summary.unanswered:  # though the driver asked again on a fresh connection
        return RecordingProblem(
            ScenarioState.FAILED, f"a connection to the target was dropped: {_explain_loss(summary)}"
        )
    if summary.unrecorded:
        return RecordingProblem(ScenarioState.UNFAITHFUL, summary.unrecorded[0])
    failure = played.failure
    if failure is None:
        return None
    if failure.reason == BUDGET_SPENT:
        return RecordingProblem(ScenarioState.STOPPED, failure.reason)
    unmet = failure.outcome is Outcome.UNTESTABLE
    return RecordingProblem(ScenarioState.UNSUPPORTED if unmet else ScenarioState.UNFAITHFUL, failure.reason)


def _problem_with(exchange: Exchange) -> RecordingProblem | None:
    status = exchange.status
    if status == _EXHAUSTED:
        after = exchange.headers.get("retry-after")
        when = f", again after {after} s" if after.isdecimal() else ""
        return RecordingProblem(ScenarioState.STOPPED, f"the quota is exhausted: {format_refusal(exchange)}{when}")
    if status is not None and (status >= 500 or status == _GAVE_UP):
        return RecordingProblem(ScenarioState.FAILED, f"the service failed: {format_refusal(exchange)}")
    if not exchange.complete and exchange.ending.by is not By.CLIENT:
        request, how = exchange.request, exchange.ending.words
        return RecordingProblem(
            ScenarioState.FAILED, f"the response to {request.method} {request.raw_path} was truncated: {how}"
        )
    return None


def _explain_refusal(first: Exchange, summary: Summary) -> str:
    """Why a target whose first answer this is cannot be used; "" if it may be."""
    if first.status is None:
        return _explain_loss(summary)
    if wrong := explain_wrong_call(first):
        return f"{format_refusal(first)}: {wrong}"
    return format_refusal(first) if first.status in _UNAUTHORISED else ""


def _explain_loss(summary: Summary) -> str:
    """Why there was no answer, as the recorder saw it: it is nearer to the target than the driver."""
    return summary.unanswered[0] if summary.unanswered else "the recorder disconnected"


def may_be_recorded(exchange: Exchange) -> bool:
    """Temporary refusals are not recorded: the driver asks again, and a client of the replay has no reason to."""
    return exchange.status not in LATER


def replay_difference(
    scenario: Scenario, target: ResolvedTarget, seen: Sequence[Exchange], recordings: Sequence[Recording]
) -> str:
    """How a replay of the recordings differs from what the same client saw before; "" if it does not."""
    player = Player(recordings, target.api.load_protocol())
    driver = ServiceDriver(player)
    try:
        again = play(target.api, scenario.exercise, target.target, driver, CreatedResources(target.api)).trail
    finally:
        driver.close()
    if player.misses:
        return f"its replay lacks a response: {player.misses[0]}"
    if len(again) != len(seen):
        return f"its replay takes {format_count(len(again), 'exchange')} instead of {len(seen)}"
    for number, (before, after) in enumerate(zip(seen, again, strict=True), 1):
        if not _is_alike(before, after):
            return f"its replay differs in exchange {number}, {before.request.method} {before.request.raw_path}"
    return ""


def _is_alike(before: Exchange, after: Exchange) -> bool:
    """Whether a client could not tell the two apart, except for secrets; after a hang-up, as far as both go."""
    if before.status != after.status:
        return False
    clear, *rest = _PLACEHOLDER.split(after.body)
    if By.CLIENT in (before.ending.by, after.ending.by):
        return before.body.startswith(clear) or (not rest and clear.startswith(before.body))
    return before.ending.how is after.ending.how and _is_redacted(before.body, [clear, *rest])


def _is_redacted(body: bytes, parts: Sequence[bytes]) -> bool:
    """Whether the body is these parts in order, with something between each two of them."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return body == first
    at, end = len(first), len(body) - len(last)
    if not (body.startswith(first) and body.endswith(last)):
        return False
    for part in parts[1:-1]:
        found = body.find(part, at + 1, end)
        if found < 0:
            return False
        at = found + len(part)
    return at < end


def refused_since(drifts: Drifts) -> str:
    """The request that the older recording has an answer to and that is refused now; "" if there is none."""
    for drift, labels in drifts.shape.items():
        if drift.place == "status" and drift.before < _REFUSALS <= drift.after:
            return f"{labels[0]} returned {drift.before} and is now rejected with {drift.after}"
    return ""
