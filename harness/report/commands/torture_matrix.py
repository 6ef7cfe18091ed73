"""The table of a torture page: a row for each kind of fault, and what came of its cases.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome.words import format_count
from harness.report.commands.torture_outcomes import (
    OUTCOME_MARKS,
    RANK,
    SIGNS,
    describe_problem,
    in_order,
    list_untried,
)
from harness.report.evidence.evidence_text import client_lines
from harness.report.page.matrix import MatrixCell, MatrixColumn, MatrixRow, OutcomeMatrix, StripCase

if TYPE_CHECKING:
    from harness.report.run_state import RunState

_COLUMNS: tuple[tuple[str, Mark], ...] = (
    ("right", mark_of("exact")),
    ("wrong without a word", mark_of("wrong")),
    ("gave up, honestly", mark_of("gave-up")),
    ("hung", mark_of("hung")),
    ("had no way", mark_of("refused")),
)
"""What can come of a case, and its mark."""


def fault_matrix(state: RunState) -> OutcomeMatrix:
    """A row for each kind of fault: how many cases came out how; a cell opens its cases."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in in_order(state.results):
        kinds[run_of(result).kind or "asked for"].append(result)
    skipped = {item["kind"]: item["cases"] for item in list_untried(state)}
    return OutcomeMatrix(
        key="faults",
        title="The client and each fault",
        about="Cases by what came of them. Open a cell for its cases, the first problem, and the command.",
        corner="Fault",
        columns=tuple(MatrixColumn(name=name) for name, _ in _COLUMNS),
        rows=tuple(
            MatrixRow(
                name=kind,
                about=f"{format_count(len(results), 'case')}"
                + (f", {skipped[kind]} not tried" if kind in skipped else ""),
                cells=tuple(outcome_cell(kind, results, mark, state) for _, mark in _COLUMNS),
            )
            for kind, results in kinds.items()
        ),
    )


def outcome_cell(kind: str, results: Sequence[Result], mark: Mark, state: RunState) -> MatrixCell | None:
    """Those of the cases of a kind that came out alike; None if none did."""
    alike = [result for result in results if OUTCOME_MARKS[outcome_of(result)] == mark]
    if not alike:
        return None
    first = max(alike, key=lambda result: RANK[outcome_of(result)])
    bad = bool(first.observation.findings)
    outcomes = Counter(map(outcome_of, alike))
    listed = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in DropOutcome if outcomes[outcome])
    return MatrixCell(
        text=f"{len(alike)}/{len(results)}",
        words=f"{kind}: {listed}",
        mark=mark,
        title=f"{kind}: {listed}. Each mark is a case, in the order of the stream.",
        cases=tuple(
            StripCase(sign=SIGNS[outcome_of(result)][0], words=f"{result.title}: {outcome_of(result)}", mark=mark)
            for result in alike
        ),
        lines=(f"At {first.title} the client {describe_problem(first, state)}",) if bad else (),
        wire=tuple(client_lines(run_of(first), state.mask, verbose=False)) if bad else (),
        command=state.mask.show(first.reproduction.command) if bad and first.reproduction else "",
    )
