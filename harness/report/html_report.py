"""The HTML report: a run as one page that needs no network.

Layer 6. The verdict first, then what is broken by cause, then the whole catalogue.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from harness.engine.ledger import Ledger
from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Exit
from harness.outcome.words import format_count, shorten
from harness.report.causes import Cause, find_causes
from harness.report.commands.presentation import LeftOut
from harness.report.ledger_text import Headline
from harness.report.page.areas import Area, list_areas, shown_verdict
from harness.report.page.detail import detail
from harness.report.page.fragments import FragmentNames
from harness.report.page.rendering import link_of, render_template
from harness.report.page.standing_rows import VerdictCount, count_for_bar, list_standings
from harness.report.presented_run import PresentedRun

MOST_DETAILED = 50
"""Failures that are shown with their evidence; the others are named, and the JSON report has theirs."""

MOST_ROWS = 2_000
"""From so many results on, those that passed are data until their area opens."""

_FOLDED = 600
"""From so many results on, areas are closed at first."""

_MOST_OF_A_CAUSE = 12
_NAMED = 40

_FILTERS = (("", "All"), ("fail", "Failed"), ("warn info xfail", "Warned"), ("pass", "Passed"))
_UNJUDGED = "refused no_answer not_asked blocked untestable not_applicable excluded not_run"

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
    word, mark = describe_state(state)
    left_out = list(presentation.left_out(state))
    first, rest = _split(presentation.headline(state), state)
    return render_template(
        "run",
        title=f"{subject}: {place}",
        command=presentation.command,
        headline=first,
        lead=[line for line in (state.halted_text, _lead(causes, presentation.unaware), rest) if line],
        state_word=word,
        state_mark=mark,
        facts=[("Target", place), *((_to_sentence(w), state.mask.text(v)) for w, v in presentation.facts(state))],
        started=state.started,
        seconds=finished.seconds,
        exit=int(finished.exit),
        tallies=[*count_for_bar(finished.results), *map(_count_left_out, left_out)],
        standings=list(list_standings(state)),
        total=len(finished.results) + sum(item.number for item in left_out),
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
        catalogue_word="Catalogue" if noun in ("check", "rule") else "Results",
        filters=[*_FILTERS, (_UNJUDGED, "Not judged")],
        areas=areas,
        folded=len(finished.results) >= _FOLDED,
        compact=compact,
        passing=list(_list_passing(areas)) if compact else [],
    )  # fmt: skip


def _count_left_out(item: LeftOut) -> VerdictCount:
    return VerdictCount(word=item.words, number=item.number, mark=mark_of("not_asked"), hatched=True)


def describe_state(state: PresentedRun) -> tuple[str, Mark]:
    """The state of a run in a word or two; a green run with holes is not green."""
    _, finished = state.whole()
    good, bad = state.presentation.states
    if finished.exit is Exit.OK:
        ledger = Ledger.of(finished.results)
        holes = len(ledger.judged_musts) < len(ledger.wanted_musts)
        return (f"{good}, as far as it was judged", Mark("open", "none")) if holes else (good, _MARKS[Exit.OK])
    words = {
        Exit.FAILED: bad,
        Exit.NOTHING_RAN: "nothing ran",
        Exit.UNREACHABLE: "not judged",
        Exit.HARNESS_ERROR: "the harness erred",
        Exit.INTERRUPTED: "interrupted",
    }
    return words.get(finished.exit, str(finished.exit)), _MARKS.get(finished.exit, _VOID)


_WORD = re.compile(r"[a-z]+[ ,]")


def _to_sentence(text: str) -> str:
    """The text with a capital, unless it begins with a name that is spelled so."""
    return text[0].upper() + text[1:] if _WORD.match(text + " ") else text


def _split(headline: Headline, state: PresentedRun) -> tuple[str, str]:
    """How much is broken, for the heading, and the rest, for below it. Where no MUST is broken it stays whole:
    a heading that says that all is well also says what was not judged.
    """
    _, finished = state.whole()
    if finished.halted or not headline.more or not Ledger.of(finished.results).broken_musts:
        return str(headline), ""
    rest = "; ".join(headline.more)
    return f"{headline.first}.", f"{rest[0].upper()}{rest[1:]}."


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
                "word": shown_verdict(result)[0],
                "mark": mark_of(shown_verdict(result)[1]),
            }
            for result in cause.affected[:_NAMED]
        ],
    }


def _with_links(area: Area) -> Area:
    return replace(area, rows=[replace(row, url=link_of(row.url)) for row in area.rows])


def _list_passing(areas: list[Area]) -> Any:
    for number, area in enumerate(areas):
        for row in area.rows:
            if row.filter == "pass" and not row.detailed:
                yield {
                    "area": number,
                    "id": row.id,
                    "fragment": row.fragment,
                    "title": row.title,
                    "level": row.level,
                    "requirement": row.requirement,
                    "source": row.source,
                }
