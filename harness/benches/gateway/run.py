"""One run against a gateway: see that a create comes through, make the trials, judge the passages.

Layer 5. Knows the order of things; must not know how anything is printed.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from harness.benches.gateway.bench import Line
from harness.benches.gateway.catalogue.exercises import TRIALS
from harness.benches.gateway.catalogue.findings import answer_line
from harness.benches.gateway.catalogue.rules import BY_ID, CHECKS, GatewayCheck
from harness.benches.gateway.liveness import TrialRunner
from harness.engine.baseline import Baseline
from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import CheckFinished, Planned, RunEvent, RunFinished, RunStarted, TargetInfo
from harness.engine.results import Reproduction, Result
from harness.outcome import TargetFault, UsageFault
from harness.outcome.suggest import did_you_mean
from harness.wire import How


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What is judged (`only`: globs over ids of checks, all if empty), how strictly, and of which gateway."""

    only: tuple[str, ...] = ()
    strict: bool = False
    gateway: TargetInfo = field(default_factory=lambda: TargetInfo(name="gateway"))
    baseline: Baseline = field(default_factory=Baseline)


def judge_gateway(line: Line, options: GatewayOptions) -> Generator[RunEvent, None, None]:
    """Judge the gateway that `line` runs through.

    Raises UsageFault for a glob that selects nothing, TargetFault when no create comes through at all.
    """
    checks = select_rules(options.only)
    trials = [trial for trial in TRIALS if any(trial.name in check.trials for check in checks)]
    begun = time.monotonic()
    yield RunStarted(options.gateway)
    reach(line)
    yield Planned(len(checks), len(trials))
    runner = TrialRunner(line)
    yield from runner.play(trials)
    results = []
    for check in checks:
        results.append(_judge_rule(check, runner, options))
        yield CheckFinished(results[-1])
    yield RunFinished(tuple(results), time.monotonic() - begun, exit_of(results))


def select_rules(only: Sequence[str]) -> list[GatewayCheck]:
    """The checks that the globs name, or all if there are no globs. Raises UsageFault if a glob names none."""
    for glob in only:
        if not fnmatch.filter(BY_ID, glob):
            raise UsageFault(f"no rule is named {glob!r}{did_you_mean(glob, BY_ID)}")
    return [check for check in CHECKS if not only or any(fnmatch.fnmatchcase(check.id, glob) for glob in only)]


def reach(line: Line) -> None:
    """See that a create comes through. Raises TargetFault that says where it stopped."""
    passage = line.create("reach.create")
    status = passage.client.status
    if status is None:
        ending = passage.client.ending
        why = ending.detail if ending.how is How.TLS else "is it running?"
        raise TargetFault(f"the gateway gave {answer_line(passage.client)}: {why}")
    if passage.upstream or passage.astray:
        return
    if status in (401, 403):
        raise TargetFault(f"the gateway refuses the key: {answer_line(passage.client)} (--api-key KEY)")
    raise TargetFault(
        f"a create was answered, but nothing arrived upstream: {answer_line(passage.client)}\n"
        "is the gateway configured to ask the upstream that was printed?"
    )


def _judge_rule(check: GatewayCheck, runner: TrialRunner, options: GatewayOptions) -> Result:
    """The result of one rule; its evidence is what the findings name."""
    observation = runner.observe(check)
    made = {passage.name: passage for passage in runner.passages}
    named = dict.fromkeys(finding.where.exchange for finding in observation.findings)
    return decide(
        check.rule,
        observation,
        Policy(strict=options.strict, baseline=options.baseline),
        show=lambda _: tuple(made[name] for name in named),
        reproduction=Reproduction(command=f"harness gateway {options.gateway.url} --only {check.id}"),
    )
