"""One test item for each check. Collected by `pytest --pyargs harness.suite --interactions-url URL`.

Layer 8. Markers: `interactions_must`, `interactions_should`, `interactions_may`, and `interactions_area_<area>`.
The checks of one exercise share an `xdist_group`, so that `--dist loadgroup` runs each exercise once. The checks
that apply to every response share one too; their worker runs whatever exercises it has not run yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NoReturn

import pytest

from harness.engine.baseline import Entry
from harness.kit.check import Check
from harness.outcome import Exit, TargetFault, UsageFault, Verdict
from harness.suite.judging import Judge, baseline_of, revision_of, select_checks

_SKIPPED = frozenset(
    {Verdict.UNTESTABLE, Verdict.NOT_APPLICABLE, Verdict.EXCLUDED, Verdict.NOT_RUN, Verdict.BLOCKED}
)
_REMARKS = "interactions_remark"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize with the catalogue, or with one skipped item if no target was given."""
    config = metafunc.config
    if not config.getoption("--interactions-url"):
        reason = "no target: pytest --pyargs harness.suite --interactions-url URL (or `emulator`)"
        metafunc.parametrize(
            "check", [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ids=["no-target"]
        )
        return
    try:
        checks = select_checks(
            config.getoption("--interactions-profile"),
            config.getoption("--interactions-level"),
            revision_of(config.getoption("--interactions-revision")),
        )
        known = baseline_of(config.getoption("--interactions-baseline"))
    except UsageFault as fault:
        _leave(fault)
    grouped = config.pluginmanager.hasplugin("xdist")
    for name in sorted({name for check in checks for name in _list_marks(check)}):
        config.addinivalue_line("markers", f"{name}: checks of the catalogue")
    items = []
    for check in sorted(checks, key=lambda check: check.everywhere):  # those are decided last
        marks = [getattr(pytest.mark, name) for name in _list_marks(check)]
        if grouped:
            marks.append(pytest.mark.xdist_group("everywhere" if check.everywhere else check.exercise.name))
        if check.id in known:
            marks.append(pytest.mark.xfail(reason=known.reason(check.id), strict=True))
        items.append(pytest.param(check, id=check.id, marks=marks))
    items += [pytest.param(entry, id=f"stale-{entry.id}") for entry in known.forgotten]
    metafunc.parametrize("check", items)


def _leave(fault: TargetFault | UsageFault, shown: Callable[[str], str] = str) -> NoReturn:
    """End the session with the exit code of `harness check`, since every item would fail in the same way."""
    if isinstance(fault, UsageFault):
        pytest.exit(shown(str(fault)), returncode=Exit.USAGE)
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
        pytest.fail(f"a baseline entry is stale: {check.unknown}; take it out of the baseline", pytrace=False)
    try:
        result = interactions_judge.result(check)
    except (TargetFault, UsageFault) as fault:
        _leave(fault, interactions_judge.mask_text)
    told, reason = result.verdict, interactions_judge.mask_text(result.observation.reason)
    if result.unjudged:
        pytest.fail(f"not judged, because there was no answer: {reason}", pytrace=False)
    if told in _SKIPPED:
        pytest.skip(reason or str(told))
    if told is Verdict.WARN:
        messages = "; ".join(finding.message for finding in result.observation.findings[:1])
        record_property(_REMARKS, f"{check.id}: {interactions_judge.mask_text(messages)}")
    if told in (Verdict.FAIL, Verdict.XFAIL, Verdict.ERROR):
        pytest.fail(interactions_judge.explain(result), pytrace=False)
