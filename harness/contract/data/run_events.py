"""Which events of a stream belong to the run, and when two of them are the same.

Layer 1, pure. The two questions on which every comparison of readings rests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.contract.tables.protocol import COMPLETED_EVENT, CREATED_EVENT, ERROR_EVENT, RUN_EVENTS, cursor_of

Event = Mapping[str, Any]

_NOT_COMPARED = frozenset({"event_id", "metadata"})
"""Top-level fields of an event that may differ from one reading to another."""

_ENVELOPES = {CREATED_EVENT: ("id",), COMPLETED_EVENT: ("id", "status")}
"""Fields to compare of the interaction in an event; in a replay others may show a later status or time."""


def is_of_the_run(event: Event) -> bool:
    """Whether an event belongs to the run, so that every reader must receive it.

    A connection may have events of its own, which carry no cursor: heartbeats of an unlisted type, and empty
    errors, which the live service was observed to send.
    """
    kind = event.get("event_type")
    if cursor_of(event) or (isinstance(kind, str) and kind in RUN_EVENTS):
        return True
    return kind == ERROR_EVENT and isinstance(event.get("error"), dict) and bool(event["error"])


def shape_of(event: Event) -> str:
    """What an event means to a reader, without its cursor; equal for events that are the same."""
    shape = {name: value for name, value in event.items() if name not in _NOT_COMPARED}
    kind = event.get("event_type")
    fields = _ENVELOPES.get(kind) if isinstance(kind, str) else None
    if fields is not None:
        interaction = event.get("interaction")
        known = interaction if isinstance(interaction, Mapping) else {}
        shape["interaction"] = {name: known.get(name) for name in fields}
    try:
        return json.dumps(shape, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return f"an event of {kind} that is too deep to compare"


def is_same_event(one: Event, other: Event) -> bool:
    """Whether two events are equal, apart from fields that may differ between readings."""
    return one == other or shape_of(one) == shape_of(other)
