"""How the types of an SDK differ from the schemas: as lines for a person, and as plain data."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from harness.outcome import FIRST_WORDS, Exit
from harness.outcome.words import format_count, to_one_line
from lab.drift.comparison import (
    Explained,
    Explanation,
    TypeDifference,
    describe,
    group_by_place,
    shorten,
)
from lab.drift.type_model import TypeModel


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


def drift_verdict(explained: Explained, *, strict: bool, rejected: bool = False) -> str:
    """The last line; `rejected`: the emulator rejected a request that the SDK can send."""
    new, found = len(explained.unexplained), len(explained.differences)
    counted = found if strict else new
    failed = FIRST_WORDS[Exit.FAILED if counted or rejected else Exit.OK]
    if strict and found > new:
        explained_too = f"{found - new} of them explained (--strict counts these, too; -v lists them)"
        summary = f"{format_count(found, 'difference')}, {explained_too}"
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
