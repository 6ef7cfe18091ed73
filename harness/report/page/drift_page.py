"""What changed between two recordings, as a page. Layer 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.benches.recordings.diff import ABSENT, Drift, Drifts
from harness.look.assets import mark_of
from harness.outcome.words import format_count
from harness.report.diff_text import drift_totals
from harness.report.page.rendering import FragmentNames, compare_texts, render_template

_MOST = 500
_NAMED = 40

_SHAPE = "Fields, types, order of events, statuses, headers that matter: differences that break clients."
_CONTENT = "Text, number of deltas, usage, ids, times: differences that are normal from run to run."


def render_drifts(drifts: Drifts, *, before: str, after: str, mask: Callable[[str], str]) -> str:
    """The comparison of two recordings, which are called `before` and `after`, as one HTML file."""
    names = FragmentNames()
    shape, content = len(drifts.shape), len(drifts.content)
    if not drifts.compared:
        word, mark, headline = (
            "nothing compared",
            mark_of("no_answer"),
            "The recordings have no exchange in common.",
        )
    elif shape:
        verb = "differs" if shape == 1 else "differ"
        word, mark = "structural drift", mark_of("fail")
        compared = format_count(drifts.compared, "exchange")
        headline = f"{format_count(shape, 'part')} of the structure {verb}, in {compared}."
    else:
        word, mark = "the same structure", mark_of("pass")
        headline = f"{format_count(drifts.compared, 'exchange')} have the same structure."
    parts = [
        _part("Structural drift", _SHAPE, drifts.shape, names, mask),
        _part("Content drift", _CONTENT, drifts.content, names, mask),
    ]
    return render_template(
        "drift",
        title=f"Drift: {mask(before)} and {mask(after)}",
        command="diff",
        headline=headline,
        lead=f"{drift_totals(drifts).capitalize()}." if shape or content else "",
        state_word=word,
        state_mark=mark,
        before=mask(before),
        after=mask(after),
        parts=[part for part in parts if part["rows"]],
    )


def _part(
    title: str, about: str, drifts: Mapping[Drift, list[str]], names: FragmentNames, mask: Callable[[str], str]
) -> dict[str, Any]:
    shown = list(drifts.items())[:_MOST]
    left = len(drifts) - len(shown)
    return {
        "title": title,
        "about": about,
        "fragment": names.name(title),
        "rows": [_build_row(drift, labels, names, mask) for drift, labels in shown],
        "left_out": f"{left} more: `harness diff --json` has all" if left else "",
    }


def _build_row(
    drift: Drift, labels: list[str], names: FragmentNames, mask: Callable[[str], str]
) -> dict[str, Any]:
    expected, actual = compare_texts(mask(drift.before), mask(drift.after))
    exchanges = [mask(label) for label in dict.fromkeys(labels)]
    return {
        "place": mask(drift.place),
        "fragment": names.name(f"{drift.place} {drift.before} {drift.after}"),
        "added": drift.before == ABSENT,
        "kind": "added" if drift.before == ABSENT else "removed" if drift.after == ABSENT else "changed",
        "before": expected,
        "after": actual,
        "seen": exchanges[0] if len(exchanges) == 1 else "",
        "more": len(exchanges) > 1,
        "exchanges": exchanges[:_NAMED],
    }
