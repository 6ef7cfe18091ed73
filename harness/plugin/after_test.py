"""The steps after a test: its final checks, the warning for an unchecked result, its traceback, the summary.

Knows neither fixtures nor the API: fixtures with complaints register in a list.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

import pytest

from harness.errors import LeftBehindWarning, UncheckedResultWarning
from harness.outcome import UsageFault
from harness.outcome.words import format_count, list_some, write_harmless
from harness.plugin.environment_variables import KEY_VARIABLES, OTHER_KEY_VARIABLE, PLACEHOLDER_KEY
from harness.plugin.names import name_function

# Fail a test whose own code has passed, for what its fixtures know: a plan never met, a request not recorded.
# Decided when the test function has returned, so that such a test counts once, as failed.


CALL_PASSED = pytest.StashKey[bool]()
"""Whether the test function passed; set when it is over."""


class Complaining(Protocol):
    """A fixture's service that may have something against a test that passed."""

    def find_complaints(self) -> Iterator[str | Warning]:
        """The reasons why the test fails, in sentences; what it left behind, or may have meant, is a warning."""


def check_services(
    services: Sequence[Complaining], item: pytest.Item | None = None, *, strict: bool = False
) -> None:
    """Fail the test for all that its services complain about; if it is not `strict`, only warn of what is left."""
    complaints: list[str] = []
    found: list[Warning] = []
    for service in services:
        for one in service.find_complaints():
            if isinstance(one, Warning):
                found.append(one)
            if isinstance(one, str) or (strict and isinstance(one, LeftBehindWarning)):
                complaints.append(str(one))
    if complaints:
        pytest.fail(write_harmless("\n".join(dict.fromkeys(complaints))), pytrace=False)
    for kind, text in dict.fromkeys((type(warning), write_harmless(str(warning))) for warning in found):
        if item is None:
            warnings.warn(text, kind, stacklevel=2)
        else:
            warnings.warn_explicit(text, kind, str(item.path), (item.location[1] or 0) + 1)


# Warn about tests that pass whatever the code under test does: they never asked the fixture for the outcome.
# Decided at the end of the teardown, after the test's own fixtures have had a chance to check as well. A test
# that checks in its own way calls `note_checked()`.


_PASSED = pytest.StashKey[bool]()
_ADVICE = {
    "interactions_dropped_stream": (
        "passed without checking what its client received, so it would also pass if events were lost or repeated: "
        "call interactions_dropped_stream.assert_seen_once(result), or compare with its .text or .events, on each "
        "turn of a loop"
    ),
    "interactions_torture": (
        "passed without calling interactions_torture, so no fault was tried: call interactions_torture(function)"
    ),
    "interactions_lifecycle": (
        "passed without checking what its code ended with, so it would also pass with a wrong status: call "
        "interactions_lifecycle.assert_outcome(result), or compare with its .expected_status"
    ),
}


class Promise(Protocol):
    """A fixture that knows the expected outcome, and whether the test has used it."""

    @property
    def was_asked(self) -> bool:
        """Whether the test asserted, read the expected value or the requests, or declared its own check."""


def follow(item: pytest.Item, report: pytest.TestReport, promises: Mapping[str, Promise]) -> None:
    """Note a phase of a test; after the last one, warn, or fail the test if warnings are errors."""
    if report.when == "call":
        item.stash[_PASSED] = report.passed and not hasattr(report, "wasxfail")
    if report.when != "teardown" or not report.passed or not item.stash.get(_PASSED, False):
        return
    # The same text for all parameters of a test, so that the summary of a run has it once.
    test = name_function(item)
    for name, promise in promises.items():
        if promise.was_asked:
            continue
        advice = f"If the test checks in its own way, say so: {name}.note_checked()"
        try:
            item.warn(UncheckedResultWarning(f"{test} {_ADVICE[name]}. {advice}"))
        except UncheckedResultWarning as raised:  # raising it while a report is made would end the session
            report.outcome = "failed"
            report.longrepr = str(raised)


# Remove our own frames from reports of wrong calls: the author needs only the message and the line of the test.


def reword(call: pytest.CallInfo[Any]) -> None:
    """Remove our frames from an error of ours that a test met, or that a fixture raised for a wrong call."""
    excinfo = call.excinfo
    if excinfo is None:
        return
    if call.when == "setup" and isinstance(excinfo.value, UsageFault):
        failure = pytest.fail.Exception(write_harmless(str(excinfo.value)), pytrace=False).with_traceback(
            excinfo.value.__traceback__
        )
        call.excinfo = pytest.ExceptionInfo.from_exception(failure)
        return
    trace: TracebackType | None = excinfo.tb
    last = None  # the last frame that is not ours
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] != "harness":
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


