"""The comparison of runs as a page, as Markdown and as plain data.

The shape of the data is published in `schemas/output/compare.schema.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.look import Mark, mark_of
from harness.outcome import Accounted
from harness.outcome.words import shorten
from harness.report.collected_run import to_sentence
from harness.report.html_report import FragmentNames, count_for_bar, render_template
from harness.report.markdown import Markdown, join_lines, write_code
from harness.report.side_by_side.differences import CHANGES, ComparedRow, ComparedRuns
from harness.report.side_by_side.run_file import RunEntry

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
