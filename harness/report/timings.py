"""The waiting times of the exercises of a run, as a table in the terminal and as records in the JSON report.

Exercises that ran side by side waited at the same time, so their sum is more than the run took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harness.engine.events import ExerciseFinished
from harness.outcome.words import format_count

_ROWS = 15
_WIDTH = 30
"""Cells of the longest bar."""

_KINDS = (("first_byte", "█", "until the first byte"), ("body", "▒", "until the end"), ("between", "·", "between"))
"""What an exercise waits for: the field of its times, the sign in its bar, and the words."""


def list_timings(exercises: Iterable[ExerciseFinished]) -> Iterator[str]:
    """Yield the lines of the table: the exercises that took longest, and what they waited for."""
    slowest = sorted(exercises, key=lambda one: -one.times.seconds)
    if not slowest:
        return
    total = {field: sum(getattr(one.times, field) for one in slowest) for field, _, _ in _KINDS}
    yield f"{format_count(len(slowest), 'exercise')}, the slowest first:"
    cells = _WIDTH / (slowest[0].times.seconds or 1.0)
    for one in slowest[:_ROWS]:
        bar = "".join(sign * round(getattr(one.times, field) * cells) for field, sign, _ in _KINDS)
        requests = format_count(one.times.requests, "request")
        yield f"  {one.times.seconds:6.2f} s  {bar:<{_WIDTH + 1}} {one.name.replace('_', ' ')} ({requests})"
    if rest := slowest[_ROWS:]:
        yield f"  {sum(one.times.seconds for one in rest):6.2f} s  in {len(rest)} more"
    yield "  " + ", ".join(f"{sign} {words}: {total[field]:.2f} s" for field, sign, words in _KINDS)
    yield "  (between two requests: between polls, and in pauses that the target requested)"


def timing_records(exercises: Iterable[ExerciseFinished]) -> list[dict[str, Any]]:
    """Return what each exercise waited for, in seconds, in the order in which they ended."""
    names = ("seconds", *(kind[0] for kind in _KINDS))
    return [
        {"exercise": one.name, "requests": one.times.requests}
        | {name: round(getattr(one.times, name), 6) for name in names}
        for one in exercises
    ]
