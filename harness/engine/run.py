"""One run: probe, plan, play each exercise once, judge, and emit everything as events.

Layer 4. Knows the order of things; must not know how anything is printed. A run that is told to end (Ctrl-C) or
whose time is up stops at once, deletes what it created, and still accounts for every check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from harness.engine.audit import Audit
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capability, everything
from harness.engine.cleanup import CreatedResources
from harness.engine.conductor import Conductor
from harness.engine.decide import Policy, exit_of
from harness.engine.events import Planned, Probed, RunEvent, RunFinished, RunStarted
from harness.engine.plan import Selection, make_plan, needed_capabilities
from harness.engine.probe import Probing, probe
from harness.engine.sharding.shards import Shard, ShardPart, digest_catalogue, split_plan
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp
from harness.engine.traffic.outages import Departure, Outages
from harness.engine.traffic.timeout_budget import TimeoutBudget, TimeoutLosses
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.engine.workers import INTERRUPTED, Workers, format_time_up
from harness.kit.api import SCRIPTABLE, Api
from harness.kit.check import Check
from harness.outcome import Exit
from harness.outcome.body_words import describe_body
from harness.outcome.words import format_count

_TO_ASK = 0.2
"""The share of a run's time in which the target may be asked what it can do; the rest is for judging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run what is selected; `jobs` exercises run at the same time, each worker with its own driver.

    With one job, `choose` picks the next exercise by name from those that are left; without it they run in the
    catalogue's order. `deadline` is the limit for the whole run in seconds, None for no limit. With
    `shard`, only that part is played; `shard_seconds` are what an earlier run took, by id.
    """

    selection: Selection = field(default_factory=Selection)
    said: tuple[Capability, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    strict: bool = False
    fail_fast: bool = False
    jobs: int = 1
    deadline: float | None = None
    choose: Callable[[Sequence[str]], str] | None = None
    traffic: TrafficPolicy = field(default_factory=TrafficPolicy)
    shard: Shard | None = None
    shard_seconds: Mapping[str, float] = field(default_factory=dict)


def check_target(
    target: ResolvedTarget, catalogue: Sequence[Check], options: RunOptions
) -> Generator[RunEvent, None, None]:
    """Judge one target. Raises UsageFault before anything is sent, TargetFault if there is nothing to judge.

    Close the iterator to stop early: open streams are closed and created resources are deleted all the same. Throw
    a KeyboardInterrupt into it to stop early and have the results so far.
    """
    begin = time.perf_counter()
    catalogue = [check for check in catalogue if target.target.contract.holds(check.rule)]
    profiles = target.api.load_profiles()
    needed = needed_capabilities(catalogue, options.selection, profiles)
    yield RunStarted(target.info)
    retries = options.traffic.new_retries()
    # The embedded emulator takes no real time, so there the checks themselves report answers that do not end.
    timeouts = None if target.throwaway else TimeoutBudget(target.target.wait)
    outages = None if target.throwaway else Outages()
    timer = Timer(None if target.throwaway else options.deadline)
    governed = target.with_drivers(
        options.traffic.wrapper(
            retries, timeouts, None if target.throwaway else Deadline(timer, target.target.wait), outages
        )
    )
    ledger = CreatedResources(target.api)
    halted, found = _probe(governed, options, needed, ledger, timer)
    if not halted:
        yield Probed(found.capabilities, found.requests, found.notes)
    plan = make_plan(catalogue, options.selection, found.capabilities, profiles)
    if found.requests and plan.cost[0] * timer.spent / found.requests > timer.left:
        plan = replace(plan, most_telling_first=True)
    if options.shard is not None:
        plan = split_plan(plan, options.shard, options.shard_seconds)
    yield Planned(len(plan.checks), len(plan.groups), str(options.shard or ""))
    is_scriptable = not halted and SCRIPTABLE in found.capabilities  # who was interrupted has not asked
    sessions = options.jobs > 1 and is_scriptable and not target.throwaway
    policy = Policy(strict=options.strict, baseline=options.baseline)
    audit = Audit.of(plan.running, target.api)
    ends = target.api.new_end_counter()
    for exchange in found.trail:
        ends.note(exchange)
    workers = Workers(governed.able(found.capabilities, found.says), timer, audit, ends, sessions, outages)
    if halted:
        workers.halt(halted)
        workers.clean(ledger)
    conductor = Conductor(workers, plan, policy, fail_fast=options.fail_fast)
    with closing(conductor.play(options.jobs, options.choose)) as playing:
        yield from _until_interrupted(playing, lambda: workers.halt(INTERRUPTED))
    workers.find_deaths()
    yield from conductor.conclude()
    ordered = conductor.link_results()
    gone = None if outages is None else outages.gone
    departed = () if gone is None else (_describe_departure(gone, target.api),)
    holes = (*departed, *(() if is_scriptable else ends.describe()))  # whoever takes scripts is told to fail
    code = Exit.INTERRUPTED if workers.halted == INTERRUPTED else exit_of(ordered, unjudged=bool(holes))
    cut = TimeoutLosses() if timeouts is None else timeouts.losses
    seconds, left = time.perf_counter() - begin, tuple(workers.leftovers)
    shard = _begin_part(options, catalogue, target.target.contract.revision)
    part = None if shard is None else conductor.describe_part(shard)
    last = () if gone is None else gone.suspects
    yield RunFinished(ordered, seconds, code, left, retries.waited, cut, workers.halted, part, holes, last)


def _describe_departure(gone: Departure, api: Api) -> str:
    """When a target went away for good, and what it got last."""
    last, more = gone.suspects[0], len(gone.suspects) - 1
    request = f"{api.format_request(last)} {describe_body(last.request.body)}".rstrip()
    others = f", while {format_count(more, 'other request was', 'other requests were')} under way" if more else ""
    return f"the target was gone from {gone.seconds:.1f} s on: the last request it got was {request}{others}"


def _begin_part(options: RunOptions, catalogue: Sequence[Check], revision: str) -> ShardPart | None:
    """What a shard's report says before what it found; None for a whole run."""
    if options.shard is None:
        return None
    return ShardPart(
        shard=options.shard,
        catalogue=digest_catalogue(catalogue),
        revision=revision,
        selection=repr(options.selection),
        strict=options.strict,
        baseline=tuple(options.baseline.entries.values()),
    )


def _probe(
    target: ResolvedTarget,
    options: RunOptions,
    needed: frozenset[str],
    ledger: CreatedResources,
    timer: Timer,
) -> tuple[str, Probing]:
    """Why the run has to end already, or `""`; and what is known of the target, everything assumed if it ended."""

    def is_late() -> bool:
        return timer.share_spent > _TO_ASK

    try:
        with closing(target.connect()) as driver:
            return "", probe(target.api, driver, target.target, options.said, needed, ledger, is_late)
    except TimeUp as up:
        halted = format_time_up(up)
    except KeyboardInterrupt:
        halted = INTERRUPTED
    return halted, Probing(capabilities=everything(target.api.load_capabilities()), requests=0)


def _until_interrupted(events: Iterator[RunEvent], interrupt: Callable[[], None]) -> Iterator[RunEvent]:
    """Pass on the events. An interrupt, wherever it strikes, lets them come to an end."""
    while True:
        try:
            event = next(events, None)
        except KeyboardInterrupt:
            interrupt()
            return
        if event is None:
            return
        try:
            yield event
        except KeyboardInterrupt:
            interrupt()
