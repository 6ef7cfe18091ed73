"""Reads the options of `harness.suite`: the checks to run, the known failures, and the target.

Layer 8. A plugin of pytest, which the one of the package loads if a URL is given. A wrong option is refused before
anything is collected: errors in a collection by a worker of pytest-xdist would look like failed tests.
"""

from __future__ import annotations

import os
from pathlib import Path

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


def pytest_configure(config: pytest.Config) -> None:
    """Read each option once. Raises UsageError, for which pytest exits with 4."""
    option = config.getoption
    try:
        revision = revision_of(option("--interactions-revision"))
        select_checks(option("--interactions-profile"), option("--interactions-level"), revision)
        baseline_of(option("--interactions-baseline"))
        find_target(option("--interactions-url"), revision)
    except UsageFault as fault:
        raise pytest.UsageError(write_harmless(str(fault))) from None


def find_target(url: str, revision: str) -> ResolvedTarget:
    """The target, with the keys of the environment. Raises UsageFault."""
    key, other = (os.environ.get(name, "") for name in (SERVERS.key_variable, SERVERS.other_key_variable))
    options = TargetOptions(api_key=key, other_api_key=other, revision=revision)
    return resolve_target(SERVERS, url, options)


def revision_of(name: str | None) -> str:
    """The revision that was named (None: the current one); for a folder its path. Raises UsageFault."""
    return find_revision(name or CURRENT, "--interactions-revision")


def select_checks(profiles: str | None, level: str | None, revision: str) -> tuple[Check, ...]:
    """Select by comma-separated profiles (None: all), lowest level and revision. Raises UsageFault."""
    names = tuple(name.strip() for name in (profiles or "").split(",") if name.strip())
    weakest = (level or "MAY").upper()
    if weakest not in list(Level):
        raise UsageFault(f"--interactions-level={level!r} is not one of must, should, may")
    # Nothing is known of the target during collection: every check becomes an item and may be skipped later.
    plan = make_plan(
        SERVERS.load_catalogue(),
        Selection(profiles=names, level=Level(weakest)),
        everything(SERVERS.load_capabilities()),
        SERVERS.load_profiles(),
    )
    contract = SERVERS.load_contract(revision)
    chosen = (planned.check for planned in plan.checks if planned.skip is None)
    return tuple(check for check in chosen if contract.holds(check.rule))


def baseline_of(path: str | None) -> Baseline:
    """Read the known failures from a file. Raises UsageFault."""
    if not path:
        return Baseline()
    return read_baseline(Path(path), [check.id for check in SERVERS.load_catalogue()])
