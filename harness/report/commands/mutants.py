"""The kill matrix in words: a row for each mutant, and what proves nothing.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from harness.engine.kill_matrix import NOTICED, ODD, PROVED, REFERENCE, SCORED, UNPROVED
from harness.engine.mutation_score import DEFECTS, DefectOutcome, Score, sum_up
from harness.engine.results import DefectRow, KillRow, Result, of_kind
from harness.look import mark_of
from harness.outcome import Accounted, Reason
from harness.outcome.words import format_count, list_some
from harness.report.accounting import LeftOut, RunVerdict, accounting_record, conclude, to_sentence
from harness.report.commands.presentation import CountedWord, Paint, Presentation, Section
from harness.report.page.matrix import MatrixCell, MatrixColumn, MatrixRow, OutcomeMatrix

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

    def matrices(self, state: CollectedRun) -> Iterator[OutcomeMatrix]:
        if rows := rows_of(state):
            yield kill_matrix(rows, {name: mutant.area for name, mutant in state.api.load_mutants().items()})

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
        area = _area_of(state, row)
        return {area} if area in state.api.load_extensions() else {_cut_area(error) for error in row.errors}

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

    def opening(self, state: CollectedRun) -> Iterator[str]:
        return iter(())

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
            added = _area_of(state, row) in state.api.load_extensions()
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
        return _write_tallies(list(self.tallies(state)), "mutant", state)


def _write_tallies(tallies: Sequence[CountedWord], noun: str, state: CollectedRun, beside: str = "") -> str:
    """The line of totals."""
    listed = ", ".join(f"{tally.number} {tally.word}" for tally in tallies)
    total = format_count(sum(tally.number for tally in tallies), noun)
    return f"{total} in {state.whole()[1].seconds:.1f} s: {listed or 'none tested'}{beside}."


def rows_of(state: CollectedRun) -> list[KillRow]:
    """The matrix, one row for each mutant."""
    return [row for _, row in _results_of(state)]


def _area_of(state: CollectedRun, row: KillRow) -> str:
    mutant = state.api.load_mutants().get(row.mutant)
    return "" if mutant is None else mutant.area


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
    area = _area_of(state, rows[0]) if len(rows) == 1 else ""
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


def matrix_lines(
    state: CollectedRun, paint: Paint = lambda _, text: text, *, whole: bool = False
) -> Iterator[str]:
    """A line for each mutant: who notices it; a long line is cut unless it is wanted `whole`."""
    rows = rows_of(state)
    width = max((len(row.mutant) for row in rows), default=0)
    added = state.api.load_extensions()
    for row in rows:  # the checks of an extension come last, and its author asks for them
        killers = ", ".join(sorted(row.killers, key=lambda killer: _cut_area(killer) not in added))
        text = killers or (paint("35", "NOT TESTED") if row.errors else paint("31;1", "SURVIVED"))
        long = len(killers) > _WIDTH and not whole
        yield f"{row.mutant:<{width}}  {f'{text[:_WIDTH]}… ({len(row.killers)} checks)' if long else text}"


def _find_phase(state: CollectedRun, name: str) -> PhaseFinished:
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
    survivors = _list_survivors(rows)
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


# The mutation score in words: how many generated defects were reported, by mode, by what they change and by rule.


_MOST_RULES = 20
_MOST_SURVIVORS = 20

GROUPS: dict[str, Callable[[DefectRow], str]] = {
    "mode": lambda row: row.place["mode"],
    "moment": lambda row: row.place["moment"],
    "time": lambda row: row.place["when"],
    "operator": lambda row: f"{row.place['part']} {row.place['operator']}",
    "field": lambda row: (
        f"{row.place['part']} {row.place['field'].rpartition(': ')[2].rpartition('.')[2]}".strip()
    ),
}
"""The tables of a score, and the group of a defect in each."""
_MANY = {"operator", "field"}
"""The tables of which a page has only the groups with a survivor."""


class ScorePresentation(Presentation):
    """The words of `harness mutants --generated`."""

    subject = "Mutation score"
    badge = "generated defects found"
    command = "mutants"
    noun = "defect"
    counted = "defect"
    live = False
    warned_title = "Survivors"
    warned_about = "{} survived: no check reports it, which is a warning."

    def verdict(self, state: CollectedRun) -> RunVerdict:
        score = sum_up(defects_of(state))
        odd = sum(result.rule is ODD and result.outcome is Accounted.FAILED for result in state.results)
        summary = f"{score.found:.1f} % of {format_count(score.shown - score.excused, 'generated defect')} found"
        if score.musts:
            summary += f", {score.red:.1f} % of those that break a MUST failed the run"
        if not score.shown:
            summary = "no generated defect changed what a client received"
        return conclude(state.whole()[1], summary, f"{odd} legal oddities reported as defects" if odd else "")

    def record(self, state: CollectedRun) -> dict[str, Any]:
        finished, rows = state.whole()[1], defects_of(state)
        phase = _find_phase(state, DEFECTS)
        counts = phase.counts
        return {
            "accounting": accounting_record(finished, self.accounting(state), self.verdict(state)),
            "generated": counts["generated"],
            "seed": counts["seed"],
            "score": score_record(sum_up(rows)),
            "groups": {
                name: {key: score_record(score) for key, score in group_by(rows, of).items()}
                for name, of in GROUPS.items()
            },
            "rules": dict(kills_of(rows)),
            "not_shown": list(phase.notes),
            "defects": [defect_record(row, result.seconds) for result, row in _rows_of(state)],
            "exit": int(finished.exit),
        }

    def matrices(self, state: CollectedRun) -> Iterator[OutcomeMatrix]:
        for name, of in GROUPS.items():
            groups = group_by(defects_of(state), of)
            shown = {key: score for key, score in groups.items() if name not in _MANY or score.survived}
            if shown:
                yield _draw_score(name, shown, len(groups) - len(shown))

    def sections(self, state: CollectedRun) -> Iterator[Section]:
        rows = defects_of(state)
        for name, of in GROUPS.items():
            yield Section(f"Score by {name}", tuple(table_lines(group_by(rows, of))), drawn=True)
        if survivors := tuple(survivors_of(rows)):
            yield Section("Survivors", survivors, drawn=True)

    def suite(self, result: Result) -> str:
        return "mutants.odd" if result.rule is ODD else "mutants.generated"

    def case(self, result: Result) -> str:
        return result.id

    def is_quiet(self, result: Result) -> bool:
        return True

    def opening(self, state: CollectedRun) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        yield f"{format_count(planned.checks, 'generated defect')}, each in a run of its own"

    def closing(self, state: CollectedRun, paint: Paint, *, verbose: bool) -> Iterator[str]:
        rows = defects_of(state)
        for name, of in GROUPS.items():
            if verbose or name != "field":
                yield from (f"score by {name}:", *table_lines(group_by(rows, of)), "")
        yield "checks that report most defects:"
        yield from (f"  {number:>5}  {check}" for check, number in kills_of(rows).most_common(_MOST_RULES))
        if survivors := survivors_of(rows):
            yield f"{format_count(len(survivors), 'defect')} survived:"
            shown = survivors if verbose else survivors[:_MOST_SURVIVORS]
            yield from (f"  {name}" for name in shown)
            if len(shown) < len(survivors):
                yield f"  {len(survivors) - len(shown)} more (-v lists all)"
        odd = (row for result, row in _rows_of(state) if result.rule is ODD)
        yield from (
            f"  legal, but {row.outcome}: {row.mutant} ({', '.join(row.killers)})" for row in odd if row.killers
        )

    def tallies(self, state: CollectedRun) -> Iterator[CountedWord]:
        rows = defects_of(state)
        erred = sum(row.outcome == DefectOutcome.ERROR for row in rows)
        counted = (
            *_count_score(sum_up(rows)),
            CountedWord("not shown", len(_find_phase(state, DEFECTS).notes), Accounted.NOT_OFFERED),
            CountedWord("not tested", erred, Accounted.NOT_TESTED),
        )
        yield from (tally for tally in counted if tally.number)

    def write_totals(self, state: CollectedRun, paint: Paint) -> str:
        odd = sum(result.rule is ODD for result in state.results)
        beside = f"; {format_count(odd, 'legal oddity', 'legal oddities')}" if odd else ""
        return _write_tallies(list(self.tallies(state)), "defect", state, beside)


def _rows_of(state: CollectedRun) -> list[tuple[Result, DefectRow]]:
    return [(result, row) for result in state.results for row in of_kind(DefectRow, result.evidence)]


def defects_of(state: CollectedRun) -> list[DefectRow]:
    """Return the defects, without the oddities."""
    return [row for result, row in _rows_of(state) if result.rule not in (ODD, SCORED)]


def group_by(rows: Sequence[DefectRow], of: Callable[[DefectRow], str]) -> dict[str, Score]:
    """Return the score of each group, the largest group first."""
    groups: dict[str, list[DefectRow]] = defaultdict(list)
    for row in rows:
        if row.outcome not in (DefectOutcome.NOT_SHOWN, DefectOutcome.ERROR):
            groups[of(row)].append(row)
    return {key: sum_up(groups[key]) for key in sorted(groups, key=lambda key: (-len(groups[key]), key))}


def kills_of(rows: Sequence[DefectRow]) -> Counter[str]:
    """Return how many defects each check reports."""
    return Counter(killer for row in rows for killer in row.killers)


def survivors_of(rows: Sequence[DefectRow]) -> list[str]:
    """Return the names of the defects that survived without a listed reason."""
    return [row.mutant for row in rows if row.outcome == DefectOutcome.SURVIVED and not row.excuse]


def _count_score(score: Score) -> Iterator[CountedWord]:
    """The outcomes of the defects that showed themselves; listed are the survivors with a reason."""
    yield CountedWord("failed the run", score.failed, Accounted.PASSED)
    yield CountedWord("warned", score.warned, Accounted.WARNED)
    yield CountedWord("listed", score.excused, Accounted.EXCLUDED)
    yield CountedWord("survived", score.survived, Accounted.FAILED)


def table_lines(groups: dict[str, Score]) -> Iterator[str]:
    """Yield the scores of groups, a line for each, which a narrow terminal can wrap."""
    width = max(map(len, groups), default=0)
    for key, score in groups.items():
        listed = ", ".join(f"{tally.number} {tally.word}" for tally in _count_score(score) if tally.number)
        shares = [f"{score.found:.1f} % found"] if score.shown > score.excused else []
        shares += [f"{score.red:.1f} % of MUST defects failed"] if score.musts else []
        yield f"  {key:<{width}}  {score.shown} shown: {'; '.join((listed, ', '.join(shares))).rstrip('; ')}"


def _draw_score(name: str, groups: Mapping[str, Score], others: int) -> OutcomeMatrix:
    """The scores of groups as a table: how many defects had which outcome, and the share that was found."""
    words = [tally.word for tally in _count_score(Score())]
    return OutcomeMatrix(
        key=f"score-by-{name}",
        title=f"Score by {name}",
        about=f"{format_count(others, 'other group has', 'other groups have')} no survivor." if others else "",
        corner=to_sentence(name),
        columns=tuple(MatrixColumn(name=word) for word in (*words, "found")),
        rows=tuple(
            MatrixRow(
                name=key,
                about=f"{score.shown} shown",
                cells=(*map(_score_cell, _count_score(score)), _share_cell(score)),
            )
            for key, score in groups.items()
        ),
    )


def _score_cell(tally: CountedWord) -> MatrixCell | None:
    if not tally.number:
        return None
    return MatrixCell(text=str(tally.number), words=tally.word, mark=mark_of(str(tally.outcome)))


def _share_cell(score: Score) -> MatrixCell | None:
    if score.shown == score.excused:
        return None
    mark = mark_of("fail" if score.survived else "pass")
    return MatrixCell(text=f"{score.found:.1f}\N{NO-BREAK SPACE}%", words="found", mark=mark)


def score_record(score: Score) -> dict[str, Any]:
    """Return a score as members of a report."""
    return {
        "shown": score.shown,
        "failed": score.failed,
        "warned": score.warned,
        "warned_should": score.should,
        "excused": score.excused,
        "survived": score.survived,
        "found_percent": round(score.found, 1),
        "must_failed_percent": round(score.red, 1),
    }


def defect_record(row: DefectRow, seconds: float) -> dict[str, Any]:
    """Return one defect as members of a report."""
    return {
        "id": row.mutant,
        **row.place,
        "outcome": row.outcome,
        "killers": list(row.killers),
        "level": row.level,
        "excuse": row.excuse,
        "errors": list(row.errors),
        "seconds": round(seconds, 3),
    }
