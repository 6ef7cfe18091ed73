"""The waiting parts of exercises: polling, and giving up in time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from harness.checks.vocabulary.resources import READINGS, page_beside
from harness.checks.vocabulary.runs import (
    poll_until_found,
    poll_until_gone,
    polls,
    settled,
)
from harness.contract.requests import RequestBuilder, WaitingTime
from harness.kit.check import Send, Wait
from harness.outcome import Unmet
from tests.checks._play import DEAD, DONE, MISSING, answer, interaction, refusal

RUNNING = answer(body=interaction(status="in_progress"))
QUEUED = answer(body=interaction(status="queued"))
DENIED = refusal(403, "permission_denied")
LIMITED = refusal(429, "rate_limit_exceeded")
OVERLOADED = refusal(503, "service_unavailable")
TARGET = RequestBuilder(wait=10)


def run(part, answers, target=None):
    """Play a part with these answers in turn, repeating the last: its result, and the seconds it waited."""
    sent, waited = 0, 0.0
    target = target or replace(TARGET, waiting=WaitingTime())
    steps = part(target, "v1_one")
    result = None
    try:
        while True:
            action = steps.send(result)
            if isinstance(action, Send):
                result = answers[min(sent, len(answers) - 1)]
                sent += 1
            else:
                assert isinstance(action, Wait)
                waited += action.seconds
                result = None
    except StopIteration as stop:
        return stop.value, waited


def took(seen):
    """The seconds that the answers themselves took."""
    return sum(exchange.seconds for exchange in seen) + 1e-9


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        ([DONE], 1),
        ([QUEUED, RUNNING, RUNNING, DONE], 4),
        ([MISSING, RUNNING, DONE], 3),
        ([LIMITED, OVERLOADED, DONE], 3),
        ([DEAD, DONE], 2),
        ([answer(body=interaction(status="dreaming"))], 1),
        ([DENIED, DONE], 1),
    ],
    ids=["at once", "all states", "a brief 404", "trouble", "a lost answer", "an unknown status", "a refusal"],
)
def test_polls_until_nothing_more_can_come(answers, count):
    """Polling ends at the first settled or refused answer, and continues after temporary errors."""
    assert len(run(polls, answers)[0]) == count


def test_polls_give_up_in_time():
    """A run that never settles is polled for as long as the user allows, and no longer."""
    seen, waited = run(polls, [RUNNING])
    assert not settled(seen[-1])
    assert TARGET.wait <= waited + took(seen) < TARGET.wait + 0.2


def test_after_a_wait_in_vain_others_get_less_time() -> None:
    """The next run is waited for a part of the time, and says nothing if it has not settled by then."""
    target = replace(TARGET, wait=80, waiting=WaitingTime())
    _, whole = run(polls, [RUNNING], target)
    with pytest.raises(Unmet, match=r"not settled after 10 s; nor had an earlier one in 80 s"):
        run(polls, [RUNNING], target)
    seen, waited = run(polls, [RUNNING, RUNNING, DONE], target)
    assert settled(seen[-1])
    assert waited < whole / 8


def test_a_run_that_is_accused_gets_the_whole_time() -> None:
    """Whoever says that a run never settles has waited as long as the user allows, whatever was before."""
    target = replace(TARGET, wait=80, waiting=WaitingTime(in_vain=True))
    seen, waited = run(partial(polls, whole=True), [RUNNING], target)
    assert not settled(seen[-1])
    assert waited + took(seen) >= 80


@pytest.mark.parametrize("within", [5.0, 0.5, 0.0])
@pytest.mark.parametrize("part", [poll_until_found, poll_until_gone])
def test_appear_and_vanish_give_up(part, within):
    """An interaction that never appears or never vanishes is polled for `gone_within` seconds, and no longer."""
    seen, waited = run(part, [MISSING if part is poll_until_found else DONE], replace(TARGET, gone_within=within))
    assert len(seen) < 15
    assert waited <= within <= waited + took(seen) < within + 0.2


def test_a_404_that_lasts_ends_the_polling():
    """A run that stays 404 is polled only for about `gone_within` seconds, not for the full `wait`."""
    seen, waited = run(polls, [RUNNING, MISSING], replace(TARGET, wait=60))
    assert seen[-1] is MISSING
    assert waited <= TARGET.gone_within + 1


def test_a_list_that_shows_an_entry_late_is_paged_as_often_then():
    """Another client moves the entries between two pages, so one reading that lacks one is no fault."""
    late, whole = (
        answer(body={"webhooks": [{"id": name} for name in names]}) for names in (["v1_one"], ["v1_one", "b"])
    )
    answers = [answer(body={"id": "b"}), *[late] * READINGS, whole, late, whole]
    seen, _ = run(lambda t, one: page_beside(t, "webhooks", one, {}), answers)
    assert seen["paged"] == [whole]
