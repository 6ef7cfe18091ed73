"""Names that the revision of May 2026 replaced, and what they are called now. Layer 1, a table.

A target that still uses one is told so by name, because clients of today do not know the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.contract.tables.lifecycle import COMPLETED
from harness.contract.tables.stream_order import COMPLETED as COMPLETED_EVENT
from harness.contract.tables.stream_order import CREATED, DELTA, ERROR, START, STOP

EVENTS: Mapping[str, str] = {
    "interaction.start": CREATED,
    "content.start": START,
    "content.delta": DELTA,
    "content.stop": STOP,
    "interaction.complete": COMPLETED_EVENT,
    "interaction.error": ERROR,
}
"""The types of events."""

DELTAS: Mapping[str, str] = {"text_annotation": "text_annotation_delta", "arguments": "arguments_delta"}
"""The types of deltas."""

STATUSES: Mapping[str, str] = {"done": COMPLETED}
"""The statuses of an interaction."""

OUTPUTS = "outputs"
"""The field of an interaction that held what `steps` holds now."""
