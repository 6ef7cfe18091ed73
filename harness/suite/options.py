"""The plugin of `harness.suite`: reads the checks to run, the known failures and the target, writes the verdict.

A plugin of pytest, which the one of the package loads if a URL is given. A wrong option is refused before anything
is collected: errors in a collection by a worker of pytest-xdist would look like failed tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from harness.contract import CURRENT
from harness.contract.contract import find_revision
from harness.engine.decide import Baseline, read_baseline
from harness.engine.events import everything
from harness.engine.plan import make_plan
from harness.engine.selection import Selection
from harness.engine.targets import ServerTarget, TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.kit.check import Check
from harness.outcome import Level, UsageFault
from harness.outcome.words import write_harmless
from harness.report.collected_run import CountedResult, account_for, conclude_counted


class SuiteOptions(NamedTuple):
    """The checks that become items, the known failures, and the target with its keys."""

    checks: tuple[Check, ...]
    baseline: Baseline
    target: ServerTarget


OPTIONS: pytest.StashKey[SuiteOptions] = pytest.StashKey()

COUNTED = "interactions_counted"
"""The property of a test item: what is counted of its result, as JSON, since workers of pytest-xdist report it."""


def pytest_configure(config: pytest.Config) -> None:
    """Read each option once. Raises UsageError, for which pytest exits with 4."""
    try:
        config.stash[OPTIONS] = _read_options(config.getoption)
    except UsageFault as fault:
        raise pytest.UsageError(write_harmless(str(fault))) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Write the totals and the verdict of the checks, after all other sections."""
    yield
    reports = [report for group in terminalreporter.stats.values() for report in group]
    properties = (pair for report in reports for pair in getattr(report, "user_properties", ()))
    counted = {str(value) for name, value in properties if name == COUNTED}
    if not counted:
        return
    results = sorted((msgspec.json.decode(one, type=CountedResult) for one in counted), key=lambda one: one.id)
    accounting = account_for(results, "check")
    totals = accounting.write_totals(sum(getattr(report, "duration", 0.0) for report in reports))
    lines = (totals, accounting.write_reasons(), str(conclude_counted(results, accounting)))
    terminalreporter.section("interactions checks")
    terminalreporter.write_line("\n".join(filter(None, lines)))


def _read_options(option: Callable[[str], Any]) -> SuiteOptions:
    revision = find_revision(option("--interactions-revision") or CURRENT, "--interactions-revision")
    level = option("--interactions-level") or "MAY"
    if level.upper() not in list(Level):
        raise UsageFault(f"--interactions-level={level!r} is not one of must, should, may")
    names = (name.strip() for name in (option("--interactions-profile") or "").split(","))
    # Nothing is known of the target during collection: every check becomes an item and may be skipped later.
    plan = make_plan(
        SERVERS.load_catalogue(),
        Selection(profiles=tuple(filter(None, names)), level=Level(level.upper())),
        everything(SERVERS.load_capabilities()),
        SERVERS.load_profiles(),
    )
    contract = SERVERS.load_contract(revision)
    chosen = (planned.check for planned in plan.checks if planned.skip is None)
    path = option("--interactions-baseline")
    ids = [check.id for check in SERVERS.load_catalogue()]
    key, other = (os.environ.get(name, "") for name in (SERVERS.key_variable, SERVERS.other_key_variable))
    keys = TargetOptions(api_key=key, other_api_key=other, revision=revision)
    return SuiteOptions(
        checks=tuple(check for check in chosen if contract.holds(check.rule)),
        baseline=read_baseline(Path(path), ids) if path else Baseline(),
        target=resolve_target(SERVERS, option("--interactions-url"), keys),
    )
