"""Third-party servers: each root cause is still found and shown by curl, nothing else is; the control is clean.

Each implementation is judged once, in the set-up of the public page.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest

from tests.e2e.peers.implementations import ALL, CONTROL, Implementation
from tests.e2e.peers.judging import Judged
from tests.e2e.peers.known import unexplained
from tests.e2e.peers.publish import judge_one

pytestmark = [pytest.mark.e2e, pytest.mark.peers]


@functools.cache
def judged(implementation: Implementation) -> tuple[Judged, ...]:
    """Its reports: as a server, and as a gateway if it is one; its curl lines have been run."""
    with tempfile.TemporaryDirectory() as folder:
        served, relayed, _ = judge_one(implementation, Path(folder))
    return (served, relayed) if relayed else (served,)


def test_the_set_up_is_clean() -> None:
    """A transparent proxy in the place of the gateway has no finding, not even information."""
    assert [name for report in judged(CONTROL) for name in report.noticed("noted")] == []


@pytest.mark.parametrize("implementation", ALL, ids=str)
def test_each_cause_is_found(implementation: Implementation) -> None:
    """Each root cause is reported by a check or rule, and its curl lines show it."""
    found = [name for report in judged(implementation) for name in report.noticed("noted", "not_offered")]
    missing = [cause.what for cause in implementation.causes if not any(cause.covers(name) for name in found)]
    assert missing == []


@pytest.mark.parametrize("implementation", ALL, ids=str)
def test_nothing_is_found_without_a_cause(implementation: Implementation) -> None:
    """What fails or warns has a root cause that somebody has looked at."""
    found = [name for report in judged(implementation) for name in report.noticed()]
    assert unexplained(found, implementation.causes) == []
