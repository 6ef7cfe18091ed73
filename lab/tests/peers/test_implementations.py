"""Third-party servers: each root cause is still found and shown by curl, nothing else is; the control is clean.

Each implementation is judged in each of its set-ups, once.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest

from lab.peers.implementations import ALL, CONTROL, Implementation
from lab.peers.known import unexplained
from lab.peers.publish import Run, judge_in

pytestmark = [pytest.mark.e2e, pytest.mark.peers]


@functools.cache
def judged(implementation: Implementation) -> tuple[Run, ...]:
    """A run for each set-up; its curl lines have been run."""
    with tempfile.TemporaryDirectory() as folder:
        return tuple(judge_in(implementation, set_up, Path(folder)) for set_up in implementation.set_ups)


def test_the_set_up_is_clean() -> None:
    """A transparent proxy in the place of the gateway has no finding, not even information."""
    assert [run.noticed("noted") for run in judged(CONTROL)] == [[]]


@pytest.mark.parametrize("implementation", ALL, ids=str)
def test_each_cause_is_found(implementation: Implementation) -> None:
    """Each root cause is reported by a check or rule in both set-ups, and its curl lines show it."""
    first, second = judged(implementation)
    found = first.noticed("noted", "not_offered")
    assert [c.what for c in implementation.causes if not any(c.covers(name) for name in found)] == []
    assert [cause.what for cause in second.missing(implementation.causes)] == []


@pytest.mark.parametrize("implementation", ALL, ids=str)
def test_nothing_is_found_without_a_cause(implementation: Implementation) -> None:
    """What fails or warns in both set-ups has a root cause that somebody has looked at."""
    first, second = (set(run.noticed()) for run in judged(implementation))
    assert unexplained(sorted(first & second), implementation.causes) == []
