"""The kill matrix in words: a row for each mutant, and what proves nothing.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from harness.engine.kill_matrix import NOTICED, PROVED, REFERENCE, UNPROVED
from harness.engine.results import KillRow, Result, of_kind
from harness.outcome import Accounted, Reason
from harness.outcome.words import format_count, list_some
from harness.report.accounting import LeftOut, RunVerdict, accounting_record, conclude
from harness.report.commands.presentation import CountedWord, Presentation, Section
from harness.report.finding_text import Paint, leave_unpainted
from harness.report.screen import Role

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.collected_run import CollectedRun

_WIDTH = 100

_FATES = (
    CountedWord("survived", 0, Accounted.FAILED),
    CountedWord("killed", 0, Accounted.PASSED),
    CountedWord("not tested", 0, Accounted.NOT_TESTED),
)
"""What becomes of a mutant, in the order of the totals."""


class MutantsPresentation(Presentation):
    """The words of `harness mutants`."""

    subject = "Mutants"
    badge = "mutants"
    command = "mutants"
    noun = "result"
    counted = "mutant"
    again = ""
    begins = "running the checks against the unchanged emulator"
    live = False

    def verdict(self, state: CollectedRun) -> RunVerdict:
        """The sum of the mutants."""
        rows = rows_of(state)
        erred = sum(bool(row.errors) for row in rows)
        unproved = [result.title for result in state.results if result.rule is PROVED]
        checks = format_count(_find_phase(state, REFERENCE).counts["checks"], "check")
        left = max(0, state.planned.checks - len(rows))
        kills = format_count(len(unproved), "check kills", "checks kill")
        return conclude(
            state.whole()[1],
            _sum_up_kills(rows, left, checks, _name_own(state, rows)),
            f"{kills} no mutant ({list_some(unproved, 3)})" if unproved else "",
            f"{erred} not tested (harness error)" if erred else "",
            f"{left} not tested (not reached)" if left else "",
        )

    def left_out(self, state: CollectedRun) -> Iterator[LeftOut]:
        if (left := state.planned.checks - len(rows_of(state))) > 0:
            yield LeftOut(left, Accounted.NOT_TESTED, "the run was interrupted", Reason.NOT_REACHED)

    def record(self, state: CollectedRun) -> dict[str, Any]:
        finished = state.whole()[1]
        rows = rows_of(state)
        return {
            "accounting": accounting_record(finished, self.accounting(state), self.verdict(state)),
            "mutants": len(rows),
            "killed": _count_fates(rows)["killed"],
            "survivors": _list_survivors(rows),
            "checks": _find_phase(state, REFERENCE).counts["checks"],
            "checks_without_killer": list(_find_phase(state, UNPROVED).notes),
            "unmet_by_reference": dict(note.split(": ", 1) for note in _find_phase(state, REFERENCE).notes),
            "errors": {row.mutant: list(row.errors) for row in rows if row.errors},
            "matrix": {row.mutant: list(row.killers) for row in rows},
            "seconds": {row.mutant: round(result.seconds, 3) for result, row in _results_of(state)},
            "exit": int(finished.exit),
        }

    def owners(self, result: Result, state: CollectedRun) -> Collection[str]:
        (row,) = of_kind(KillRow, result.evidence)
        return (
            {row.area} if row.area in state.api.load_extensions() else {_cut_area(error) for error in row.errors}
        )

    def facts(self, state: CollectedRun) -> list[tuple[str, str]]:
        return [("checks", str(_find_phase(state, REFERENCE).counts["checks"]))]

    def sections(self, state: CollectedRun) -> Iterator[Section]:
        yield Section("Mutant by mutant", tuple(matrix_lines(state)))

    def word(self, result: Result) -> str:
        return next((tally.word for tally in _FATES if self.is_of(result, tally)), super().word(result))

    def label(self, result: Result) -> str:
        return next((row.mutant for row in of_kind(KillRow, result.evidence)), result.id)

    def suite(self, result: Result) -> str:
        return "mutants" if result.rule is NOTICED else "mutants.checks"

    def case(self, result: Result) -> str:
        return f"{result.id}: {result.title}"

    def format_plan(self, planned: Planned) -> Iterator[str]:
        yield f"{format_count(planned.checks, 'mutant')}, compared with the unchanged emulator"

    def closing(self, state: CollectedRun, paint: Paint, *, verbose: bool) -> Iterator[str]:
        rows = rows_of(state)
        yield from matrix_lines(state, paint, whole=verbose)
        alike: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row.errors:
                alike[row.errors[0]].append(row.mutant)
        yield from (f"ERROR in {list_some(names, 3)}: {error}" for error, names in alike.items())
        yield from (f"not met by the reference: {note}" for note in _find_phase(state, REFERENCE).notes)
        unproved = [result.title for result in state.results if result.rule is PROVED]
        if unproved:
            yield f"checks that kill no mutant: {', '.join(unproved)}"

    def next_steps(self, state: CollectedRun) -> Iterator[str]:
        yield from super().next_steps(state)
        survivors = (row for row in rows_of(state) if _fate_of(row) == "survived")
        if row := next(survivors, None):
            added = row.area in state.api.load_extensions()
            command = f"harness serve --mutant {row.mutant}{' --extension MODULE' if added else ''}"
            yield f"help: `{command}` serves it; add a rule whose check fails on it"

    def tallies(self, state: CollectedRun) -> Iterator[CountedWord]:
        rows = rows_of(state)
        fates = _count_fates(rows)
        fates["not tested"] += max(0, state.planned.checks - len(rows))
        yield from (replace(tally, number=number) for tally in _FATES if (number := fates[tally.word]))

    def is_of(self, result: Result, tally: CountedWord) -> bool:
        return result.rule is NOTICED and result.outcome is tally.outcome

    def score(self, state: CollectedRun) -> str:
        counted = {tally.outcome: tally.number for tally in self.tallies(state)}
        word, number = "killed", counted.get(Accounted.PASSED, 0)
        if survived := counted.get(Accounted.FAILED, 0):
            word, number = "survived", survived
        return f"{number} of {format_count(sum(counted.values()), 'mutant')} {word}"

    def write_totals(self, state: CollectedRun, paint: Paint) -> str:
        tallies = list(self.tallies(state))
        listed = ", ".join(f"{tally.number} {tally.word}" for tally in tallies)
        total = format_count(sum(tally.number for tally in tallies), "mutant")
        return f"{total} in {state.whole()[1].seconds:.1f} s: {listed or 'none tested'}."


def rows_of(state: CollectedRun) -> list[KillRow]:
    """The matrix, one row for each mutant."""
    return [row for _, row in _results_of(state)]


def _fate_of(row: KillRow) -> str:
    """The word for a mutant; an error of a check may hide what the others found."""
    return "not tested" if row.errors else "killed" if row.killers else "survived"


def _count_fates(rows: Sequence[KillRow]) -> Counter[str]:
    return Counter(map(_fate_of, rows))


def _list_survivors(rows: Sequence[KillRow]) -> list[str]:
    return [row.mutant for row in rows if _fate_of(row) == "survived"]


def _results_of(state: CollectedRun) -> list[tuple[Result, KillRow]]:
    return [(result, row) for result in state.results for row in of_kind(KillRow, result.evidence)]


def _name_own(state: CollectedRun, rows: Sequence[KillRow]) -> str:
    """How the checks of an extension stand to its mutant, if that is the only one."""
    area = rows[0].area if len(rows) == 1 else ""
    if area not in state.api.load_extensions():
        return ""
    own = [killer for killer in rows[0].killers if _cut_area(killer) == area]
    return f", among them {list_some(own, 3)}" if own else f", none of them of the extension {area}"


def _sum_up_kills(rows: Sequence[KillRow], left: int, checks: str, own: str = "") -> str:
    killed = _count_fates(rows)["killed"]
    if left:
        return f"{killed} of {len(rows) + left} mutants killed by {checks}"
    if rows and killed == len(rows):
        if killed == 1:
            return f"{rows[0].mutant} was killed by {len(rows[0].killers)} of {checks}{own}"
        return f"all {killed} mutants killed by {checks}"
    survivors = _list_survivors(rows)
    which = f" ({list_some(survivors, 3)})" if survivors else ""
    return f"{len(survivors)} of {format_count(len(rows), 'mutant')} survived{which}; {killed} killed by {checks}"


def matrix_lines(state: CollectedRun, paint: Paint = leave_unpainted, *, whole: bool = False) -> Iterator[str]:
    """A line for each mutant: who notices it; a long line is cut unless it is wanted `whole`."""
    rows = rows_of(state)
    width = max((len(row.mutant) for row in rows), default=0)
    added = state.api.load_extensions()
    for row in rows:  # the checks of an extension come last, and its author asks for them
        killers = ", ".join(sorted(row.killers, key=lambda killer: _cut_area(killer) not in added))
        text = killers or (paint(Role.NOT_TESTED, "NOT TESTED") if row.errors else paint(Role.FAILED, "SURVIVED"))
        long = len(killers) > _WIDTH and not whole
        yield f"{row.mutant:<{width}}  {f'{text[:_WIDTH]}… ({len(row.killers)} checks)' if long else text}"


def _find_phase(state: CollectedRun, name: str) -> PhaseFinished:
    return next(phase for phase in state.phases if phase.name == name)


def _cut_area(check: str) -> str:
    return check.partition(".")[0]
