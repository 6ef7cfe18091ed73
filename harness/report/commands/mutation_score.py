"""The mutation score in words: how many generated defects were reported, by mode, by what they change and by rule.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.engine.kill_matrix import ODD, SCORED
from harness.engine.mutation_score import DEFECTS, DefectOutcome, Score, sum_up
from harness.engine.results import DefectRow, Result
from harness.outcome import Accounted
from harness.outcome.words import format_count
from harness.report.accounting import RunVerdict, accounting_record, conclude
from harness.report.commands.presentation import Paint, Presentation, Section

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.run_state import RunState

_MOST_RULES = 20
_MOST_SURVIVORS = 20
_HEAD = ("shown", "failed", "warned", "excused", "survived", "found", "MUST failed")

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


class ScorePresentation(Presentation):
    """The words of `harness mutants --generated`."""

    subject = "Mutation score"
    badge = "generated defects found"
    command = "mutants"
    noun = "defect"
    live = False

    def verdict(self, state: RunState) -> RunVerdict:
        score = sum_up(defects_of(state))
        odd = sum(result.rule is ODD and result.outcome is Accounted.FAILED for result in state.results)
        said = f"{score.found:.1f} % of {score.shown - score.excused} generated defects found, "
        said += f"{score.red:.1f} % of those that break a MUST failed the run"
        if not score.shown:
            said = "no generated defect changed what a client received"
        return conclude(state.whole()[1], said, f"{odd} legal oddities reported as defects" if odd else "")

    def record(self, state: RunState) -> dict[str, Any]:
        finished, rows = state.whole()[1], defects_of(state)
        phase = _find_phase(state)
        counts = phase.counts
        return {
            "accounting": state.mask.tree(
                accounting_record(finished, self.accounting(state), self.verdict(state))
            ),
            "generated": counts["generated"],
            "seed": counts["seed"],
            "shard": state.planned.shard,
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

    def sections(self, state: RunState) -> Iterator[Section]:
        for name in GROUPS:
            yield Section(f"Score by {name}", tuple(table_lines(name, group_by(defects_of(state), GROUPS[name]))))
        yield Section("Survivors", tuple(survivors_of(defects_of(state))))

    def suite(self, result: Result) -> str:
        return "mutants.odd" if result.rule is ODD else "mutants.generated"

    def case(self, result: Result) -> str:
        return result.id

    def is_quiet(self, result: Result, state: RunState) -> bool:
        return True

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        shard = f" in shard {planned.shard}" if planned.shard else ""
        yield f"{format_count(planned.checks, 'generated defect')}{shard}, each in a run of its own"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        rows = defects_of(state)
        for name, of in GROUPS.items():
            if name != "field" or verbose:
                yield from table_lines(name, group_by(rows, of))
                yield ""
        killers = kills_of(rows)
        yield "checks that report most defects:"
        yield from (f"  {number:>5}  {check}" for check, number in killers.most_common(_MOST_RULES))
        survivors = survivors_of(rows)
        if survivors:
            yield f"{format_count(len(survivors), 'defect')} survived:"
            shown = survivors if verbose else survivors[:_MOST_SURVIVORS]
            yield from (f"  {name}" for name in shown)
            if len(shown) < len(survivors):
                yield f"  {len(survivors) - len(shown)} more (-v lists all)"
        yield from (
            f"  legal, but {row.outcome}: {row.mutant} ({', '.join(row.killers)})"
            for result, row in _rows_of(state)
            if result.rule is ODD and row.killers
        )

    def write_totals(self, state: RunState, paint: Paint) -> str:
        rows = defects_of(state)
        counted = Counter(row.outcome for row in rows)
        odd = sum(result.rule is ODD for result in state.results)
        said = [f"{counted[word]} {word}" for word in DefectOutcome if counted[word]]
        if unseen := len(_find_phase(state).notes):
            said.append(f"{unseen} not shown")
        beside = f"; {format_count(odd, 'legal oddity', 'legal oddities')}" if odd else ""
        total = format_count(len(rows) + unseen, "defect")
        return f"{total} in {state.whole()[1].seconds:.1f} s: {', '.join(said) or 'none'}{beside}."


def _last_name(field: str) -> str:
    return field.rpartition(": ")[2].rpartition(".")[2]


def _find_phase(state: RunState) -> PhaseFinished:
    return next(phase for phase in state.phases if phase.name == DEFECTS)


def _rows_of(state: RunState) -> list[tuple[Result, DefectRow]]:
    return [(result, row) for result in state.results for row in result.evidence if isinstance(row, DefectRow)]


def defects_of(state: RunState) -> list[DefectRow]:
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


def table_lines(title: str, groups: dict[str, Score]) -> Iterator[str]:
    """Yield a table of scores, a line for each group."""
    width = max(map(len, (title, *groups)))
    yield f"{title:<{width}}  " + "  ".join(f"{word:>11}" for word in _HEAD)
    for key, score in groups.items():
        cells = (score.shown, score.failed, score.warned, score.excused, score.survived)
        shares = (f"{score.found:.1f} %", f"{score.red:.1f} %")
        yield f"{key:<{width}}  " + "  ".join(f"{cell:>11}" for cell in (*cells, *shares))


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
