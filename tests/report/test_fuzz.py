"""The last line of a search."""

from __future__ import annotations

import pytest

from harness.engine.events import PhaseFinished, RunFinished, RunStarted, TargetInfo
from harness.engine.search.failure import ACCEPTED, REJECTED
from harness.interactions import INTERACTIONS
from harness.outcome import Exit
from harness.report.commands.fuzz import FuzzRun

LITTLE = "1 of 1 engine tested too little (schema); no rule broken"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({REJECTED: 7}, f"{LITTLE} in 7 responses, all of them rejected (1 history)."),
        ({REJECTED: 7, ACCEPTED: 1}, f"{LITTLE} in 8 responses (1 history)."),
        ({}, "no response was judged; 1 engine tested too little (schema)."),
    ],
)
def test_refusals_alone_are_named(answers: dict[str, int], said: str) -> None:
    """A target that may refuse what is optional breaks nothing, and shows nothing either."""
    state = FuzzRun(INTERACTIONS)
    state.handle(RunStarted(TargetInfo(name="t")))
    state.handle(PhaseFinished(name="schema", vacuous=("little",), answers=answers, counts={"histories": 1}))
    state.handle(RunFinished((), 0.0, Exit.NOTHING_RAN))
    assert str(state.verdict) == f"NOTHING RAN: {said}"
