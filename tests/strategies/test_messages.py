"""The contract accepts the bodies drawn as legal, and refuses those drawn as illegal."""

from __future__ import annotations

import pytest

from harness.contract import judge_interaction, load
from harness.strategies import create_requests, interactions, steps
from harness.strategies.messages import RULES_BETWEEN_FIELDS
from tests.strategies.drawing import draws, least

STRATEGIES = {
    "step": steps,
    "interaction": interactions,
    "requests/create-interaction": create_requests,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_legal_values_hold_nothing_unknown(name: str) -> None:
    """A legal value fits the closed schema, so it has no unknown fields."""
    validator = load().schemas.validator(name, closed=True)
    for value in draws(STRATEGIES[name]()):
        assert validator.problems(value) == [], value


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_illegal_values_are_refused(name: str) -> None:
    """An illegal value does not fit its schema: the open one for responses, the closed one for requests."""
    validator = load().schemas.validator(name, closed=name.startswith("requests/"))
    for value in draws(STRATEGIES[name](legal=False)):
        assert not validator.is_valid(value), value


@pytest.mark.slow
def test_legal_interactions_are_coherent() -> None:
    """A legal interaction has no findings: calls match results, totals add up, citations lie inside the text."""
    for value in draws(interactions()):
        assert judge_interaction(value, load()) == [], value


@pytest.mark.parametrize("body", RULES_BETWEEN_FIELDS)
def test_each_rule_between_fields_is_broken_by_its_least_body(body: dict[str, object]) -> None:
    """Every entry in the table of broken cross-field rules really breaks its rule, even in its smallest body."""
    assert not load().schemas.validator("requests/create-interaction", closed=True).is_valid(body)


@pytest.mark.slow
def test_a_create_shrinks_to_model_and_input() -> None:
    body = least(create_requests(), lambda value: True)
    assert set(body) == {"model", "input"}


@pytest.mark.slow
def test_a_wanted_tool_is_all_that_remains() -> None:
    """When shrinking for a tool, every field that does not matter is removed."""
    wanted = least(create_requests(), lambda body: any(t["type"] == "function" for t in body.get("tools", ())))
    assert wanted["tools"] == [{"type": "function"}]
    assert set(wanted) == {"model", "input", "tools"}
