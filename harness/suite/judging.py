"""Takes the result of each test item from one run of the catalogue; the exercise an item needs is run next.

Layer 8. The runner does the work; `test_catalogue` turns a verdict into the outcome of an item.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.contract import CURRENT
from harness.contract.revision_names import find_revision
from harness.engine.baseline import Baseline, read_baseline
from harness.engine.capabilities import everything
from harness.engine.events import CheckFinished
from harness.engine.plan import Selection, make_plan
from harness.engine.results import Result
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import HarnessFault, Level, UsageFault
from harness.report.explanation import explain
from harness.report.run_state import RunState


def revision_of(name: str | None) -> str:
    """The revision that was named (None: the current one); for a folder its path. Raises UsageFault."""
    return find_revision(name or CURRENT, "--interactions-revision")


def select_checks(profiles: str | None, level: str | None, revision: str) -> tuple[Check, ...]:
    """Select by comma-separated profiles (None: all), lowest level and revision. Raises UsageFault."""
    names = tuple(name.strip() for name in (profiles or "").split(",") if name.strip())
    weakest = (level or "MAY").upper()
    if weakest not in list(Level):
        raise UsageFault(f"--interactions-level={level!r} is none of must, should, may")
    api = INTERACTIONS
    # Nothing is known of the target during collection: every check becomes an item and may be skipped later.
    plan = make_plan(
        api.load_catalogue(),
        Selection(profiles=names, level=Level(weakest)),
        everything(api.load_capabilities()),
        api.load_profiles(),
    )
    contract = api.load_contract(revision)
    chosen = (planned.check for planned in plan.checks if planned.skip is None)
    return tuple(check for check in chosen if contract.holds(check.rule))


def baseline_of(path: str | None) -> Baseline:
    """Read the known failures from a file. Raises UsageFault."""
    if not path:
        return Baseline()
    return read_baseline(Path(path), [check.id for check in INTERACTIONS.load_catalogue()])


class Judge:
    """Returns the result of each check from one run against one target: one probe, and each exercise once.

    A check whose rule applies to every response (`Check.everywhere`) is only decided at the end of the run, so
    asking for its result runs the remaining exercises. Raises UsageFault and TargetFault as the runner does.
    """

    def __init__(self, url: str, baseline: Baseline, checks: Iterable[Check], revision: str) -> None:
        key, other = (
            os.environ.get(name, "") for name in (INTERACTIONS.key_variable, INTERACTIONS.other_key_variable)
        )
        said = TargetOptions(api_key=key, other_api_key=other, revision=revision)
        target = resolve_target(INTERACTIONS, url, said)
        selection = Selection(checks=tuple(check.id for check in checks))
        options = RunOptions(selection=selection, baseline=baseline, choose=self._choose)
        self._events = check_target(target, INTERACTIONS.load_catalogue(), options)
        self._wanted = ""
        self._results: dict[str, Result] = {}
        self._state = RunState(INTERACTIONS)
        self._mask = target.make_mask()

    def result(self, check: Check) -> Result:
        """Return a check's result; the first check of an exercise runs it for all the others."""
        self._wanted = check.exercise.name
        while check.id not in self._results:
            event = next(self._events, None)
            if event is None:
                raise HarnessFault(f"the runner said nothing of {check.id}")
            self._state.handle(event)
            if isinstance(event, CheckFinished):
                self._results[event.result.id] = event.result
        return self._results[check.id]

    def mask_text(self, text: str) -> str:
        """Return the text without the secrets of the target."""
        return self._mask.text(text)

    def explain(self, result: Result) -> str:
        """Format the requirement, source, findings, exchange and curl lines."""
        return explain(result, self._state, noun="check")

    def close(self) -> None:
        """End the run: close open streams and delete what was created."""
        self._events.close()

    def _choose(self, left: Sequence[str]) -> str:
        return self._wanted if self._wanted in left else left[0]
