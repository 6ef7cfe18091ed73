"""Several runs side by side: their differences, new failures and fixed ones, and how each format writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.look import Mark, mark_of
from harness.outcome import FIRST_WORDS, Accounted, Exit
from harness.outcome.words import format_count, list_some, shorten
from harness.report.collected_run import to_sentence
from harness.report.html_report import FragmentNames, count_for_bar, render_template
from harness.report.markdown import Markdown, join_lines, write_code
from harness.report.screen import ROLES, Line, Role, align
from harness.report.side_by_side.run_file import RunEntry, RunFile

_LEVELS = {"MUST": 0, "SHOULD": 1, "MAY": 2}


CHANGES = {
    "new": "new failure",
    "still": "still failed",
    "fixed": "fixed",
    "unstable": "unstable",
    "changed": "changed",
    "added": "added",
    "removed": "removed",
}
"""The changes of a result between runs of one target, the most urgent first, with the one word that every surface
uses for it. `unstable`: the first and the last run agree, and one between them does not."""

_ROLES = {"new": Role.FAILED, "still": Role.FAILED, "fixed": Role.PASSED, "unstable": Role.WARNED}

_NOUNS = {"torture": "case", "fuzz": "broken rule"}
"""What a run of each command counts; the others count checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One result in all runs, in their order; None where a run does not have it.

    `change` is one of `CHANGES`; `""` if nothing changed, or if the runs are of several targets.
    """

    id: str
    entries: tuple[RunEntry | None, ...]
    change: str

    @property
    def chosen(self) -> RunEntry:
        """The most telling entry: one that is broken, else the first."""
        there = [entry for entry in self.entries if entry is not None]
        return next((entry for entry in there if entry.broken), there[0])

    @property
    def differs(self) -> bool:
        """Whether those runs that looked at it do not all say the same."""
        return len({entry.outcome for entry in self.entries if entry is not None and entry.asked}) > 1

    @property
    def part(self) -> str:
        """Where it is listed: what is broken or differs is `told`, and what all runs say is the `same`.

        The others cannot be compared: the options of a run `excluded` it, or a run did not test or list it.
        """
        if self.broken or self.differs or self.change:
            return "told"
        if all(entry is not None and entry.tells for entry in self.entries):
            return "same"
        return "excluded" if any(entry is not None and not entry.asked for entry in self.entries) else "untested"

    @property
    def judged_alike(self) -> bool:
        """Whether nothing is broken, and the runs that judged it say the same."""
        judged = [entry for entry in self.entries if entry is not None and entry.judged]
        return not self.broken and len({entry.outcome for entry in judged}) < 2

    @property
    def is_asked(self) -> bool:
        """Whether some run looked at it."""
        return any(entry is not None and entry.asked for entry in self.entries)

    def list_outcomes(self) -> list[str]:
        return [entry.outcome.word if entry else "absent" for entry in self.entries]

    @property
    def why(self) -> str:
        """The summary of its last failure, or else of the last run that did not pass; "" if there is none."""
        told = [
            (entry.broken, number, " ".join(entry.summary.split()))
            for number, entry in enumerate(self.entries)
            if entry is not None and entry.summary and entry.outcome is not Accounted.PASSED
        ]
        return max(told)[2] if told else ""

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

    def list_part(self, part: str) -> list[ComparedRow]:
        """The rows that are listed there."""
        return [row for row in self.rows if row.part == part]

    @property
    def noun(self) -> str:
        return _NOUNS.get(self.runs[0].kind, "check")

    @property
    def totals(self) -> str:
        """The number of results, and a part of it for each place where they stand; the parts add up."""
        parts = (
            (len(self.list_part("told")), "failed or changed" if self.same_target else "failed or different"),
            (len(self.list_part("same")), "the same in every run"),
            (len(self.list_part("untested")), "not tested in at least one run"),
            (len(self.list_part("excluded")), "excluded from at least one run"),
        )
        counted = ", ".join(f"{number} {words}" for number, words in parts if number)
        return f"{format_count(len(self.rows), self.noun)}: {counted or 'nothing to compare'}."

    @property
    def has_common(self) -> bool:
        """Whether some result was wanted from every run."""
        asked = [{entry.id for entry in run.entries.values() if entry.asked} for run in self.runs]
        return bool(set.intersection(*asked)) or not all(run.lists_all for run in self.runs)

    @property
    def verdict(self) -> str:
        """The last line of the comparison; of several targets it is no verdict, because none is the later one."""
        if not self.has_common:
            return f"{FIRST_WORDS[Exit.NOTHING_RAN]}: the reports have no result in common."
        return self._conclude_changes() if self.same_target else self._count_differences()

    def _conclude_changes(self) -> str:
        numbers = Counter(row.change for row in self.rows if row.change)
        parts = [] if numbers["new"] else ["no new failure"]
        parts += [
            format_count(number, words) if change == "new" else f"{number} {words}"
            for change, words in CHANGES.items()
            if (number := numbers[change])
        ]
        if failed := sum(row.change == "added" and bool(row.broken) for row in self.rows):
            parts.append(f"{failed} of the added failed")
        return f"{FIRST_WORDS[Exit.FAILED if numbers['new'] else Exit.OK]}: {', '.join(parts)}."

    def _count_differences(self) -> str:
        where = format_count(len(self.runs), "target")
        if broken := sum(bool(row.broken) for row in self.rows):
            asked = sum(row.is_asked for row in self.rows)
            return f"{broken} of {format_count(asked, self.noun)} failed on at least one of {where}."
        differ = format_count(len(self.list_part("told")), f"{self.noun} differs", f"{self.noun}s differ")
        return f"No {self.noun} failed on any of {where}; {differ}."


def compare_runs(runs: Sequence[RunFile], *, same_target: bool = False) -> ComparedRuns:
    """Put runs side by side. They must be of one command; `same_target`: of one target, whatever they call it."""
    ids = dict.fromkeys(name for run in runs for name in run.entries)
    same = same_target or len({run.target for run in runs}) == 1
    rows = []
    for name in ids:
        entries = tuple(run.entries.get(name) for run in runs)
        row = ComparedRow(id=name, entries=entries, change=_change(entries, runs) if same else "")
        unstable = same and not row.change and (row.broken or row.differs)
        rows.append(replace(row, change="unstable") if unstable else row)

    def urgency(row: ComparedRow) -> tuple[int, int, bool, int]:
        """New failures first if the target is the same; then by level, silent ones first, those that fail most."""
        news = [*CHANGES, ""].index(row.change) if same else -bool(row.broken)
        return news, _LEVELS.get(row.chosen.level, 3), not row.chosen.silent, -row.broken

    return ComparedRuns(runs=tuple(runs), rows=tuple(sorted(rows, key=urgency)), same_target=same)


def _change(entries: Sequence[RunEntry | None], runs: Sequence[RunFile]) -> str:
    """The change of a result between the first and the last of the runs; "" if there is none."""
    before, after = entries[0], entries[-1]
    # Reports of failures alone name no other checks, so that an absence proves something only where all list all.
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
            # It is seen to be right, or a report of failures alone does not name it any more.
            fixed = not runs[-1].lists_all if after is None else after.judged
            return "fixed" if fixed else "changed"
        case "absent", "held" if all(run.lists_all for run in runs):
            return "added"
        case "held", "absent" if all(run.lists_all for run in runs):
            return "removed"
        case "held", "held" if before and after and before.outcome != after.outcome:
            return "changed"
    return ""


def _see(entry: RunEntry | None) -> str:
    if entry is None:
        return "absent"
    if entry.broken:
        return "broken"
    return "held" if entry.asked else "left out"


def list_lines(compared: ComparedRuns) -> Iterator[str]:
    """The comparison for a terminal: the runs, then a line for each failure, and for each other difference."""
    for number, run in enumerate(compared.runs):
        target = "" if run.target == run.name else f" ({run.target})"
        yield f"{number + 1}  {run.name}{target}: {run.started} {run.verdict}".rstrip(" :")
    yield ""
    alike: dict[tuple[str, ...], list[ComparedRow]] = {}
    for row in compared.list_part("told"):
        apart = row.id if row.broken else ""
        alike.setdefault((row.change, apart, row.why, *row.list_outcomes()), []).append(row)
    table = [("", compared.noun, *(str(number + 1) for number in range(len(compared.runs))), "")]
    roles = [[Role.QUIET] * len(table[0])]
    for (change, _, why, *outcomes), (row, *more) in alike.items():
        name = f"{row.id} [{row.chosen.level}]" if row.chosen.level else row.id
        if more:
            name = format_count(len(more) + 1, compared.noun)
            listed = list_some([row.id, *(other.id for other in more)], 3, hint="--json lists all")
            why = f"{listed}: {why}" if why else listed
        table.append((CHANGES[change].upper() if compared.same_target else "", name, *outcomes, why))
        there = [ROLES[entry.outcome] if entry else Role.QUIET for entry in row.entries]
        roles.append([_ROLES.get(change, Role.PLAIN), Role.PLAIN if more else Role.ID, *there])
    first = 0 if compared.same_target else 1
    lines = align([row[first:] for row in table], [row[first:] for row in roles])
    yield from (line.having(line.rstrip()) for line in lines if len(table) > 1)
    yield compared.totals
    if not compared.same_target:
        yield "note: the reports are of several targets, so no failure is new or fixed, and the exit code is 0"
        yield Line("help: add --same-target if they are of one server at several addresses", Role.HELP)
    yield compared.verdict


_SIDE = 2_000
_MOST_ROWS = 2_000
_ABSENT = ("absent", mark_of("excluded"))


def render_page(compared: ComparedRuns, mask: Callable[[str], str]) -> str:
    """The comparison as one HTML file."""
    names = FragmentNames()
    telling = compared.list_part("told")[:_MOST_ROWS]
    first, _, rest = compared.verdict.partition(": ")
    word, headline = (first, to_sentence(rest)) if first.isupper() else ("", compared.verdict)
    if compared.same_target:
        rows, partly = telling, list[ComparedRow]()
        broken = compared.list_changes("new")
    else:
        partly = [row for row in telling if row.judged_alike]
        rows = [row for row in telling if not row.judged_alike]
        broken = [row for row in compared.rows if row.broken]

    def show(rows: Sequence[ComparedRow]) -> list[dict[str, Any]]:
        return [_show_row(row, names, mask, compared.same_target) for row in rows]

    return render_template(
        "compare",
        title=mask(f"Comparison: {', '.join(run.name for run in compared.runs)}"),
        command="diff",
        headline=headline,
        state_word=word or ("failures" if broken else "no failures"),
        state_mark=mark_of(("fail" if broken else "pass") if compared.has_common else "no_answer"),
        runs=[
            {
                "name": mask(run.name),
                "target": mask(run.target),
                "started": run.started,
                "verdict": mask(run.verdict),
                "counts": count_for_bar(run.counts),
            }
            for run in compared.runs
        ],
        rows=show(rows),
        partly=show(partly),
        left_out=len(compared.list_part("told")) - len(telling),
        same=[mask(row.id) for row in compared.list_part("same")],
        unjudged=[mask(row.id) for row in compared.list_part("untested")],
        excluded=[mask(row.id) for row in compared.list_part("excluded")],
        totals=compared.totals,
        same_target=compared.same_target,
    )


def _show_row(
    row: ComparedRow, names: FragmentNames, mask: Callable[[str], str], same_target: bool
) -> dict[str, Any]:
    chosen = row.chosen
    return {
        "id": mask(row.id),
        "fragment": names.name(mask(row.id)),
        "title": mask(chosen.title),
        "level": chosen.level,
        "silent": chosen.silent and bool(row.broken),
        "change": row.change if same_target else "",
        "change_words": CHANGES.get(row.change, "") if same_target else "",
        "cells": [_show_cell(entry, mask) for entry in row.entries],
    }


def _show_cell(entry: RunEntry | None, mask: Callable[[str], str]) -> dict[str, str | Mark]:
    if entry is None:
        return {"word": _ABSENT[0], "mark": _ABSENT[1], "said": "", "expected": "", "actual": ""}
    text = "" if entry.outcome is Accounted.PASSED else shorten(" ".join(mask(entry.summary).split()), 300)
    return {
        "word": entry.outcome.word,
        "mark": mark_of(str(entry.outcome)),
        "said": text,
        "expected": shorten(mask(entry.expected), _SIDE),
        "actual": shorten(mask(entry.actual), _SIDE),
    }


def render_markdown(compared: ComparedRuns, mask: Callable[[str], str]) -> str:
    """The comparison as Markdown, for a comment or a job summary."""
    cell = Markdown(" | ")
    heads = cell.join(run.name for run in compared.runs)
    lines: list[str] = [Markdown("## Comparison"), "", Markdown("**{}**").format(compared.verdict), ""]
    for run in compared.runs:
        facts = filter(None, (run.verdict, run.started))
        lines.append(Markdown("- {}: {}").format(run.name, " ".join(facts)))
    lines += ["", compared.totals]
    if compared.list_part("told"):
        columns = [*(["change"] if compared.same_target else []), "result", "level", heads]
        lines += ["", Markdown("| {} |").format(cell.join(columns))]
        lines += [Markdown(f"| --- |{' --- |' * (len(columns) + len(compared.runs) - 2)}")]
    for row in compared.list_part("told")[:_MOST_ROWS]:
        change = [CHANGES.get(row.change, "")] if compared.same_target else []
        cells = [*change, write_code(row.id), row.chosen.level, cell.join(row.list_outcomes())]
        lines.append(Markdown("| {} |").format(cell.join(cells)))
    return mask(join_lines(lines)) + "\n"


def compare_record(compared: ComparedRuns) -> dict[str, Any]:
    """The comparison as plain data; the caller hides secrets."""
    return {
        "verdict": compared.verdict,
        "same_target": compared.same_target,
        "runs": [
            {
                "name": run.name,
                "file": run.path,
                "command": run.kind,
                "target": run.target,
                "started": run.started,
                "verdict": run.verdict,
                "exit": run.exit,
                "counts": {str(outcome): number for outcome, number in run.counts.items()},
            }
            for run in compared.runs
        ],
        "rows": [
            {
                "id": row.id,
                "level": row.chosen.level,
                "change": row.change,
                "outcomes": [str(entry.outcome) if entry else "absent" for entry in row.entries],
                "said": [entry.summary if entry else "" for entry in row.entries],
            }
            for row in compared.list_part("told")
        ],
        "same": len(compared.list_part("same")),
        "not_tested": len(compared.list_part("untested")),
        "excluded": len(compared.list_part("excluded")),
    }
