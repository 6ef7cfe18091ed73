"""Which nulls are needless, and what is left to judge without them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import CURRENT, load

BODY: dict[str, Any] = {"id": "i1", "status": "completed", "created": "2026-11-20T10:00:00Z",
                        "updated": "2026-11-20T10:00:00Z"}  # fmt: skip


def review(**members: Any) -> Any:
    """The review of an interaction with these members."""
    return load(CURRENT).schemas.validator("interaction").review({**BODY, **members})


def test_optional_nulls_are_pointed_at_and_dropped() -> None:
    text = {"type": "text", "text": "Hello", "annotations": None}
    seen = review(usage=None, model="m", steps=[{"type": "model_output", "content": [text]}])
    assert (set(seen.nulls), seen.problems) == ({"$.usage", "$.steps[0].content[0].annotations"}, ())
    assert "usage" not in seen.value
    assert seen.value["steps"][0]["content"] == [{"type": "text", "text": "Hello"}]


def test_many_nulls_are_found_beyond_the_limit_of_problems() -> None:
    names = ["usage", "steps", "model", "agent", "service_tier", "previous_interaction_id", "environment_id"]
    assert len(review(**dict.fromkeys(names)).nulls) >= 6


def test_other_problems_stay() -> None:
    """A null hides no other fault, and is reported beside it."""
    seen = review(usage=None, model=3)
    assert seen.nulls == ("$.usage",)
    assert [problem.pointer for problem in seen.problems] == ["$.model"]


@pytest.mark.parametrize("members", [{"status": None}, {"steps": [None]}, {"steps": [{"type": None}]}])
def test_a_null_that_cannot_be_left_out_is_a_problem(members: dict[str, Any]) -> None:
    """A required member, an item of a list and a discriminator are needed."""
    seen = review(**members)
    assert seen.nulls == ()
    assert seen.problems


def test_unknown_and_nullable_members_may_be_null() -> None:
    """Where the schema allows null, nothing is said."""
    assert review(something_new=None).nulls == ()
