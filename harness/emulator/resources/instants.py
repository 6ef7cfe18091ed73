"""Arithmetic on times as the service writes them: RFC 3339 in UTC. Layer 2."""

from __future__ import annotations

from datetime import datetime, timedelta


def later(moment: str, **lapse: float) -> str:
    """Return the time after a lapse, such as `hours=48`, with fractions of a second only if there are any."""
    then = datetime.fromisoformat(moment) + timedelta(**lapse)
    return then.isoformat().replace("+00:00", "Z")


def has_come(moment: str, now: str) -> bool:
    """Whether it is `moment` already."""
    return datetime.fromisoformat(now) >= datetime.fromisoformat(moment)
