"""Warn about tests that pass whatever the code under test does: they never asked the fixture for the outcome.

Layer 7. Decided at the end of the teardown, after the test's own fixtures have had a chance to check as well. A
test that checks in its own way says so with `note_checked()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from harness.errors import UncheckedResultWarning

_PASSED = pytest.StashKey[bool]()
_ADVICE = {
    "interactions_dropped_stream": (
        "passed without checking what its client received, so it would also pass if events were lost or repeated: "
        "call interactions_dropped_stream.assert_seen_once(result), or compare with its .text or .events"
    ),
    "interactions_lifecycle": (
        "passed without checking what its code ended with, so it would also pass with a wrong status: call "
        "interactions_lifecycle.assert_outcome(result), or compare with its .expected_status"
    ),
}


class Promise(Protocol):
    """A fixture that knows the expected outcome, and whether the test has asked for it."""

    @property
    def was_asked(self) -> bool:
        """Whether the test asserted, read what is expected, looked at the requests, or said that it checks."""


def follow(item: pytest.Item, report: pytest.TestReport, promises: Mapping[str, Promise]) -> None:
    """Note a phase of a test; after the last one, warn, or fail the test if warnings are errors."""
    if report.when == "call":
        item.stash[_PASSED] = report.passed and not hasattr(report, "wasxfail")
    if report.when != "teardown" or not report.passed or not item.stash.get(_PASSED, False):
        return
    for name, promise in promises.items():
        if promise.was_asked:
            continue
        try:
            item.warn(UncheckedResultWarning(_write_message(item, name)))
        except UncheckedResultWarning as raised:  # raising it while a report is made would end the session
            report.outcome = "failed"
            report.longrepr = str(raised)


def _write_message(item: pytest.Item, name: str) -> str:
    """The warning's text, the same for all parameters of a test, so that the summary of a run has it once."""
    test = item.nodeid.removesuffix(item.name) + getattr(item, "originalname", item.name)
    return f"{test} {_ADVICE[name]}. If the test checks in its own way, say so: {name}.note_checked()"
