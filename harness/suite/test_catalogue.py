"""One test item for each check. Collected by `pytest --pyargs harness.suite --interactions-url URL`.

Layer 8. Markers: `interactions_must`, `interactions_should`, `interactions_may`, and `interactions_area_<area>`.
The checks of one exercise share an `xdist_group`, so that `--dist loadgroup` runs each exercise once. The checks
that apply to every response share one too; their worker runs whatever exercises it has not run yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import NoReturn

import pytest

from harness.engine.baseline import Baseline, Entry
from harness.engine.events import CheckFinished
from harness.engine.plan import Selection
from harness.engine.results import Result
from harness.engine.run import RunOptions, check_target
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Accounted, Exit, HarnessFault, TargetFault, UsageFault, Verdict
from harness.outcome.words import to_one_line, write_harmless
from harness.plugin.after_test import COUNTED, disarm_session
from harness.plugin.interactions.suite_options import baseline_of, find_target, revision_of, select_checks
from harness.report.accounting import CountedResult
from harness.report.presented_run import PresentedRun

# Takes the result of each test item from one run of the catalog; the exercise an item needs is run next.
# The runner does the work; `test_catalogue` turns a verdict into the outcome of an item.


class Judge:
    """Returns the result of each check from one run against one target: one probe, and each exercise once.

    A check whose rule applies to every response (`Check.everywhere`) is only decided at the end of the run, so
    asking for its result runs the remaining exercises. Raises UsageFault and TargetFault as the runner does.
    """

    def __init__(self, url: str, baseline: Baseline, checks: Iterable[Check], revision: str) -> None:
        target = find_target(url, revision)
        selection = Selection(checks=tuple(check.id for check in checks))
        options = RunOptions(selection=selection, baseline=baseline, choose=self._choose)
        self._events = check_target(target, INTERACTIONS.load_catalogue(), options)
        self._wanted = ""
        self._results: dict[str, Result] = {}
        self._state = PresentedRun(INTERACTIONS)
        self._mask = target.make_mask()
        self._baseline = baseline

    def result(self, check: Check) -> Result:
        """Return a check's result; the first check of an exercise runs it for all the others."""
        self._wanted = check.exercise.name
        while check.id not in self._results:
            event = next(self._events, None)
            if event is None:
                raise HarnessFault(f"the runner reported nothing on {check.id}")
            self._state.handle(event)
            event = self._state.hide(event)
            if isinstance(event, CheckFinished):
                self._results[event.result.id] = event.result
        return self._results[check.id]

    def mask_text(self, text: str) -> str:
        """Return the text in one line, without secrets of the target and what a terminal or a runner obeys."""
        return write_harmless(to_one_line(self._mask.text(text)))

    def excuse(self, result: Result) -> str:
        """Why the baseline excuses a result, in one line."""
        return self.mask_text(self._baseline.reason(result.id))

    def explain(self, result: Result) -> str:
        """Format the requirement, source, findings, exchange and curl lines."""
        return write_harmless(self._state.present(result).explain(elsewhere=""))

    def close(self) -> None:
        """End the run: close open streams and delete what was created."""
        self._events.close()

    def _choose(self, left: Sequence[str]) -> str:
        return self._wanted if self._wanted in left else left[0]


