"""What changed between two recordings, as lines for a person and as plain data.

Layer 6. The shape of the data is published in `schemas/output/diff.schema.json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.benches.recordings.diff import Drift, Drifts
from harness.outcome.words import format_count, list_some
from harness.wire.message import escape_controls

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
