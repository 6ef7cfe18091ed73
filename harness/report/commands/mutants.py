"""The kill matrix in words: a row for each mutant, and what proves nothing.

Layer 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.engine.kill_matrix import NOTICED, PROVED, REFERENCE, UNPROVED
from harness.engine.results import KillRow, Result
from harness.look.assets import mark_of
from harness.outcome import Accounted, Reason
from harness.outcome.words import format_count, list_some
from harness.report.accounting import LeftOut, RunVerdict, accounting_record, conclude
from harness.report.commands.presentation import CountedWord, Paint, Presentation, Section
from harness.report.page.matrix import MatrixCell, MatrixColumn, MatrixRow, OutcomeMatrix

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.run_state import RunState

_WIDTH = 100


class MutantsPresentation(Presentation):
    """The words of `harness mutants`."""

    subject = "Mutants"
    badge = "mutants"
    command = "mutants"
    noun = "result"
    counted = "mutant"
    live = False

    def verdict(self, state: RunState) -> RunVerdict:
        """The sum of the mutants."""
        rows, finished = rows_of(state), state.whole()[1]
        killed = sum(bool(row.killers) for row in rows)
        erred = sum(bool(row.errors) for row in rows)
        survivors = [row.mutant for row in rows if not row.killers and not row.errors]
        unproved = [result.title for result in state.results if result.rule is PROVED]
        checks = format_count(_find_phase(state, REFERENCE).counts["checks"], "check")
        left = state.planned.checks - len(rows)
        if left > 0:
            said = f"{killed} of {len(rows) + left} mutants killed by {checks}"
        elif killed == len(rows) and rows:
            said = (
                f"all {len(rows)} mutants killed by {checks}"
                if len(rows) > 1
                else f"the only mutant killed by {checks}"
            )
        else:
            which = f" ({list_some(survivors, 3)})" if survivors else ""
            said = f"{len(survivors)} of {format_count(len(rows), 'mutant')} survived{which}"
            said += f"; {killed} killed by {checks}"
        return conclude(
            finished,
            said,
            f"{format_count(len(unproved), 'check kills', 'checks kill')} no mutant ({list_some(unproved, 3)})"
            if unproved
            else "",
            f"{erred} not tested (harness error)" if erred else "",
            f"{left} not tested (not reached)" if left > 0 else "",
        )

    def left_out(self, state: RunState) -> Iterator[LeftOut]:
        if (left := state.planned.checks - len(rows_of(state))) > 0:
            yield LeftOut(left, Accounted.NOT_TESTED, "the run was interrupted", Reason.NOT_REACHED)

    def matrices(self, state: RunState) -> Iterator[OutcomeMatrix]:
        if rows := rows_of(state):
            yield kill_matrix(rows, {name: mutant.area for name, mutant in state.api.load_mutants().items()})

    def record(self, state: RunState) -> dict[str, Any]:
        from harness.report.shards.shard_record import part_record

        finished = state.whole()[1]
        rows = rows_of(state)
        survivors = [row.mutant for row in rows if not row.killers]
        return {
            "accounting": state.mask.tree(
                accounting_record(finished, self.accounting(state), self.verdict(state))
            ),
            "mutants": len(rows),
            "killed": len(rows) - len(survivors),
            "survivors": survivors,
            "checks": _find_phase(state, REFERENCE).counts["checks"],
            "checks_without_killer": list(_find_phase(state, UNPROVED).notes),
            "unmet_by_reference": dict(note.split(": ", 1) for note in _find_phase(state, REFERENCE).notes),
            "errors": {row.mutant: list(row.errors) for row in rows if row.errors},
            "matrix": {row.mutant: list(row.killers) for row in rows},
            "seconds": {row.mutant: round(result.seconds, 3) for result, row in _results_of(state)},
            "exit": int(finished.exit),
            **({"shard": part_record(finished.part)} if finished.part else {}),
        }

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [("checks", str(_find_phase(state, REFERENCE).counts["checks"]))]

    def sections(self, state: RunState) -> Iterator[Section]:
        yield Section("Mutant by mutant", tuple(matrix_lines(state)))

    def suite(self, result: Result) -> str:
        return "mutants" if result.rule is NOTICED else "mutants.checks"

    def case(self, result: Result) -> str:
        return f"{result.id}: {result.title}"

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        shard = f" in shard {planned.shard}" if planned.shard else ""
        yield f"{format_count(planned.checks, 'mutant')}{shard}, compared with the unchanged emulator"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        rows = rows_of(state)
        yield from matrix_lines(state, paint, whole=verbose)
        yield from (f"ERROR in {row.mutant}: {row.errors[0]}" for row in rows if row.errors)
        yield from (f"not met by the reference: {note}" for note in _find_phase(state, REFERENCE).notes)
        unproved = [result.title for result in state.results if result.rule is PROVED]
        if unproved:
            yield f"checks that kill no mutant: {', '.join(unproved)}"

    def tallies(self, state: RunState) -> Iterator[CountedWord]:
        rows = rows_of(state)
        killed = sum(bool(row.killers) for row in rows)
        erred = sum(bool(row.errors) and not row.killers for row in rows)
        untested = erred + max(0, state.planned.checks - len(rows))
        counted = (
            CountedWord("survived", len(rows) - killed - erred, Accounted.FAILED),
            CountedWord("killed", killed, Accounted.PASSED),
            CountedWord("not tested", untested, Accounted.NOT_TESTED),
        )
        yield from (tally for tally in counted if tally.number)

    def score(self, state: RunState) -> str:
        counted = {tally.outcome: tally.number for tally in self.tallies(state)}
        word, number = "killed", counted.get(Accounted.PASSED, 0)
        if survived := counted.get(Accounted.FAILED, 0):
            word, number = "survived", survived
        return f"{number} of {format_count(sum(counted.values()), 'mutant')} {word}"

    def write_totals(self, state: RunState, paint: Paint) -> str:
        tallies = list(self.tallies(state))
        said = ", ".join(f"{tally.number} {tally.word}" for tally in tallies)
        total = format_count(sum(tally.number for tally in tallies), "mutant")
        return f"{total} in {state.whole()[1].seconds:.1f} s: {said or 'none tested'}."


def rows_of(state: RunState) -> list[KillRow]:
    """The matrix, one row for each mutant."""
    return [row for _, row in _results_of(state)]


def _results_of(state: RunState) -> list[tuple[Result, KillRow]]:
    return [(result, row) for result in state.results for row in result.evidence if isinstance(row, KillRow)]


def matrix_lines(state: RunState, paint: Paint = lambda _, text: text, *, whole: bool = False) -> Iterator[str]:
    """A line for each mutant: who notices it; a long line is cut unless it is wanted `whole`."""
    rows = rows_of(state)
    width = max((len(row.mutant) for row in rows), default=0)
    for row in rows:
        text = ", ".join(row.killers) if row.killers else paint("31;1", "SURVIVED")
        long = len(", ".join(row.killers)) > _WIDTH and not whole
        yield f"{row.mutant:<{width}}  {f'{text[:_WIDTH]}… ({len(row.killers)} checks)' if long else text}"


def _find_phase(state: RunState, name: str) -> PhaseFinished:
    return next(phase for phase in state.phases if phase.name == name)


def kill_matrix(rows: Sequence[KillRow], areas: Mapping[str, str]) -> OutcomeMatrix:
    """Areas of mutants against areas of checks: how many mutants are noticed there; a cell opens their names."""
    of_area: dict[str, list[KillRow]] = defaultdict(list)
    for row in rows:
        of_area[areas.get(row.mutant, "")].append(row)
    columns = list(dict.fromkeys(_cut_area(check) for row in rows for check in row.killers))
    return OutcomeMatrix(
        key="kills",
        title="Which checks kill which mutants",
        about="Rows are areas of mutants, columns are areas of checks. Each figure: mutants of the row that a "
        "check of the column kills. Open a cell for their names.",
        corner="Mutants",
        columns=tuple(MatrixColumn(name=name) for name in columns),
        rows=tuple(
            MatrixRow(
                name=area or "others",
                about=_count_killed(members),
                cells=tuple(_kill_cell(members, column) for column in columns),
            )
            for area, members in of_area.items()
        ),
        narrow=True,
    )


def _cut_area(check: str) -> str:
    return check.partition(".")[0]


def _count_killed(rows: Sequence[KillRow]) -> str:
    survivors = [row.mutant for row in rows if not row.killers]
    return format_count(len(rows), "mutant") + (f"; survived: {', '.join(survivors)}" if survivors else "")


def _kill_cell(rows: Sequence[KillRow], column: str) -> MatrixCell | None:
    noticed = {row.mutant: [check for check in row.killers if _cut_area(check) == column] for row in rows}
    noticed = {mutant: checks for mutant, checks in noticed.items() if checks}
    if not noticed:
        return None
    return MatrixCell(
        text=str(len(noticed)),
        words=f"killed by checks of {column}",
        mark=mark_of("pass" if len(noticed) == len(rows) else "info"),
        title=f"{len(noticed)} of {format_count(len(rows), 'mutant')} killed by checks of {column}",
        wire=tuple(f"{mutant}: {', '.join(checks)}" for mutant, checks in noticed.items()),
    )