_SKIPPED = frozenset({Accounted.NOT_TESTED, Accounted.NOT_OFFERED, Accounted.EXCLUDED})
_REMARKS = "interactions_remark"
_NO_NAME = re.compile(r"[^\w.*-]")
"""What no id of a check has: an entry of a baseline names an item, which pytest prints as it is."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize with the catalog, or with one skipped item if no target was given."""
    config = metafunc.config
    if not config.getoption("--interactions-url"):
        reason = "no target: pytest --pyargs harness.suite --interactions-url URL (or `emulator`)"
        metafunc.parametrize(
            "check", [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ids=["no-target"]
        )
        return
    checks = select_checks(
        config.getoption("--interactions-profile"),
        config.getoption("--interactions-level"),
        revision_of(config.getoption("--interactions-revision")),
    )
    disarm_session(config)  # `--setup-show` prints the entries of a baseline
    known = baseline_of(config.getoption("--interactions-baseline"))
    grouped = config.pluginmanager.hasplugin("xdist")
    for name in sorted({name for check in checks for name in _list_marks(check)}):
        config.addinivalue_line("markers", f"{name}: checks of the catalog")
    items = []
    for check in sorted(checks, key=lambda check: check.everywhere):  # those are decided last
        marks = [getattr(pytest.mark, name) for name in _list_marks(check)]
        if grouped:
            marks.append(pytest.mark.xdist_group("everywhere" if check.everywhere else check.exercise.name))
        items.append(pytest.param(check, id=check.id, marks=marks))
    items += [pytest.param(entry, id="stale-" + _NO_NAME.sub("_", entry.id)) for entry in known.forgotten]
    metafunc.parametrize("check", items)


def _leave(fault: TargetFault | UsageFault, shown: Callable[[str], str] = write_harmless) -> NoReturn:
    """End the session with the exit code of `harness check`, since every item would fail in the same way."""
    if isinstance(fault, UsageFault):
        pytest.exit(shown(str(fault)), returncode=pytest.ExitCode.USAGE_ERROR)
    pytest.exit(f"there is nothing to judge: {shown(str(fault))}", returncode=Exit.UNREACHABLE)


def _list_marks(check: Check) -> list[str]:
    area = check.rule.area.replace("-", "_")
    return [f"interactions_{check.rule.level.value.lower()}", f"interactions_area_{area}"]


@pytest.fixture(scope="session")
def interactions_judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """The session's run of the selected checks against one target."""
    option = request.config.getoption
    checks = [check for item in request.session.items if (check := _check_of(item)) is not None]
    try:
        baseline = baseline_of(option("--interactions-baseline"))
        judge = Judge(
            option("--interactions-url"), baseline, checks, revision_of(option("--interactions-revision"))
        )
    except UsageFault as fault:
        _leave(fault)
    with closing(judge):
        yield judge


def _check_of(item: pytest.Item) -> Check | None:
    call = getattr(item, "callspec", None)
    check = call.params.get("check") if call is not None else None
    return check if isinstance(check, Check) else None


def test_conforms(
    check: Check | Entry, interactions_judge: Judge, record_property: Callable[[str, object], None]
) -> None:
    """The target keeps the rule; an entry of the baseline that names no check is stale."""
    __tracebackhide__ = True
    if isinstance(check, Entry):
        stale = f"a baseline entry is stale: {check.unknown}; take it out of the baseline"
        pytest.fail(write_harmless(stale), pytrace=False)
    try:
        result = interactions_judge.result(check)
    except (TargetFault, UsageFault) as fault:
        _leave(fault, interactions_judge.mask_text)
    record_property(COUNTED, json.dumps(CountedResult.of(result)))
    verdict, reason = result.verdict, interactions_judge.mask_text(result.observation.reason)
    reason_text = ": ".join(filter(None, (result.outcome.word, result.reason_words, reason)))
    if result.unjudged:
        pytest.fail(reason_text, pytrace=False)
    if result.outcome in _SKIPPED and verdict is not Verdict.ERROR:
        pytest.skip(reason_text)
    if verdict is Verdict.WARN:
        messages = "; ".join(finding.message for finding in result.observation.findings[:1])
        record_property(_REMARKS, f"{check.id}: {interactions_judge.mask_text(messages)}")
    if verdict is Verdict.XFAIL:
        pytest.xfail(interactions_judge.excuse(result))
    if verdict is Verdict.STALE:
        words = f"the check passes, and the baseline excuses it ({interactions_judge.excuse(result)})"
        pytest.fail(f"{words}: take it out of the baseline", pytrace=False)
    if verdict in (Verdict.FAIL, Verdict.XFAIL, Verdict.ERROR):  # `--runxfail` goes on after an xfail
        pytest.fail(interactions_judge.explain(result), pytrace=False)
