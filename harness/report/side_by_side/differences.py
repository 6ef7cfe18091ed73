"""Several runs side by side: their differences, new failures, and fixed ones. Layer 6, pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.outcome import FIRST_WORDS, Exit
from harness.outcome.words import format_count
from harness.report.side_by_side.run_file import RunEntry, RunFile

_TREND = 3
"""From so many runs on there is a trend."""

_LEVELS = {"MUST": 0, "SHOULD": 1, "MAY": 2}


CHANGES = {
    "new": "new failure",
    "still": "still failed",
    "fixed": "fixed",
    "changed": "changed",
    "added": "added",
    "removed": "removed",
}
"""What can become of a result between two runs of one target, the most urgent first, with the words for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One result in all runs, in their order; None where a run does not have it.

    `change` is its change between the first and the last run, one of `CHANGES`; `""` if there is none.
    """

    id: str
    entries: tuple[RunEntry | None, ...]
    change: str

    @property
    def told(self) -> RunEntry:
        """The most telling entry: one that is broken, else the first."""
        there = [entry for entry in self.entries if entry is not None]
        return next((entry for entry in there if entry.broken), there[0])

    @property
    def differs(self) -> bool:
        """Whether those runs that looked at it do not all say the same."""
        return len({entry.outcome for entry in self.entries if entry is not None and entry.asked}) > 1

    @property
    def agrees(self) -> bool:
        """Whether all runs say the same of the target, and nothing is broken."""
        return not (self.broken or self.differs) and all(
            entry is not None and entry.tells for entry in self.entries
        )

    @property
    def judged_alike(self) -> bool:
        """Whether nothing is broken, and the runs that judged it say the same."""
        judged = [entry for entry in self.entries if entry is not None and entry.judged]
        return not self.broken and len({entry.outcome for entry in judged}) < 2

    @property
    def is_asked(self) -> bool:
        """Whether some run looked at it."""
        return any(entry is not None and entry.asked for entry in self.entries)

    def join_outcomes(self, separator: str, *, with_finding: bool = False) -> str:
        """Its outcome in each run, and the finding beside the last outcome that has one."""
        words = [entry.outcome.word if entry else "absent" for entry in self.entries]
        for number, entry in reversed([*enumerate(self.entries)] if with_finding else []):
            if entry is not None and entry.broken and entry.said:
                words[number] += f" ({' '.join(entry.said.split())})"
                break
        return separator.join(words)

    @property
    def broken(self) -> int:
        """In how many runs it is broken."""
        return sum(entry is not None and entry.broken for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """The runs and their rows, what matters most first. `same_target`: the last one is the first one, later."""

    runs: tuple[RunFile, ...]
    rows: tuple[ComparedRow, ...]
    same_target: bool

    def list_changes(self, change: str) -> list[ComparedRow]:
        """The rows with this change between the first and the last run."""
        return [row for row in self.rows if row.change == change]

    @property
    def telling(self) -> list[ComparedRow]:
        """The rows that are broken somewhere, or that are not the same everywhere."""
        return [row for row in self.rows if row.broken or row.differs or (self.same_target and row.change)]

    @property
    def agreeing(self) -> list[ComparedRow]:
        """The rows that are the same everywhere and not broken."""
        return [row for row in self.rows if row.agrees]

    @property
    def unjudged(self) -> list[ComparedRow]:
        """The rows that some run did not judge, so that their difference is unknown."""
        told = {row.id for row in self.telling}
        return [row for row in self.rows if not (row.id in told or row.agrees)]

    @property
    def trend(self) -> str:
        """How many results failed in each of several runs of one target; `""` for two, of which the rows tell."""
        if not self.same_target or len(self.runs) < _TREND:
            return ""
        failed = (sum(entry.broken for entry in run.entries.values()) for run in self.runs)
        return f"failed: {' → '.join(map(str, failed))}"

    @property
    def verdict(self) -> str:
        """The last line of the comparison; of several targets it is no verdict, because none is the later one."""
        return self._conclude_changes() if self.same_target else self._count_differences()

    def _conclude_changes(self) -> str:
        numbers = {change: len(self.list_changes(change)) for change in ("new", "fixed", *CHANGES)}
        new = numbers.pop("new")
        parts = [format_count(new, "new failure") if new else "no new failure"]
        parts += [f"{number} {CHANGES[change]}" for change, number in numbers.items() if number]
        return f"{FIRST_WORDS[Exit.FAILED if new else Exit.OK]}: {', '.join(parts)}."

    def _count_differences(self) -> str:
        where = format_count(len(self.runs), "target")
        if broken := sum(bool(row.broken) for row in self.rows):
            asked = sum(row.is_asked for row in self.rows)
            said = f"{broken} of {format_count(asked, 'check')} failed on at least one of {where}"
        else:
            differ = format_count(len(self.telling), "result differs", "results differ")
            said = f"No check failed on any of {where}; {differ}"
        hidden = len(self.unjudged)
        left = f"; {format_count(hidden, 'check was', 'checks were')} not tested on each" if hidden else ""
        return f"{said}{left}."


def compare_runs(runs: Sequence[RunFile], *, same_target: bool = False) -> ComparedRuns:
    """Put runs side by side. They must be of one command; `same_target`: of one target, whatever they call it."""
    ids = dict.fromkeys(name for run in runs for name in run.entries)
    same = same_target or len({run.target for run in runs}) == 1
    rows = [_to_row(name, runs) for name in ids]
    order = {name: place for place, name in enumerate(ids)}
    return ComparedRuns(
        runs=tuple(runs),
        rows=tuple(sorted(rows, key=lambda row: (*_rate_urgency(row, same), order[row.id]))),
        same_target=same,
    )


def _rate_urgency(row: ComparedRow, same: bool) -> tuple[int, int, bool, int]:
    """New failures first if the target is the same; then by level, silent ones first, those that fail most."""
    news = [*CHANGES, ""].index(row.change) if same else -bool(row.broken)
    told = row.told
    return news, _LEVELS.get(told.level, 3), not told.silent, -row.broken


def _to_row(name: str, runs: Sequence[RunFile]) -> ComparedRow:
    entries = tuple(run.entries.get(name) for run in runs)
    return ComparedRow(id=name, entries=entries, change=_change(entries[0], entries[-1], runs))


def _change(before: RunEntry | None, after: RunEntry | None, runs: Sequence[RunFile]) -> str:
    """The change of an entry between the first and the last run; "" for none."""
    # Reports of failures alone name no other checks, so that an absence tells something only where all list all.
    match _see(before), _see(after):
        case "left out", "broken":
            return "added"  # whether it failed in the first run, too, no report shows
        case "broken", "broken":
            return "still"
        case _, "broken":
            return "new"
        case "broken", "left out":
            return "removed"
        case "broken", _:
            return "fixed" if _is_fixed(after, runs[-1]) else "changed"
        case "absent", "held" if all(run.lists_all for run in runs):
            return "added"
        case "held", "absent" if all(run.lists_all for run in runs):
            return "removed"
        case "held", "held" if before and after and before.outcome != after.outcome:
            return "changed"
    return ""


def _see(entry: RunEntry | None) -> str:
    """The state of an entry in a run, in a word."""
    if entry is None:
        return "absent"
    if entry.broken:
        return "broken"
    return "held" if entry.asked else "left out"


def _is_fixed(after: RunEntry | None, last: RunFile) -> bool:
    """Whether what was broken was seen to be right; a report of failures alone does not name it any more."""
    return not last.lists_all if after is None else after.judged


def list_lines(compared: ComparedRuns) -> Iterator[str]:
    """The comparison for a terminal: the runs, then a line for each row with a difference."""
    for number, run in enumerate(compared.runs):
        target = "" if run.target == run.name else f" ({run.target})"
        yield f"{number + 1}  {run.name}{target}: {run.started} {run.verdict}".rstrip(" :")
    yield ""
    yield from (_write_row(row, same_target=compared.same_target) for row in compared.telling)
    if compared.trend:
        yield compared.trend
    same, hidden = len(compared.agreeing), len(compared.unjudged)
    yield f"{format_count(same, 'check has', 'checks have')} the same outcome everywhere and did not fail"
    if hidden:
        yield f"{format_count(hidden, 'check was', 'checks were')} not tested in each run"
    if not compared.same_target:
        yield "the runs are of several targets, so nothing is called new or fixed, and the exit code is 0"
        yield "(--same-target, if it is one server at several addresses)"
    yield compared.verdict


def _write_row(row: ComparedRow, *, same_target: bool) -> str:
    told = row.told
    label = (row.change or "differs").upper() if same_target else ""
    level = f" [{told.level}]" if told.level else ""
    outcomes = row.join_outcomes(" → " if same_target else " | ", with_finding=True)
    return f"{label:<8}{row.id}{level} {outcomes}".strip()
