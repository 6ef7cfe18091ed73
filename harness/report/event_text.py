"""The list of the events around a fault as lines for a terminal: the same list that a page draws.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.engine.results import Result
from harness.outcome.words import shorten
from harness.report.evidence.display import Display
from harness.report.page.event_list import EventRow, list_events

_SAID = 31
"""Most characters of what an event says: with its number and kind it fits 80 columns."""


def event_lines(result: Result, display: Display) -> Iterator[str]:
    """An arrow at the event that a finding names, its neighbours, and counts of the others; or no line."""
    listed = list_events(result, display)
    if listed is None:
        return
    yield f"events{' ' if listed.about.startswith('of ') else ', '}{listed.about}:"
    for fold in listed.folds:
        if fold.summary:
            yield f"          … {fold.summary}"
        else:
            yield from map(_format, fold.rows)


def _format(row: EventRow) -> str:
    if row.kind == "cut":
        return f"          -- {row.name} --"
    arrow = "->" if row.accused else "  "
    number = "" if row.number is None else row.number
    said = "MISSING" if row.kind == "missing" else shorten(row.summary, _SAID)
    return f"  {arrow} {number:>4}  {row.name:<29} {said}".rstrip()
