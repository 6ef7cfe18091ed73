"""The HTML report: a run as one page that needs no network.

Layer 6. The verdict first, then what is broken by cause, then the whole catalogue.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from harness.engine.events import RunFinished
from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Accounted, Exit
from harness.outcome.words import format_count, shorten
from harness.report.accounting import Accounting
from harness.report.causes import Cause, find_causes
from harness.report.page.areas import Area, list_areas
from harness.report.page.detail import detail
from harness.report.page.fragments import FragmentNames
from harness.report.page.outcome_rows import count_for_bar, list_outcomes
from harness.report.page.rendering import link_of, render_template
from harness.report.presented_run import PresentedRun

MOST_DETAILED = 50
"""Failures that are shown with their evidence; the others are named, and the JSON report has theirs."""

MOST_ROWS = 2_000
"""From so many results on, those that passed are data until their area opens."""

_FOLDED = 600
"""From so many results on, areas are closed at first."""

_MOST_OF_A_CAUSE = 12
_NAMED = 40

_MARKS = {
    Exit.OK: Mark("pass", "pass"),
    Exit.FAILED: Mark("fail", "fail"),
}
_VOID = Mark("void", "void")


def render(state: PresentedRun) -> str:
    """The report of a finished run as one page."""
    target, finished = state.whole()
    presentation = state.presentation
    names = FragmentNames()
    causes = find_causes(state)
    shown = _choose_detailed(causes)
    detailed = frozenset(result.id for result in shown)
    areas = [_with_links(area) for area in list_areas(state, names, detailed)]
    compact = len(finished.results) >= MOST_ROWS
    noun = presentation.noun
    place = state.mask.text(target.url or target.name)
    subject = presentation.subject.format(api=state.api.title)
    accounting, verdict = presentation.accounting(state), presentation.verdict(state)
    return render_template(
        "run",
        title=f"{subject}: {place}",
        command=presentation.command,
        headline=state.mask.text(verdict.sentence),
        lead=[line for line in (state.halted_text, _lead(causes, presentation.unaware)) if line],
        state_word=verdict.word,
        state_mark=_mark_state(finished, accounting),
        facts=[("Target", place), *((_to_sentence(w), state.mask.text(v)) for w, v in presentation.facts(state))],
        started=state.started,
        seconds=finished.seconds,
        exit=int(finished.exit),
        totals=presentation.write_totals(state, lambda _, text: text),
        tallies=count_for_bar(accounting.counts),
        outcomes=list(list_outcomes(state)),
        total=accounting.total,
        shown=len(finished.results),
        noun=noun,
        names=names,
        causes=[_show_cause(cause, state, names, detailed) for cause in causes],
        broken_about=(
            f"{format_count(sum(len(c.results) for c in causes), 'failure')}, grouped by cause. "
            f"What {presentation.unaware} cannot notice comes first, then what most answers show."
        ),
        unaware=presentation.unaware,
        matrices=list(presentation.matrices(state)),
        sections=[
            {"title": s.title, "lines": s.lines, "folded": s.folded, "fragment": names.name(s.title)}
            for s in presentation.sections(state)
        ],
        catalogue_word="Catalog" if noun == "check" else "Results",
        filters=[
            ("", "All"),
            *((str(one), one.word.capitalize()) for one in Accounted if accounting.counts.get(one)),
        ],
        areas=areas,
        folded=len(finished.results) >= _FOLDED,
        compact=compact,
        passing=list(_list_passing(areas)) if compact else [],
    )  # fmt: skip


def _mark_state(finished: RunFinished, accounting: Accounting) -> Mark:
    """The mark of the verdict; a run that passed without testing every MUST check has another one."""
    passed = accounting.musts.get(Accounted.PASSED, 0)
    if finished.exit is Exit.OK and passed < sum(accounting.musts.values()):
        return Mark("open", "none")
    return _MARKS.get(finished.exit, _VOID)


_WORD = re.compile(r"[a-z]+[ ,]")


def _to_sentence(text: str) -> str:
    """The text with a capital, unless it begins with a name that is spelled so."""
    return text[0].upper() + text[1:] if _WORD.match(text + " ") else text


def _lead(causes: list[Cause], unaware: str) -> str:
    """What to know at once beside the headline: the worst cause."""
    if not causes:
        return ""
    worst = causes[0]
    how = f"The worst is invisible to {unaware}" if worst.silent else "The worst"
    return f"{how}: {worst.title}."


def _choose_detailed(causes: list[Cause]) -> list[Result]:
    """The failures that are shown with their evidence: of each cause some, the worst causes first."""
    chosen = [result for cause in causes for result in cause.results[:_MOST_OF_A_CAUSE]]
    roots = [cause.results[0] for cause in causes]
    ordered = list({id(result): result for result in (*roots, *chosen)}.values())
    return ordered[:MOST_DETAILED]


def _show_cause(
    cause: Cause, state: PresentedRun, names: FragmentNames, detailed: frozenset[str]
) -> dict[str, Any]:
    full = [result for result in cause.results if result.id in detailed]
    rest = [state.mask.text(result.id) for result in cause.results if result.id not in detailed]
    listed = shorten(", ".join(rest[:_NAMED]), 2_000)
    return {
        "fragment": names.name(f"cause-{cause.key}"),
        "key": cause.key,
        "title": _to_sentence(cause.title),
        "silent": cause.silent,
        "counts": cause.counts,
        "number": len(cause.results),
        "weight": cause.weight,
        "details": [replace(found, url=link_of(found.url)) for found in (detail(r, state, names) for r in full)],
        "rest": f"{len(rest)} more of this kind, in the JSON report: {listed}" if rest else "",
        "affected": [
            {
                "id": state.mask.text(result.id),
                "title": state.mask.text(result.title),
                "fragment": names.name(result.id),
                "word": result.outcome.word,
                "mark": mark_of(str(result.outcome)),
            }
            for result in cause.affected[:_NAMED]
        ],
    }


def _with_links(area: Area) -> Area:
    return replace(area, rows=[replace(row, url=link_of(row.url)) for row in area.rows])


def _list_passing(areas: list[Area]) -> Any:
    for number, area in enumerate(areas):
        for row in area.rows:
            if row.filter == Accounted.PASSED and not row.detailed:
                yield {
                    "area": number,
                    "id": row.id,
                    "fragment": row.fragment,
                    "title": row.title,
                    "level": row.level,
                    "requirement": row.requirement,
                    "source": row.source,
                }
