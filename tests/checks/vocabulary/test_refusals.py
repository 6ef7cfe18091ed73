"""Wrong creates: the table, and the checks that are made from its rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.checks.vocabulary.shared import send_wrong_creates
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, InvalidCreates, Own
from harness.kit.actions import Part

CHECKS = {check.id: check for check in CATALOGUE}


def play(steps: Part[Any], sent: list[Any]) -> Any:
    """Answer each request with its number, in the order of the parts; note the requests and return the results."""
    answered: Any = None
    while True:
        try:
            action = steps.send(answered)
        except StopIteration as done:
            return done.value
        sent.append(action)
        answered = f"answer {len(sent)}"


@pytest.mark.parametrize("row", REFUSALS.values(), ids=REFUSALS)
def test_each_row_is_judged_by_its_check(row: InvalidCreates) -> None:
    """The check of a row's rule wants the answers to all of its creates, and its exercise sends them."""
    check = CHECKS[row.rule]
    assert check.wants == tuple(row.creates)
    sent = [name for name, _ in row.bodies({}, dict.fromkeys(Own, "mine"))]
    assert sent == list(row.creates)


def test_the_words_of_a_check_agree_with_its_row() -> None:
    """A check whose words name no status but 400 as accepted or tolerated accepts no success."""
    for row in REFUSALS.values():
        words = " ".join(CHECKS[row.rule].accepts)
        assert ("2xx" in words) is (200 in row.accepts or 200 in row.tolerates), row.rule
        assert ("404" in words) <= (404 in row.accepts), row.rule
        assert 400 in row.accepts, row.rule
        assert ("422" in words) <= (422 in row.tolerates), row.rule


def test_creates_are_sent_in_order_and_answered_by_name() -> None:
    """The creates of several rules need nothing of each other; a field that is None is left out."""
    steps = send_wrong_creates(
        RequestBuilder(model="m", agent="a"), "create.both", "create.input-missing", timeout=3.0
    )
    actions: list[Any] = []
    assert play(steps, actions) == {
        "both": "answer 1",
        "no_input": "answer 2",
        "empty_input": "answer 3",
        "no_input_streamed": "answer 4",
        "no_input_in_background": "answer 5",
    }
    assert [json.loads(action.request.body) for action in actions] == [
        {"input": "Say hi.", "model": "m", "agent": "a"},
        {"model": "m"},
        {"input": [], "model": "m"},
        {"model": "m", "stream": True},
        {"model": "m", "background": True},
    ]
    assert {action.timeout for action in actions} == {3.0}
