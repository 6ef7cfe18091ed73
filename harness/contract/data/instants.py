"""Times in bodies, as instants: two of them are equal if they are the same moment, however they are written.

Layer 1, pure.
"""

from __future__ import annotations

from datetime import datetime


def read_instant(value: object) -> datetime | None:
    """The moment that an ISO 8601 time with a zone names; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
