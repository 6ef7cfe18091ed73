"""What changed between two recordings, as lines for a person, as plain data, and as a page.

Layer 6. The shape of the data is published in `schemas/output/diff.schema.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.benches.recordings.diff import ABSENT, Drift, Drifts
from harness.look.assets import mark_of
from harness.outcome import FIRST_WORDS, Exit
from harness.outcome.words import format_count, list_some
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.report.page.rendering import FragmentNames

_NAMED = 3


def drift_lines(drifts: Drifts, *, content: bool = True) -> Iterator[str]:
    """One line for each drift, however many exchanges show it; drifts of shape first."""
    for drift, labels in drifts.shape.items():
        yield escape_controls(f"{shape_line(drift)}  [{_join_names(labels)}]")
    if content:
        for drift, labels in drifts.content.items():
            yield escape_controls(f"content  {drift}  [{_join_names(labels)}]")


def shape_line(drift: Drift) -> str:
    """A structural drift, without the exchanges that show it."""
    return f"SHAPE    {drift}"


def _join_names(labels: Sequence[str]) -> str:
    return list_some(list(dict.fromkeys(labels)), _NAMED)


def drift_totals(drifts: Drifts) -> str:
    """The number of drifts of each kind."""
    shape, content = len(drifts.shape), len(drifts.content)
    return f"compared {format_count(drifts.compared, 'exchange')}; drifts: {shape} structural, {content} content"


def drift_record(drifts: Drifts) -> dict[str, Any]:
    """The comparison as plain data; the caller adds where the recordings are."""
    return {
        "compared": drifts.compared,
        "shape": _record_all(drifts.shape),
        "content": _record_all(drifts.content),
    }


def _record_all(drifts: Mapping[Drift, list[str]]) -> list[dict[str, Any]]:
    return [
        {"place": drift.place, "before": drift.before, "after": drift.after, "exchanges": labels}
        for drift, labels in drifts.items()
    ]


# As a page.


_MOST = 500
_MOST_EXCHANGES = 40

_SHAPE = "Fields, types, order of events, statuses, headers that matter: differences that break clients."
_CONTENT = "Text, number of deltas, usage, ids, times: differences that are normal from run to run."


def exit_of_drifts(drifts: Drifts) -> Exit:
    """What a comparison ends with."""
    if drifts.shape:
        return Exit.FAILED
    return Exit.OK if drifts.compared else Exit.NOTHING_RAN


_WORDS = {
    Exit.OK: ("the same structure", "pass"),
    Exit.FAILED: ("structural drift", "fail"),
    Exit.NOTHING_RAN: ("nothing compared", "no_answer"),
}


def write_headline(drifts: Drifts) -> str:
    """The result of a comparison, as a sentence."""
    if drifts.empty:
        return f"{drifts.empty!r} contains no recording: name a cassette of `harness record`, or a folder of them."
    if not drifts.compared:
        return "The recordings have no exchange in common: compare recordings of the same requests."
    compared, differing = format_count(drifts.compared, "exchange"), len(drifts.shape)
    if differing:
        verb = "differs" if differing == 1 else "differ"
        return f"{format_count(differing, 'part')} of the structure {verb}, in {compared}."
    return f"{compared} {'has' if drifts.compared == 1 else 'have'} the same structure."


def write_verdict(drifts: Drifts) -> str:
    """The last line in a terminal."""
    said = write_headline(drifts)
    return f"{FIRST_WORDS[exit_of_drifts(drifts)]}: {said[0].lower()}{said[1:]}"


def render_drifts(drifts: Drifts, *, before: str, after: str, mask: Callable[[str], str]) -> str:
    """The comparison of two recordings, which are called `before` and `after`, as one HTML file."""
    from harness.report.page.rendering import FragmentNames, render_template  # only a page needs its templates

    names = FragmentNames()
    shape, content = len(drifts.shape), len(drifts.content)
    word, mark = _WORDS[exit_of_drifts(drifts)]
    parts = [
        _part("Structural drift", _SHAPE, drifts.shape, names, mask),
        _part("Content drift", _CONTENT, drifts.content, names, mask),
    ]
    return render_template(
        "drift",
        title=f"Drift: {mask(before)} and {mask(after)}",
        command="diff",
        headline=mask(write_headline(drifts)),
        lead=f"{drift_totals(drifts).capitalize()}." if shape or content else "",
        state_word=word,
        state_mark=mark_of(mark),
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
    from harness.report.page.rendering import compare_texts

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
        "exchanges": exchanges[:_MOST_EXCHANGES],
    }
