"""Warn about tests that pass whatever the code under test does: they never asked the fixture for the outcome.

Layer 7. Decided at the end of the teardown, after the test's own fixtures have had a chance to check as well. A
test may check in its own way, which its source shows: it expects an exception, or compares with its marker.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from typing import Protocol

import pytest

_PASSED = pytest.StashKey[bool]()
_EXPECTATIONS = frozenset({"raises", "RaisesGroup", "fail", "assertRaises", "assertRaisesRegex"})
_ADVICE = {
    "dropped_stream": (
        "passed without checking what its client received, so it would also pass if events were lost or repeated: "
        "call dropped_stream.assert_seen_once(result), or compare with dropped_stream.text or .events"
    ),
    "interaction_lifecycle": (
        "passed without checking what its code ended with, so it would also pass with a wrong status: call "
        "interaction_lifecycle.assert_outcome(result), or compare with interaction_lifecycle.expected_status"
    ),
}
_OURS = frozenset({"assert_seen_once", "assert_patient", "assert_outcome"})
"""Assertions that record their own calls; one that is in the source but never reached checks nothing."""


class UncheckedResultWarning(UserWarning):
    """A test passed without checking its result against what its fixture expects."""

    __module__ = "harness.plugin"  # the module from which warning filters import it


class Promise(Protocol):
    """A fixture that knows the expected outcome, and whether the test has asked for it."""

    @property
    def was_asked(self) -> bool:
        """Whether the test called one of its assertions, read what it expects, or looked at the requests."""


def follow(item: pytest.Item, report: pytest.TestReport, promises: Mapping[str, Promise]) -> None:
    """Note a phase of a test; after the last one, warn, or fail the test if warnings are errors."""
    if report.when == "call":
        item.stash[_PASSED] = report.passed and not hasattr(report, "wasxfail")
    if report.when != "teardown" or not report.passed or not item.stash.get(_PASSED, False):
        return
    for name, promise in promises.items():
        if promise.was_asked or _checks_itself(item):
            continue
        try:
            item.warn(UncheckedResultWarning(_message(item, name)))
        except UncheckedResultWarning as raised:  # raising it while a report is made would end the session
            report.outcome = "failed"
            report.longrepr = str(raised)


def _message(item: pytest.Item, name: str) -> str:
    """The warning's text, the same for all parameters of a test, so that the summary of a run has it once."""
    test = item.nodeid.removesuffix(item.name) + getattr(item, "originalname", item.name)
    return (
        f"{test} {_ADVICE[name]}. If the test checks something else on purpose, ignore "
        "harness.plugin.UncheckedResultWarning"
    )


def _checks_itself(item: pytest.Item) -> bool:
    """Whether the test's own source expects an exception, or has an assertion that can know the outcome."""
    try:
        source = inspect.getsource(item.function)  # type: ignore[attr-defined]
        nodes = list(ast.walk(ast.parse(textwrap.dedent(source))))
    except (AttributeError, TypeError, OSError, SyntaxError):  # no source to read: assume that it checks
        return True
    called = {_name(node.func) for node in nodes if isinstance(node, ast.Call)} - _OURS
    if called & _EXPECTATIONS or any(name.startswith("assert_") for name in called):
        return True
    asserts = any(isinstance(node, ast.Assert) for node in nodes)
    return (asserts or any(name.startswith("assert") for name in called)) and _says_what_must_come(item)


def _name(function: ast.expr) -> str:
    return str(getattr(function, "attr", None) or getattr(function, "id", ""))


def _says_what_must_come(item: pytest.Item) -> bool:
    """Whether the markers of a test determine the outcome: the stream's text, or the names of the routes."""
    texts = any(
        {"script", "cassette"} & marker.kwargs.keys() for marker in item.iter_markers("interactions_dropped")
    )
    routes = [name for marker in item.iter_markers("interactions_lifecycle") for name in marker.args]
    return texts or (bool(routes) and "all" not in routes)
