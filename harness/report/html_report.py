"""The HTML report: a run as one page that needs no network.

The verdict first, then what is broken by cause, then the whole catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.look import Mark, mark_of
from harness.outcome import Accounted, Exit, Level
from harness.outcome.words import format_count, shorten
from harness.report.collected_run import ENDED_EARLY, to_sentence
from harness.report.finding_text import SharedFixes
from harness.report.page.rendering import FragmentNames, render_template
from harness.report.presented_run import JUDGED, LISTED, Cause, PresentedRun

_NAMED = 40
MOST_DETAILED = 50
"""Failures that are shown with their evidence, some of each cause; the JSON report has that of the others."""

_WARNED = (
    "{} warned and did not fail the run: a SHOULD rule is broken, a MUST rule is met only in a lenient reading, "
    "or the baseline lists the failure."
)

MARKS = {Exit.OK: mark_of("pass"), Exit.FAILED: mark_of("fail")}
"""The mark of a verdict; the others have that of `no_answer`."""


def render(state: PresentedRun) -> str:
    """The report of a finished run as one page."""
    _, finished = state.whole()
    causes = state.causes
    first = [cause.results[0].id for cause in causes]
    chosen = [shown.id for cause in causes for shown in cause.results[:12]]
    failures = frozenset(list(dict.fromkeys((*first, *chosen)))[:MOST_DETAILED])
    warned = [shown for shown in state.urgent_first if shown.outcome is Accounted.WARNED]
    warnings = [shown for shown in warned if shown.result.id not in failures][:30]
    detailed = failures | {shown.result.id for shown in warnings}
    headline, *lead = state.verdict.sentences
    headline = _IDS.sub(r"\1", headline)  # the contents name them
    if state.halted_text:  # which says so with its reason
        lead = [line for line in lead if line != f"{to_sentence(ENDED_EARLY)}."]
    areas = state.list_areas()
    names = FragmentNames()
    for area in areas:  # an area is linked by its name, whatever its results are called
        names.name(f"area-{area.name}")
        for row in area.rows:
            names.name(row.result.id)
    listed = sum(len(area.rows) for area in areas)
    counts = state.accounting.counts
    kinds = {row.outcome for area in areas for row in area.rows}
    order = ""
    if len(causes) > 1:
        number = format_count(sum(len(cause.results) for cause in causes), "failure")
        order = f"{number}, grouped by cause. Failures that {state.unaware} cannot detect come first, "
        order += "then the most frequent ones."
    state_mark = MARKS.get(finished.exit, mark_of("no_answer"))
    if finished.exit is Exit.OK and not state.is_whole:  # it passed without testing every MUST check
        state_mark = Mark("open", "none")
    return render_template(
        "run",
        title=f"{state.subject}: {state.place}",
        command=state.command,
        run=state,
        headline=headline,
        lead=[*lead, *state.lead],
        state_mark=state_mark,
        facts=[("Target", state.place), *((to_sentence(word), value) for word, value in state.facts)],
        tallies=count_for_bar(counts),
        total=sum(counts.values()),
        shown=listed,
        unlisted=len(state.results) - listed,
        names=names,
        causes=[_show_cause(cause, names, failures) for cause in causes],
        warnings=warnings,
        fixes=SharedFixes(),
        warned=len(warned),
        warned_about=_WARNED.format(format_count(len(warned), state.noun)),
        broken_about=order,
        sections=[
            {"title": s.title, "lines": s.lines, "folded": s.folded, "fragment": names.name(s.title)}
            for s in state.sections()
            if not s.drawn
        ],
        catalogue_word="Catalog" if state.noun == "check" else "Results",
        filters=[("", "All"), *((str(one), one.word.capitalize()) for one in LISTED if one in kinds)],
        levels=[str(level) for level in Level if any(row.level is level for area in areas for row in area.rows)],
        areas=areas,
        detailed=detailed,
        bar_of=count_for_bar,
    )


_IDS = re.compile(r"(\(\d+ causes?): [^;)]+")


def _show_cause(cause: Cause, names: FragmentNames, detailed: frozenset[str]) -> dict[str, Any]:
    rest = [shown.id for shown in cause.results if shown.id not in detailed]
    listed = shorten(", ".join(rest[:_NAMED]), 2_000)
    return {
        "cause": cause,
        "fragment": names.name(f"cause-{cause.key}"),
        "title": to_sentence(cause.title),
        "problem": "" if cause.problem in cause.title else cause.problem,
        "details": [shown for shown in cause.results if shown.id in detailed],
        "rest": f"{len(rest)} more of this kind, in the JSON report: {listed}" if rest else "",
        "affected": list(cause.affected[:_NAMED]),
    }


def count_for_bar(counts: Mapping[Accounted, int]) -> list[dict[str, Any]]:
    """The parts of a bar: what was not judged is hatched."""
    return [
        {"word": outcome.word, "number": number, "mark": mark_of(str(outcome)), "hatched": outcome not in JUDGED}
        for outcome in Accounted
        if (number := counts.get(outcome, 0))
    ]
