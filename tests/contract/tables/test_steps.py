"""The marks on the schemas of steps and deltas are complete and agree with each other."""

from __future__ import annotations

import pytest

from harness.contract import REVISIONS, Contract, load
from harness.contract.schema.openness import Schema
from harness.contract.tables.steps import DeltaEffect, StepTable, read_steps

NEVER_STREAMED = {"user_input"}
"""Types of steps that no service streams: only callers send them."""

CONTRACTS = [load(revision) for revision in REVISIONS]


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_every_step_says_how_it_is_streamed(contract: Contract) -> None:
    """A step without marks would be streamed without deltas, and no judge would notice."""
    assert {step.name for step in contract.steps.values() if not step.streamed} == NEVER_STREAMED


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_every_delta_streams_some_step(contract: Contract) -> None:
    assert contract.steps_table.step_of.keys() == contract.deltas.keys()


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_a_delta_grows_a_field_that_its_steps_have(contract: Contract) -> None:
    for step in contract.steps.values():
        for delta in contract.steps_table.deltas_of(step.name):
            grows = delta.grows
            assert grows.how is DeltaEffect.MERGE or grows.field in step.fields, (step.name, delta.name)
            assert not grows.of or grows.of in delta.fields
            assert not grows.add or grows.add in delta.fields


class _Files:
    """Schemas that consist of one step and no delta."""

    def document(self, name: str) -> Schema:
        if name == "steps/odd":
            return {"x-deltas": ["lost"], "properties": {"type": {"const": "odd"}}}
        return {"oneOf": [{"$ref": "steps/odd.json"}] if name == "step" else []}


def test_a_delta_that_no_file_describes_is_refused() -> None:
    """A mark that lists an unknown delta raises ValueError that names file and delta."""
    with pytest.raises(ValueError, match=r"steps/odd\.json lists 'lost' in x-deltas"):
        read_steps(_Files())  # type: ignore[arg-type]


def test_an_unknown_step_may_have_any_known_delta() -> None:
    """A judge does not know what fits a step that the revision does not name."""
    table: StepTable = CONTRACTS[0].steps_table
    assert table.list_allowed("ray_call") == table.list_allowed(None) == table.deltas.keys()
    assert table.list_allowed("thought") == {"thought_summary", "thought_signature"}
    assert "arguments_delta" not in table.plain("function_call")
