"""The kill matrix in words: a row for each mutant, and what proves nothing.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.engine.kill_matrix import NOTICED, PROVED, REFERENCE, UNPROVED
from harness.engine.results import KillRow, Result
from harness.outcome import Exit
from harness.outcome.words import format_count
from harness.report.commands.presentation import Paint, Presentation, Section

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.run_state import RunState

_WIDTH = 100


class MutantsPresentation(Presentation):
    """The words of `harness mutants`."""

    subject = "Mutants"
    badge = "mutants noticed"
    command = "mutants"
    states = ("every mutant is noticed", "not every mutant is noticed")
    noun = "result"
    live = False
    conclusions: dict[Exit, str] = {}

    def headline(self, state: RunState) -> str:
        return ""

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        rows = rows_of(state)
        survivors = [row.mutant for row in rows if not row.killers]
        return {
            "mutants": len(rows),
            "killed": len(rows) - len(survivors),
            "survivors": survivors,
            "checks": _phase(state, REFERENCE).counts["checks"],
            "checks_without_killer": list(_phase(state, UNPROVED).notes),
            "unmet_by_reference": dict(note.split(": ", 1) for note in _phase(state, REFERENCE).notes),
            "errors": {row.mutant: list(row.errors) for row in rows if row.errors},
            "matrix": {row.mutant: list(row.killers) for row in rows},
        }

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [("checks", str(_phase(state, REFERENCE).counts["checks"]))]

    def sections(self, state: RunState) -> Iterator[Section]:
        yield Section("Which checks notice which mutant", tuple(matrix_lines(state)))

    def suite(self, result: Result) -> str:
        return "mutants" if result.rule is NOTICED else "mutants.checks"

    def case(self, result: Result) -> str:
        return f"{result.id}: {result.title}"

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        return iter(())

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        rows = rows_of(state)
        yield from matrix_lines(state, paint, whole=verbose)
        yield from (f"ERROR in {row.mutant}: {row.errors[0]}" for row in rows if row.errors)
        yield from (f"not met by the reference: {note}" for note in _phase(state, REFERENCE).notes)
        unproved = [result.title for result in state.results if result.rule is PROVED]
        if unproved:
            yield f"checks that notice no mutant: {', '.join(unproved)}"

    def totals(self, state: RunState, paint: Paint) -> str | None:
        rows = rows_of(state)
        killed = sum(bool(row.killers) for row in rows)
        checks = _phase(state, REFERENCE).counts["checks"]
        return f"{killed} of {len(rows)} mutants noticed by {format_count(checks, 'check')}"


def rows_of(state: RunState) -> list[KillRow]:
    """The matrix, one row for each mutant."""
    return [item for result in state.results for item in result.evidence if isinstance(item, KillRow)]


def matrix_lines(state: RunState, paint: Paint = lambda _, text: text, *, whole: bool = False) -> Iterator[str]:
    """A line for each mutant: who notices it; a long line is cut unless it is wanted `whole`."""
    rows = rows_of(state)
    width = max((len(row.mutant) for row in rows), default=0)
    for row in rows:
        text = ", ".join(row.killers) if row.killers else paint("31;1", "SURVIVES")
        long = len(", ".join(row.killers)) > _WIDTH and not whole
        yield f"{row.mutant:<{width}}  {f'{text[:_WIDTH]}… ({len(row.killers)} checks)' if long else text}"


def _phase(state: RunState, name: str) -> PhaseFinished:
    return next(phase for phase in state.phases if phase.name == name)
