"""How the types of an SDK differ from the schemas: as lines for a person, a page, Markdown, plain data.

Layer 6. The shape of the data is published in `schemas/output/drift.schema.json`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from harness.drift.comparison import (
    Explained,
    Explanation,
    TypeDifference,
    describe,
    describe_in_code,
    describe_parts,
    group_by_place,
    shorten,
)
from harness.drift.type_model import TypeModel
from harness.look import mark_of
from harness.outcome import FIRST_WORDS, Exit
from harness.outcome.words import format_count, to_one_line
from harness.report.markdown import Markdown, join_lines, write_code
from harness.report.page.rendering import render_template


def drift_lines(explained: Explained, *, verbose: bool, width: int) -> Iterator[str]:
    """The differences without an explanation, by type; then, if wanted, the others by their reason."""
    for where, differences in group_by_place(explained.unexplained):
        yield to_one_line(where)
        for difference in differences:
            yield f"  {to_one_line(describe(difference))}"
            note = shorten(difference.text)
            if note:
                yield from textwrap.wrap(note, width, initial_indent="      ", subsequent_indent="      ")
    if verbose:
        for explanation, differences in group_by_reason(explained):
            yield from textwrap.wrap(f"explained: {explanation.reason}", width, subsequent_indent="  ")
            yield from textwrap.wrap(
                f"source: {explanation.source}", width, initial_indent="  ", subsequent_indent="  "
            )
            yield from (f"    {to_one_line(difference.id)}" for difference in differences)
    for line in explained.stale:
        yield f"stale explanation, no difference matches it: {line}"


def drift_totals(older: TypeModel, newer: TypeModel, explained: Explained) -> str:
    """The subject of the comparison and its result, in one line."""
    new = len(explained.unexplained)
    known = len(explained.differences) - new
    compared = f"{format_count(len(newer.operations), 'call')} and {format_count(len(newer.records), 'type')}"
    head = f"{newer.title} and the {older.title}: {compared} of the SDK compared;"
    return f"{head} {format_count(new, 'unexplained difference')}, {known} explained"


_STRICT = " (--strict counts these, too; -v lists them)"
"""Why explained differences fail a run, for a terminal: a page lists them."""


def drift_verdict(explained: Explained, *, strict: bool, rejected: bool = False) -> str:
    """The last line; `rejected`: the emulator rejected a request that the SDK can send."""
    new, found = len(explained.unexplained), len(explained.differences)
    counted = found if strict else new
    failed = FIRST_WORDS[Exit.FAILED if counted or rejected else Exit.OK]
    if strict and found > new:
        summary = f"{format_count(found, 'difference')}, {found - new} of them explained"
        summary += _STRICT
    elif new:
        summary = f"{format_count(new, 'difference')} without an explanation"
    else:
        summary = f"{format_count(found, 'difference')}, all explained" if found else "no difference"
    return f"{failed}: {summary}{'; the emulator rejected requests' if rejected else ''}."


def drift_record(
    older: TypeModel, newer: TypeModel, sdk: str, version: str, revision: str, explained: Explained
) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "sdk": {"name": sdk, "version": version, "operations": len(newer.operations), "types": len(newer.records)},
        "schemas": {"revision": revision, "operations": len(older.operations), "types": len(older.records)},
        "unexplained": [_record(difference) for difference in explained.unexplained],
        "explained": [
            {**_record(difference), "reason": explanation.reason, "source": explanation.source}
            for difference, explanation in explained.differences
            if explanation is not None
        ],
        "stale": list(explained.stale),
    }


def drift_markdown(older: TypeModel, newer: TypeModel, explained: Explained, verdict: str) -> str:
    """The comparison as a page: the verdict, then all differences, each explained one with reason and source."""
    totals = drift_totals(older, newer, explained)
    lines: list[str] = [Markdown("# {} and the {}").format(newer.title, older.title), ""]
    lines += [Markdown("**{}**").format(verdict), "", f"{totals}.", ""]
    for where, differences in group_by_place(explained.unexplained):
        lines += [Markdown("## {}").format(write_code(where)), ""]
        for difference in differences:
            word, name, details = describe_parts(difference)
            parts = Markdown(" ").join(filter(None, (word, name and write_code(name), details)))
            note = shorten(difference.text)
            lines.append(Markdown("- {}: {}").format(parts, note) if note else Markdown("- {}").format(parts))
        lines.append("")
    known = group_by_reason(explained)
    if known:
        lines += [Markdown("## Explained"), ""]
        for explanation, differences in known:
            lines += [Markdown(f"- {explanation.reason} (source: {explanation.source})")]  # a file of ours
            lines += [Markdown("  - {}").format(write_code(difference.id)) for difference in differences]
        lines.append("")
    if explained.stale:
        lines += [Markdown("## Stale explanations: no difference matches them"), ""]
        lines += [Markdown("- {}").format(write_code(line)) for line in explained.stale]
        lines.append("")
    return join_lines(lines)


def drift_page(older: TypeModel, newer: TypeModel, explained: Explained, verdict: str) -> str:
    """The comparison as one HTML file, with the verdict of the command's last line."""
    word, _, summary = verdict.partition(": ")
    strict = _STRICT in summary
    summary = summary.replace(_STRICT, "")
    return render_template(
        "sdk_drift",
        title=f"Drift: {newer.title}",
        command="drift",
        headline=summary[0].upper() + summary[1:],
        lead=f"{drift_totals(older, newer, explained)}.{' `--strict` counts explained differences.' * strict}",
        state_word=word,
        state_mark=mark_of("pass" if word == FIRST_WORDS[Exit.OK] else "fail"),
        places=[
            {"where": where, "rows": [(describe_in_code(found), shorten(found.text)) for found in differences]}
            for where, differences in group_by_place(explained.unexplained)
        ],
        reasons=[
            {
                "reason": explanation.reason,
                "source": explanation.source,
                "ids": [found.id for found in differences],
            }
            for explanation, differences in sorted(group_by_reason(explained), key=lambda item: -len(item[1]))
        ],
        stale=list(explained.stale),
    )


def _record(difference: TypeDifference) -> dict[str, Any]:
    return {
        "id": difference.id,
        "kind": str(difference.kind),
        "where": difference.where,
        "name": difference.name,
        "detail": difference.detail,
        "sdk_type": difference.theirs,
        "text": shorten(difference.text),
    }


def group_by_reason(explained: Explained) -> list[tuple[Explanation, list[TypeDifference]]]:
    """The explained differences, by their explanation, in the order of the differences."""
    found: dict[Explanation, list[TypeDifference]] = {}
    for difference, explanation in explained.differences:
        if explanation is not None:
            found.setdefault(explanation, []).append(difference)
    return list(found.items())
