"""Reads the options of `harness.suite`: the checks to run, the known failures, and the target.

Layer 8. A plugin of pytest, which the one of the package loads if a URL is given. A wrong option is refused before
anything is collected: errors in a collection by a worker of pytest-xdist would look like failed tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.contract import CURRENT
from harness.contract.contract import find_revision
from harness.engine.baseline import Baseline, read_baseline
from harness.engine.capabilities import everything
from harness.engine.plan import Selection, make_plan
from harness.engine.targets import ResolvedTarget, TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.kit.check import Check
from harness.outcome import Level, UsageFault
from harness.outcome.words import write_harmless


class SuiteOptions(NamedTuple):
    """The checks that become items, the known failures, and the target with its keys."""

    checks: tuple[Check, ...]
    baseline: Baseline
    target: ResolvedTarget


OPTIONS: pytest.StashKey[SuiteOptions] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Read each option once. Raises UsageError, for which pytest exits with 4."""
    try:
        config.stash[OPTIONS] = _read_options(config.getoption)
    except UsageFault as fault:
        raise pytest.UsageError(write_harmless(str(fault))) from None


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
