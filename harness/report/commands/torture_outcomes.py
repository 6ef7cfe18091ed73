"""What the parts of a torture report share: signs, marks and order of outcomes, and what was not tried.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.benches.client.judgement.outcome import DropOutcome, list_cases, run_of
from harness.engine.results import Result
from harness.look.assets import mark_of

if TYPE_CHECKING:
    from harness.report.run_state import RunState

SIGNS = {
    DropOutcome.EXACT: (".", "32"),
    DropOutcome.RECOVERED: ("r", "32"),
    DropOutcome.COULD_NOT: ("n", "32"),
    DropOutcome.REPORTED: ("e", "33"),
    DropOutcome.CRASHED: ("c", "33"),
    DropOutcome.HUNG: ("t", "35;1"),
    DropOutcome.WRONG_STATUS: ("S", "31;1"),
    DropOutcome.HOLE: ("H", "31;1"),
    DropOutcome.DUPLICATED: ("D", "31;1"),
    DropOutcome.SILENT_LOSS: ("L", "31;1"),
    DropOutcome.LOST_CONTEXT: ("F", "31;1"),
    DropOutcome.DOUBLE_CREATE: ("C", "31;1"),
}
"""The sign and the colour of each outcome: capitals are broken promises."""

RANK = {outcome: rank for rank, outcome in enumerate(DropOutcome)}
"""How bad an outcome is: the worst last."""

OUTCOME_MARKS = {
    **{outcome: mark_of("wrong") for outcome in DropOutcome},
    DropOutcome.EXACT: mark_of("exact"),
    DropOutcome.RECOVERED: mark_of("exact"),
    DropOutcome.COULD_NOT: mark_of("refused"),
    DropOutcome.REPORTED: mark_of("gave-up"),
    DropOutcome.CRASHED: mark_of("gave-up"),
    DropOutcome.HUNG: mark_of("hung"),
}
"""The shape and the colour of each outcome in a page."""


def in_order(results: Sequence[Result]) -> list[Result]:
    """The results in the order of their cases."""
    return sorted(list_cases(results), key=lambda result: run_of(result).number)


def describe_problem(result: Result, state: RunState) -> str:
    """What is wrong in one case, secrets hidden."""
    return "; ".join(state.mask.show(finding.message) for finding in result.observation.findings)


def list_untried(state: RunState) -> list[dict[str, Any]]:
    """The kinds of cases that were given up, and how many cases of each were left out."""
    return [
        {"kind": kind, "cases": cases}
        for phase in state.phases[1:]
        for kind, cases in phase.counts.items()
        if cases
    ]
