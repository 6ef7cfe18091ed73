"""One test item for each check. Collected by `pytest --pyargs harness.suite --interactions-url URL`.

Markers: `interactions_must`, `interactions_should`, `interactions_may`, and `interactions_area_<area>`. All items
take their result from one run (`shared_run.py`), so that pytest-xdist may spread them in any way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from harness.engine.decide import Entry
from harness.kit.check import Check
from harness.outcome import Accounted, Exit, TargetFault, UsageFault, Verdict
from harness.outcome.words import write_harmless
from harness.suite.shared_run import COUNTED, OPTIONS, SharedRun

_SKIPPED = frozenset({Accounted.NOT_TESTED, Accounted.NOT_OFFERED, Accounted.EXCLUDED})
_REMARKS = "interactions_remark"
_NO_NAME = re.compile(r"[^\w.*-]")
"""What no id of a check has: an entry of a baseline names an item, which pytest prints as it is."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize with the catalog, or with one skipped item if no target was given."""
    config = metafunc.config
    options = config.stash.get(OPTIONS, None)
    if options is None:
        reason = "no target: pytest --pyargs harness.suite --interactions-url URL (or `emulator`)"
        metafunc.parametrize(
            "check", [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ids=["no-target"]
        )
        return
    for name in sorted({name for check in options.checks for name in _list_marks(check)}):
        config.addinivalue_line("markers", f"{name}: checks of the catalog")
    items = []
    for check in sorted(options.checks, key=lambda check: check.everywhere):  # those are decided last
        marks = [getattr(pytest.mark, name) for name in _list_marks(check)]
        items.append(pytest.param(check, id=check.id, marks=marks))
    forgotten = options.baseline.forgotten
    items += [pytest.param(entry, id="stale-" + _NO_NAME.sub("_", entry.id)) for entry in forgotten]
    metafunc.parametrize("check", items)


def _leave(fault: TargetFault | UsageFault, config: pytest.Config) -> NoReturn:
    """End the session with the exit code of `harness check`, since every item would fail in the same way.

    A worker of pytest-xdist cannot end the session: there, each item fails.
    """
    if hasattr(config, "workerinput"):
        pytest.fail(write_harmless(str(fault)), pytrace=False)
    if isinstance(fault, UsageFault):
        pytest.exit(write_harmless(str(fault)), returncode=pytest.ExitCode.USAGE_ERROR)
    pytest.exit(f"there is nothing to judge: {write_harmless(str(fault))}", returncode=Exit.INCOMPLETE)


def _list_marks(check: Check) -> list[str]:
    area = check.rule.area.replace("-", "_")
    return [f"interactions_{check.rule.level.value.lower()}", f"interactions_area_{area}"]


@pytest.fixture(scope="session")
def interactions_run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedRun]:
    """The session's run of the selected checks against one target."""
    options = request.config.stash[OPTIONS]
    checks = [check.id for item in request.session.items if (check := _check_of(item)) is not None]
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # that of the session, which all workers of pytest-xdist share
    run = SharedRun(folder / "harness-suite.jsonl", options.target, options.baseline, checks)
    try:
        yield run
    finally:
        session = request.session
        run.stop() if session.shouldstop or session.shouldfail else run.finish()


def _check_of(item: pytest.Item) -> Check | None:
    call = getattr(item, "callspec", None)
    check = call.params.get("check") if call is not None else None
    return check if isinstance(check, Check) else None


def test_conforms(
    check: Check | Entry,
    interactions_run: SharedRun,
    record_property: Callable[[str, object], None],
    pytestconfig: pytest.Config,
) -> None:
    """The target keeps the rule; an entry of the baseline that names no check is stale."""
    __tracebackhide__ = True
    if isinstance(check, Entry):
        stale = f"a baseline entry is stale: {check.unknown}; take it out of the baseline"
        pytest.fail(write_harmless(stale), pytrace=False)
    try:
        result = interactions_run.result(check.id)
    except (TargetFault, UsageFault) as fault:
        _leave(fault, pytestconfig)
    counted = result.counted
    record_property(COUNTED, json.dumps(counted))
    reason = ": ".join(filter(None, (counted.outcome.word, counted.reason_words, result.reason)))
    if counted.unjudged:
        pytest.fail(reason, pytrace=False)
    if counted.outcome in _SKIPPED and counted.verdict is not Verdict.ERROR:
        pytest.skip(reason)
    if counted.verdict is Verdict.WARN:
        record_property(_REMARKS, f"{check.id}: {result.remark}")
    if counted.verdict is Verdict.XFAIL:
        pytest.xfail(result.excuse)
    if counted.verdict is Verdict.STALE:
        words = f"the check passes, and the baseline excuses it ({result.excuse})"
        pytest.fail(f"{words}: take it out of the baseline", pytrace=False)
    if counted.verdict in (Verdict.FAIL, Verdict.XFAIL, Verdict.ERROR):  # `--runxfail` goes on after an xfail
        pytest.fail(result.explanation, pytrace=False)