_SHORTEST_KEY = 16
"""Characters of a key that is hidden: a shorter one, such as `test-api-key`, is made up."""


def hide_keys(report: pytest.TestReport) -> None:
    """Hide the keys of the environment in what pytest prints of a test: a service may repeat the one it got."""
    found = (os.environ.get(name, "").strip() for name in (*KEY_VARIABLES, OTHER_KEY_VARIABLE))
    keys = tuple(key for key in found if len(key) >= _SHORTEST_KEY and key != PLACEHOLDER_KEY)
    if not keys:
        return
    from harness.wire.mask import Mask  # late: most environments have no key

    mask = Mask({str(number): key for number, key in enumerate(keys)})
    # As data, which pytest-xdist sends: a traceback that became a text would lose its reason and its colors.
    data = report._to_json()
    shown = {name: mask.tree(data[name], mask.hide_known) for name in ("longrepr", "sections", "user_properties")}
    changed = [name for name in shown if shown[name] != data[name]]
    made = pytest.TestReport._from_json({**data, **shown})
    vars(report).update((name, getattr(made, name)) for name in changed)


def cut_captured(report: pytest.TestReport, most: int = 20) -> None:
    """Keep the last lines of what the cases of one test printed and logged: all of it would hide the reasons."""
    for number, (title, text) in enumerate(report.sections):
        lines = text.splitlines()
        if title.startswith("Captured") and (before := len(lines) - most) > 1:
            cut = f"… {before} lines of earlier cases: run a case alone to see its own"
            report.sections[number] = (title, "\n".join([cut, *lines[before:]]))


_CASE = "interactions_case"
"""The property of a failed test that is one case of several: the name that all of them share."""


def note_case(report: pytest.TestReport, item: pytest.Item) -> None:
    """Note of a failed test that it is one case of several."""
    report.user_properties.append((_CASE, name_function(item)))


def group_failures(reports: Sequence[Any]) -> Iterator[str]:
    """Replace a failure by a reference to an earlier case with the same reason; yield the counts by reason."""
    from harness.benches.client.judgement.reasons import without_values  # late: only failed cases need it

    found: dict[str, dict[str, list[str]]] = {}
    reasons: dict[str, str] = {}
    for report in reports:
        test = dict(getattr(report, "user_properties", ())).get(_CASE)
        if test is None or not getattr(report, "failed", False):
            continue
        crash = getattr(report.longrepr, "reprcrash", None)
        said = str(report.longrepr) if crash is None else crash.message
        reason = said.strip().partition("\n")[0]
        place = "" if crash is None else f"{crash.path}:{crash.lineno}"
        cases = found.setdefault(test, {}).setdefault(f"{place} {without_values(reason)}", [])
        cases.append(report.nodeid)
        reasons.setdefault(cases[0], reason)
        if len(cases) > 1:
            report.longrepr, report.sections = f"the same reason as {cases[0]}: {reason}", []
    for test, of_reasons in found.items():
        if (failed := sum(map(len, of_reasons.values()))) > 1:
            yield f"{test}: {format_count(failed, 'case')} failed for {format_count(len(of_reasons), 'reason')}"
            for cases in of_reasons.values():
                yield f"  {format_count(len(cases), 'case')}, such as {cases[0]}: {reasons[cases[0]]}"


TITLES = {
    "interactions_cassette": "interactions cassettes",
    "interactions_remark": "interactions warnings",
    "interactions_note": "interactions notes",
}


def sections(reports: Iterable[Any], of_cassettes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(title, lines) for each kind of remark found in the reports, and `of_cassettes`."""
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    properties += (("interactions_cassette", remark) for remark in of_cassettes)
    for name, title in TITLES.items():
        files = defaultdict[str, list[str]](list)  # by what a remark states of them
        for remark in dict.fromkeys(str(value) for found, value in properties if found == name):
            file, mark, what = remark.rpartition(".yaml: ")
            files[what].append(file + mark.removesuffix(": "))
        if files:
            lines = (": ".join(filter(None, (list_some(of, 3), what))) for what, of in files.items())
            yield title, write_harmless("\n".join(lines))
