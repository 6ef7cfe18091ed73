"""Checks of cancels that come too late, or that name nothing.

Layer 2. Only a background run in progress can be cancelled; anything else is refused, or left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.areas.lifecycle.background import a_run_that_lasts
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    expect_status,
    interaction_in,
)
from harness.checks.vocabulary.polling import id_of, need_id, poll_until_found, poll_until_settled
from harness.checks.vocabulary.stored import HELLO, UNKNOWN_ID
from harness.contract.judge.agreement import judge_unchanged
from harness.contract.judge.history.ends import judge_late_cancel
from harness.contract.judge.replies import CLIENT_ERROR
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding
from harness.wire import Exchange

_LATE = new_registry()
CHECKS = _LATE.checks


# --- exercises


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


# --- judges


@_LATE.check(
    "cancel.foreground",
    late_cancels,
    title="a foreground interaction is not cancelled",
    profile="core",
    requires=["store", "cancel"],
    accepts=["any 4xx", "200 with the interaction unchanged"],
)
def _spares_the_foreground(foreground: Exchange) -> Iterator[Finding]:
    yield from _refused_or_unchanged("cancel.foreground", foreground)


@_LATE.check(
    "cancel.settled",
    late_cancels,
    title="a finished background run is not cancelled",
    profile="background",
    requires=["background", "store", "cancel"],
    accepts=["any 4xx", "200 with the interaction unchanged"],
)
def _spares_the_finished(settled: Exchange) -> Iterator[Finding]:
    yield from _refused_or_unchanged("cancel.settled", settled)


@_LATE.check(
    "cancel.keeps-result",
    late_cancels,
    title="a late cancel leaves the result alone",
    profile="core",
    requires=["store", "cancel"],
    accepts=["the same status and output before and after"],
)
def _leaves_the_result(before: Exchange, after: Exchange) -> Iterator[Finding]:
    yield from at("after", _expect_unchanged("cancel.keeps-result", before, after))


@_LATE.check(
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


_LATE.check(
    "cancel.unknown",
    a_cancel_of_nothing,
    title="a cancel of nothing is refused",
    profile="background",
    requires=["background", "cancel"],
    accepts=["404", "400", "any other 4xx: non-strict"],
)(judge_one("answer", partial(expect_reply, "cancel.unknown")))


_LATE.check(
    "cancel.colon",
    a_run_that_lasts,
    title="`{id}:cancel` is no route",
    profile="background",
    requires=["background", "store"],
    accepts=["any 4xx"],
)(judge_one("colon", partial(expect_status, accepts=CLIENT_ERROR)))


# --- what the judges share


def _refused_or_unchanged(rule: str, answer: Exchange) -> Iterator[Finding]:
    yield from expect_reply(rule, answer)
    yield from judge_late_cancel(rule, answer)


def _expect_unchanged(rule: str, before: Exchange, after: Exchange) -> Iterator[Finding]:
    old = interaction_in(before)
    yield from expect_interaction(after)
    yield from judge_unchanged(rule, old, interaction_in(after))
