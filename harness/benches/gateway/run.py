"""One run against a gateway: see that a plain request comes through, play the exercises, judge what passed.

Layer 5. Knows the order of things; must not know how anything is printed.
"""

from __future__ import annotations

import fnmatch
import shlex
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from harness.benches.gateway.bench import GatewayBench
from harness.benches.gateway.liveness import ExerciseRunner, parts_of
from harness.engine.baseline import Baseline
from harness.engine.causes import find_roots, resolve
from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import CheckFinished, Planned, RunEvent, RunFinished, RunStarted, TargetInfo
from harness.engine.results import Reproduction, Result
from harness.engine.workers import INTERRUPTED
from harness.kit.check import Check
from harness.kit.relay import RelayCatalogue, RelayedExchange
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import Exit, TargetFault, UsageFault
from harness.outcome.suggest import did_you_mean
from harness.outcome.words import shorten
from harness.wire import Exchange, How

_SHOWN = 200
"""The number of characters of an answer that a message shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What is judged (`only`: globs over ids of checks, all if empty), how strictly, and of which gateway.

    `repeated` is what a command line has to repeat, so that a rule comes out the same alone: options and CMD.
    """

    only: tuple[str, ...] = ()
    strict: bool = False
    gateway: TargetInfo = field(default_factory=lambda: TargetInfo(name="gateway"))
    baseline: Baseline = field(default_factory=Baseline)
    repeated: tuple[str, ...] = ()


def judge_gateway(
    bench: GatewayBench, catalogue: RelayCatalogue, options: GatewayOptions
) -> Generator[RunEvent, None, None]:
    """Judge the gateway that the bench's requests go through.

    Raises UsageFault for a glob that selects nothing, TargetFault when no request comes through at all.
    """
    checks = select_rules(catalogue, options.only)
    needed = {exercise.name for check in checks for exercise in parts_of(check)}
    exercises = [exercise for exercise in catalogue.exercises if exercise.name in needed]
    begun = time.monotonic()
    yield RunStarted(options.gateway)
    reach(bench)
    yield Planned(len(checks), len(exercises))
    runner = ExerciseRunner(bench)
    yield from runner.play(exercises)
    results: list[Result] = []
    for check in checks:
        results.append(_judge_rule(check, runner, options, results))
        yield CheckFinished(results[-1])
    code = Exit.INTERRUPTED if runner.halted == INTERRUPTED else exit_of(results)
    yield RunFinished(tuple(results), time.monotonic() - begun, code, halted=runner.halted)


def select_rules(catalogue: RelayCatalogue, only: Sequence[str]) -> list[Check]:
    """The checks that the globs name, or all if there are no globs. Raises UsageFault if a glob names none."""
    names = [check.id for check in catalogue.checks]
    for glob in only:
        if not fnmatch.filter(names, glob):
            raise UsageFault(f"no rule is named {glob!r}{did_you_mean(glob, names)}")
    wanted = {name for glob in only for name in fnmatch.filter(names, glob)}
    return [check for check in catalogue.checks if not only or check.id in wanted]


def reach(bench: GatewayBench) -> None:
    """See that a plain request comes through. Raises TargetFault that says where it stopped."""
    relayed = bench.send(bench.client.greet("reach.create"))
    status = relayed.client.status
    if status is None:
        ending = relayed.client.ending
        why = ending.detail if ending.how is not How.REFUSED else ""
        raise TargetFault(f"the gateway gave {_describe_answer(relayed.client)}: {why or 'is it running?'}")
    if relayed.upstream or relayed.misrouted:
        return
    if why := explain_wrong_call(relayed.client):
        raise TargetFault(f"the gateway answered {_describe_answer(relayed.client)}: {why}")
    if status in (401, 403):
        raise TargetFault(f"the gateway refuses the key: {_describe_answer(relayed.client)} (--api-key KEY)")
    raise TargetFault(
        f"a create was answered, but nothing arrived upstream: {_describe_answer(relayed.client)}\n"
        "is the gateway configured to ask the upstream that was printed?"
    )


def _describe_answer(exchange: Exchange) -> str:
    """Status and the beginning of the body, in one line."""
    if exchange.status is None:
        return f"no answer ({exchange.ending.words})"
    body = exchange.body[:_SHOWN].decode("utf-8", "replace")
    return shorten(" ".join((str(exchange.status), *body.split())), _SHOWN)


def _judge_rule(
    check: Check, runner: ExerciseRunner, options: GatewayOptions, earlier: Sequence[Result]
) -> Result:
    """The result of one rule; its evidence is what the findings name. Earlier ones may stand in its way."""
    observation = runner.observe(check)
    roots = find_roots(check, observation, check.rested_on)
    observation = resolve(check, observation, [result for result in earlier if result.id in roots])
    made: dict[str, RelayedExchange] = runner.results
    named = dict.fromkeys(finding.where.exchange for finding in observation.findings)
    alone = ("harness", "gateway", options.gateway.url, "--only", check.id, *options.repeated)
    return decide(
        check.rule,
        observation,
        Policy(strict=options.strict, baseline=options.baseline),
        show=lambda _: tuple(made[name] for name in named),
        reproduction=Reproduction(command=shlex.join(alone)),
        accepts=check.accepts,
    )
