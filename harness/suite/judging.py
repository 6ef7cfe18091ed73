"""Results for test items out of one run of the catalogue, which the items lead: what they ask for is played next.

Layer 7. The runner does the work; what an item makes of a verdict is `test_catalogue`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.checks.check import Check
from harness.contract import PROTOCOL
from harness.outcome import HarnessFault, Level, UsageFault
from harness.report.explain import failure_text
from harness.report.story import Story
from harness.runner.baseline import Baseline, read_baseline
from harness.runner.capabilities import everything
from harness.runner.events import CheckFinished, Result
from harness.runner.plan import Selection, load_catalogue, make_plan
from harness.runner.run import RunOptions, check_target
from harness.runner.targets import KEY_VARIABLE, OTHER_KEY_VARIABLE, TargetOptions, resolve_target


def selected(profiles: str | None, level: str | None) -> tuple[Check, ...]:
    """The checks of some profiles (comma-separated; all for None) and at least a level. Raises UsageFault."""
    names = tuple(name.strip() for name in (profiles or "").split(",") if name.strip())
    weakest = (level or "MAY").upper()
    if weakest not in list(Level):
        raise UsageFault(f"--interactions-level={level!r} is none of must, should, may")
    catalogue = load_catalogue()
    # At collection nothing is known of the target: every check becomes an item, and may skip.
    plan = make_plan(catalogue, Selection(profiles=names, level=Level(weakest)), everything())
    return tuple(planned.check for planned in plan.checks if planned.skip is None)


def baseline_of(path: str | None) -> Baseline:
    """The known failures in a file. Raises UsageFault."""
    return read_baseline(Path(path), [check.id for check in load_catalogue()]) if path else Baseline()


class Judge:
    """Gives the result of each check against one target, out of one run: probed once, each exercise played once.

    A check that speaks of every answer of the run (`Check.everywhere`) is decided when all is played: asking for
    one plays what is left. Raises UsageFault and TargetFault as the runner does.
    """

    def __init__(self, url: str, baseline: Baseline, checks: Iterable[Check]) -> None:
        key, other = os.environ.get(KEY_VARIABLE, ""), os.environ.get(OTHER_KEY_VARIABLE, "")
        target = resolve_target(url, TargetOptions(api_key=key, other_api_key=other))
        selection = Selection(checks=tuple(check.id for check in checks))
        options = RunOptions(selection=selection, baseline=baseline, choose=self._choose)
        self._events = check_target(target, load_catalogue(), options)
        self._wanted = ""
        self._results: dict[str, Result] = {}
        self._story = Story(PROTOCOL.secret_fields)

    def result(self, check: Check) -> Result:
        """The verdict; the first check of an exercise plays it for all of them."""
        self._wanted = check.exercise.name
        while check.id not in self._results:
            event = next(self._events, None)
            if event is None:
                raise HarnessFault(f"the runner said nothing of {check.id}")
            self._story.hear(event)
            if isinstance(event, CheckFinished):
                self._results[event.result.check.id] = event.result
        return self._results[check.id]

    def explained(self, result: Result) -> str:
        """Requirement, source, findings, exchange and a curl line."""
        return failure_text(result, self._story)

    def close(self) -> None:
        """End the run: what is open is hung up, what was created is deleted."""
        self._events.close()

    def _choose(self, left: Sequence[str]) -> str:
        return self._wanted if self._wanted in left else left[0]
