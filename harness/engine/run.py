"""One run: probe, plan, run each exercise once, judge, decide, and emit everything as events.

Knows the order of things; must not know how anything is printed. A run that is interrupted (Ctrl-C) or out of time
stops at once, deletes what it created, and still accounts for every check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing

from msgspec import Struct, field
from msgspec.structs import replace

from harness.engine.audit import Audit
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capability, everything
from harness.engine.causes import link
from harness.engine.cleanup import CreatedResources
from harness.engine.conductor import Conductor, Judged
from harness.engine.decide import Policy, exit_of
from harness.engine.events import Deleting, Planned, Probed, RunEvent, RunFinished, RunStarted
from harness.engine.plan import Selection, make_plan, needed_capabilities
from harness.engine.probe import Prober, Probing
from harness.engine.results import Result
from harness.engine.sessions import count_jobs
from harness.engine.targets import ServerTarget
from harness.engine.traffic.deadline import INTERRUPTED, Deadline, Timer, TimeUp, describe_end
from harness.engine.traffic.outages import Outages
from harness.engine.traffic.patience import TimeoutBudget, TimeoutLosses
from harness.engine.traffic.retries import Retries
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.engine.workers import Workers
from harness.kit.api import SCRIPTABLE
from harness.kit.check import Check
from harness.outcome import Exit
from harness.outcome.words import describe_body, format_count


class RunOptions(Struct, frozen=True, kw_only=True):
    """How to run what is selected; `jobs` exercises run at the same time, each worker with its own driver.

    If `jobs` is None, `sessions.count_jobs` counts them. With one job, they run in the order of the catalog.
    `deadline` is the limit for the whole run in seconds, None for no limit. Only if it `cleans` does a run delete
    what it created at a target that is thrown away after it.
    """

    selection: Selection = field(default_factory=Selection)
    stated: tuple[Capability, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    strict: bool = False
    fail_fast: bool = False
    jobs: int | None = None
    deadline: float | None = None
    traffic: TrafficPolicy = field(default_factory=TrafficPolicy)
    cleans: bool = False
    probes_all: bool = False
    """Whether the probe asks for every capability, also for those that no selected check needs."""


class _Governed(Struct, frozen=True):
    """A target whose drivers obey the policies of a run, and those that are asked about it afterwards.

    The embedded emulator takes no real time, so there the checks themselves report answers that do not end.
    """

    target: ServerTarget
    timer: Timer
    retries: Retries
    timeouts: TimeoutBudget | None = None
    outages: Outages | None = None

    @classmethod
    def of(cls, target: ServerTarget, options: RunOptions) -> _Governed:
        """Govern a target for one run."""
        retries = Retries(options.traffic.max_wait, options.traffic.report_wait)
        if target.throwaway:
            return cls(target.with_drivers(options.traffic.wrapper(retries)), Timer(None), retries)
        timer, timeouts, outages = Timer(options.deadline), TimeoutBudget(), Outages()
        wrapper = options.traffic.wrapper(retries, timeouts, Deadline(timer, target.target.wait), outages)
        return cls(target.with_drivers(wrapper), timer, retries, timeouts, outages)


def check_target(
    target: ServerTarget, catalogue: Sequence[Check], options: RunOptions
) -> Generator[RunEvent, None, None]:
    """Judge one target. Raises UsageFault before anything is sent, TargetFault if there is nothing to judge.

    Close the iterator to stop early: open streams are closed and created resources are deleted all the same. Throw
    a KeyboardInterrupt into it to stop early and have the results so far.
    """
    begin = time.perf_counter()
    catalogue = [check for check in catalogue if target.target.contract.holds(check.rule)]
    profiles = target.api.load_profiles()
    needed = needed_capabilities(catalogue, options.selection, profiles)
    if options.probes_all:
        needed = frozenset(target.api.load_capabilities())
    yield RunStarted(target.info)
    governed = _Governed.of(target, options)
    ledger = CreatedResources(target.api)
    halted, found, jobs = _probe(governed.target, options, needed, ledger, governed.outages)
    is_scriptable = not halted and SCRIPTABLE in found.capabilities  # an interrupted probe has found nothing
    if not halted:
        yield Probed(found.capabilities, found.requests, found.notes)
    plan = make_plan(catalogue, options.selection, found.capabilities, profiles)
    plan = replace(plan, longest_first=jobs > 1)  # the last one is waited for
    yield Planned(len(plan.checks), len(plan.groups), governed.timer.left, len(plan.running))
    audit = Audit.of(plan.running, target.api)
    sessions = jobs > 1 and is_scriptable and not target.throwaway
    workers = Workers(
        governed.target.able(found.capabilities, found.says),
        governed.timer,
        audit,
        target.api.new_end_counter(),
        sessions=sessions,
        cleans=options.cleans or not (target.throwaway or sessions),  # else all goes with the session
        outages=governed.outages,
    )
    workers.take_probe(found, ledger, halted=halted)
    policy = Policy(strict=options.strict, baseline=options.baseline)
    conductor = Conductor(plan, policy, audit)
    if options.fail_fast:
        conductor.on_failure = workers.stop
    with closing(_play(workers, conductor, jobs)) as playing:
        yield from _until_interrupted(playing, workers.interrupt)
    workers.find_deaths()
    audit.settle_denials(one_service=not (sessions or target.throwaway))  # else each exercise has one of its own
    yield from conductor.conclude(workers.halted)
    # A target that takes scripts may be scripted to fail, so its ends count for nothing.
    results = link([one.check for one in plan.checks], conductor.results, workers.stops, target.api)
    yield _finish(results, workers, governed, () if is_scriptable else workers.ends.describe(), begin)


def _play(workers: Workers, conductor: Conductor, jobs: int) -> Generator[RunEvent, None, None]:
    """Play everything, and decide what can be decided on the way."""
    yield from conductor.begin()
    with closing(workers.play(conductor.plan.groups, jobs)) as events:
        for event in events:
            yield from conductor.decide(event) if isinstance(event, Judged) else (event,)


def _finish(
    results: tuple[Result, ...],
    workers: Workers,
    governed: _Governed,
    failed: Iterable[str],
    begin: float,
) -> RunFinished:
    """The end of a run; `failed` is how most of what the target ran ended, if that leaves a hole."""
    gone = None if governed.outages is None else governed.outages.gone  # for good
    holes = tuple(failed)
    if gone is not None:
        last, more = gone.suspects[0], len(gone.suspects) - 1
        request = f"{governed.target.api.format_request(last)} {describe_body(last.request.body)}".rstrip()
        others = format_count(more, "other request was", "other requests were")
        when = f"the target stopped responding at {gone.seconds:.1f} s; its last request was {request}"
        holes = (f"{when}, while {others} under way" if more else when, *holes)
    code = Exit.INTERRUPTED if workers.halted == INTERRUPTED else exit_of(results, unjudged=bool(holes))
    return RunFinished(
        results,
        time.perf_counter() - begin,
        code,
        tuple(workers.leftovers),
        governed.retries.waited,
        TimeoutLosses() if governed.timeouts is None else governed.timeouts.losses,
        workers.halted,
        holes,
        () if gone is None else gone.suspects,
        () if governed.outages is None else tuple(governed.outages.mishaps),
    )


def _probe(
    target: ServerTarget,
    options: RunOptions,
    needed: frozenset[str],
    ledger: CreatedResources,
    outages: Outages | None,
) -> tuple[str, Probing, int]:
    """Why the run has to end already, or `""`; what is known of the target, and how many workers it gets.

    Everything is assumed of one whose probe ended early. One worker alone keeps an order.
    """
    try:
        with closing(target.connect()) as driver:
            found = Prober(target.api, driver, target.target, options.stated, needed, ledger, outages).run()
        if options.jobs is not None:
            return "", found, options.jobs
        if options.fail_fast or options.traffic.rate is not None:
            return "", found, 1
        jobs, note = count_jobs(target, scriptable=SCRIPTABLE in found.capabilities)
        return "", replace(found, notes=(*found.notes, *filter(None, [note]))), jobs
    except (TimeUp, KeyboardInterrupt) as end:
        return describe_end(end), Probing(capabilities=everything(target.api.load_capabilities()), requests=0), 1


def _until_interrupted(events: Iterator[RunEvent], interrupt: Callable[[], Deleting]) -> Iterator[RunEvent]:
    """Pass on the events. An interrupt, wherever it strikes, lets them come to an end."""
    while True:
        try:
            event = next(events, None)
        except KeyboardInterrupt:
            yield interrupt()
            return
        if event is None:
            return
        try:
            yield event
        except KeyboardInterrupt:
            yield interrupt()
