"""One run: probe, plan, run each exercise once, judge, decide, and emit everything as events.

Layer 4. Knows the order of things; must not know how anything is printed. A run that is interrupted (Ctrl-C) or
out of time stops at once, deletes what it created, and still accounts for every check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from msgspec import Struct, field
from msgspec.structs import replace

from harness.engine.audit import Audit
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capability, everything
from harness.engine.causes import link
from harness.engine.cleanup import CreatedResources
from harness.engine.closing_looks import ClosingLooks
from harness.engine.conductor import Conductor, Judged
from harness.engine.decide import Policy, exit_of
from harness.engine.events import Planned, Probed, RunEvent, RunFinished, RunStarted
from harness.engine.plan import Order, RunPlan, Selection, make_plan, needed_capabilities
from harness.engine.probe import Prober, Probing
from harness.engine.results import Result
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp
from harness.engine.traffic.outages import Departure, Outages
from harness.engine.traffic.patience import HurriedStreams, TimeoutBudget, TimeoutLosses, is_stream
from harness.engine.traffic.retries import Retries
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.engine.workers import (
    INTERRUPTED,
    QUICK,
    Workers,
    count_jobs,
    describe_end,
    find_whole_create,
    settle_connections,
)
from harness.kit.api import SCRIPTABLE, Api
from harness.kit.check import Check
from harness.outcome import Exit
from harness.outcome.words import describe_body, format_count
from harness.wire import Exchange, Request

_ANSWERS = 450
"""Answers of a whole run, which one worker gets one after the other."""

_TO_ASK = 0.2
"""The share of a run's time in which the target may be asked what it can do; the rest is for judging."""


class RunOptions(Struct, frozen=True, kw_only=True):
    """How to run what is selected; `jobs` exercises run at the same time, each worker with its own driver.

    None is as many as overlap the waiting on a target that gives each worker a session, and one on any other. With
    one job, `choose` picks the next exercise by name from those that are left; without it they run in the
    catalog's order. `deadline` is the limit for the whole run in seconds, None for no limit; if `deadline_grows`,
    a slow target gets more: the limit is for one that hangs. From a `nearby` target no response is waited for much
    longer than the others took. Only if it `cleans` does a run delete what it created at a target that is thrown
    away after it.
    """

    selection: Selection = field(default_factory=Selection)
    stated: tuple[Capability, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    strict: bool = False
    fail_fast: bool = False
    jobs: int | None = None
    deadline: float | None = None
    deadline_grows: bool = False
    nearby: bool = False
    choose: Callable[[Sequence[str]], str] | None = None
    traffic: TrafficPolicy = field(default_factory=TrafficPolicy)
    cleans: bool = False
    probes_all: bool = False
    """Whether the probe asks for every capability, also for those that no selected check needs."""


class _Governed(Struct, frozen=True):
    """A target whose drivers obey the policies of a run, and those that are asked about it afterwards.

    The embedded emulator takes no real time, so there the checks themselves report answers that do not end.
    """

    target: ResolvedTarget
    timer: Timer
    retries: Retries
    timeouts: TimeoutBudget | None = None
    outages: Outages | None = None

    @classmethod
    def of(cls, target: ResolvedTarget, options: RunOptions) -> _Governed:
        """Govern a target for one run."""
        retries = options.traffic.new_retries()
        if target.throwaway:
            return cls(target.with_drivers(options.traffic.wrapper(retries)), Timer(None), retries)
        timer, wait = Timer(options.deadline), target.target.wait
        streams_a_run = partial(_streams_a_run, target.api)
        timeouts, outages = TimeoutBudget(wait, nearby=options.nearby, may_last=streams_a_run), Outages()
        streams = HurriedStreams(streams_a_run)
        if target.target.waiting is not None:
            target.target.waiting.watchers.append(streams.hurry)
        wrapper = options.traffic.wrapper(retries, timeouts, Deadline(timer, wait), outages, streams)
        return cls(target.with_drivers(wrapper), timer, retries, timeouts, outages)

    @property
    def cut(self) -> TimeoutLosses:
        """The losses to responses that took too long."""
        return TimeoutLosses() if self.timeouts is None else self.timeouts.losses

    @property
    def gone(self) -> Departure | None:
        """When the target went away for good, if it did."""
        return None if self.outages is None else self.outages.gone


def _streams_a_run(api: Api, request: Request) -> bool:
    """Whether a request asks for the stream of a run that goes on by itself."""
    if not is_stream(request):
        return False
    order = api.read_order(request)
    return bool(api.read_subject(request)) if order is None else order.background


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
    if options.probes_all:
        needed = frozenset(target.api.load_capabilities())
    yield RunStarted(target.info)
    governed = _Governed.of(target, options)
    ledger = CreatedResources(target.api)
    count = _JobCount(target, governed, options, ledger)
    looks = ClosingLooks(governed.timer, limited=not target.throwaway)
    halted, found = _probe(governed.target, options, needed, ledger, looks, count)
    is_scriptable = not halted and SCRIPTABLE in found.capabilities  # an interrupted probe has found nothing
    if not halted:
        halted = count.settle(found.trail, scriptable=is_scriptable)
        yield Probed(found.capabilities, found.requests, (*found.notes, *count.describe()))
    plan = _make_plan(catalogue, options, found, profiles, governed.timer, count)
    yield Planned(len(plan.checks), len(plan.groups))
    audit = Audit.of(plan.running, target.api)
    sessions = count.jobs > 1 and is_scriptable and not target.throwaway
    workers = _engage_workers(governed, found, audit, looks, sessions=sessions, cleans=options.cleans)
    workers.distant, workers.quick = count.distant and not sessions, count.quick and not sessions
    trail = (*found.trail, *count.received)
    workers.take_probe(trail, found.repeated, ledger, halted=halted, unseen=found.unseen)
    policy = Policy(strict=options.strict, baseline=options.baseline)
    conductor = Conductor(plan, policy, audit)
    if options.fail_fast:
        conductor.on_failure = workers.stop
    with closing(_play(workers, conductor, count.jobs, options.choose)) as playing:
        yield from _until_interrupted(playing, lambda: workers.halt(INTERRUPTED))
    workers.find_deaths()
    audit.settle_denials(one_service=not (sessions or target.throwaway))  # else each exercise has one of its own
    yield from conductor.conclude(workers.halted)
    # A target that takes scripts may be scripted to fail, so its ends count for nothing.
    results = link(conductor.results, workers.stops, target.api)
    yield _finish(results, workers, governed, () if is_scriptable else workers.ends.describe(), begin)


def _engage_workers(
    governed: _Governed, found: Probing, audit: Audit, looks: ClosingLooks, *, sessions: bool, cleans: bool
) -> Workers:
    """The workers of a run, which know what the probe found; what they create on a server is always deleted."""
    target = governed.target
    able = target.able(found.capabilities, found.says)
    ends = target.api.new_end_counter()
    cleans = cleans or not target.throwaway
    return Workers(able, governed.timer, audit, ends, looks, sessions, cleans, outages=governed.outages)


class _JobCount:
    """How many exercises run at the same time; counted once, by the probe if creates take long.

    `received` are the exchanges of that. If several get its responses, a target is `distant` if these take long,
    else `quick`, unless the user set the number.
    """

    def __init__(
        self, target: ResolvedTarget, governed: _Governed, options: RunOptions, ledger: CreatedResources
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._governed = governed
        self._options = options
        self._counted = options.jobs is not None
        self.jobs = options.jobs or 1
        self.received: Sequence[Exchange] = ()
        self.distant = self.quick = False

    def count_questions(self, trail: Sequence[Exchange]) -> int:
        """How many questions of the probe may be asked at the same time, given the first exchanges."""
        if not _is_slow(trail) or self._target.throwaway:
            return 1
        self._count(trail, scriptable=False)
        return self.jobs

    def settle(self, trail: Sequence[Exchange], *, scriptable: bool) -> str:
        """Count, unless that is done; return why the run has to end already, if so."""
        try:
            self._count(trail, scriptable=scriptable)
        except (TimeUp, KeyboardInterrupt) as end:
            return describe_end(end)
        return ""

    def describe(self) -> Iterator[str]:
        """A sentence about the connections of a target, for the reader, if it serves one at a time."""
        if self._target.load_kept is not None and self._target.load_kept().one_at_a_time:
            yield (
                "the target serves one connection at a time (no response beside an idle connection): this run "
                "closes each connection, and requests that it sends at once wait for each other"
            )

    def _count(self, trail: Sequence[Exchange], *, scriptable: bool) -> None:
        options, self._counted, counted = self._options, True, self._counted
        # one alone keeps an order, or is as fast
        if not (counted or self._target.throwaway or options.fail_fast or options.choose):
            paced, governed = options.traffic.rate is not None, self._governed.target
            self.jobs, self.received = count_jobs(
                self._target, governed, self._ledger, trail, scriptable=scriptable, paced=paced
            )
        if options.traffic.rate is None:
            self.received = [*self.received, *settle_connections(self._target, trail)]
        several = self.jobs > 1 and not self._target.throwaway
        self.distant = several and _is_slow(trail)
        self.quick = several and not self.distant and options.jobs is None


def _is_slow(trail: Sequence[Exchange]) -> bool:
    """Whether the first create that a target accepted took long."""
    created = find_whole_create(trail)
    return created is not None and created.seconds > QUICK


def _play(
    workers: Workers, conductor: Conductor, jobs: int, choose: Callable[[Sequence[str]], str] | None
) -> Generator[RunEvent, None, None]:
    """Play everything, and decide what can be decided on the way."""
    yield from conductor.begin()
    with closing(workers.play(conductor.plan.groups, jobs, choose)) as events:
        for event in events:
            yield from conductor.decide(event) if isinstance(event, Judged) else (event,)


def _make_plan(
    catalogue: Sequence[Check],
    options: RunOptions,
    found: Probing,
    profiles: Mapping[str, frozenset[str]],
    timer: Timer,
    count: _JobCount,
) -> RunPlan:
    """The plan of a run; the most telling checks come first if time may not do for all."""
    plan = make_plan(catalogue, options.selection, found.capabilities, profiles)
    if found.requests and plan.cost[0] / count.jobs * timer.spent / found.requests > timer.left:
        plan = replace(plan, order=Order.MOST_TELLING)
    elif count.jobs > 1:
        plan = replace(plan, order=Order.LONGEST)
    return plan


def _finish(
    results: tuple[Result, ...],
    workers: Workers,
    governed: _Governed,
    failed: Iterable[str],
    begin: float,
) -> RunFinished:
    """The end of a run; `failed` is how most of what the target ran ended, if that leaves a hole."""
    gone = governed.gone
    departed = () if gone is None else (_describe_departure(gone, governed.target.api),)
    holes = (*departed, *failed)
    code = Exit.INTERRUPTED if workers.halted == INTERRUPTED else exit_of(results, unjudged=bool(holes))
    return RunFinished(
        results,
        time.perf_counter() - begin,
        code,
        tuple(workers.leftovers),
        governed.retries.waited,
        governed.cut,
        workers.halted,
        holes,
        () if gone is None else gone.suspects,
        workers.looks.left_out,
    )


def _describe_departure(gone: Departure, api: Api) -> str:
    """When a target went away for good, and what it got last."""
    last, more = gone.suspects[0], len(gone.suspects) - 1
    request = f"{api.format_request(last)} {describe_body(last.request.body)}".rstrip()
    others = f", while {format_count(more, 'other request was', 'other requests were')} under way" if more else ""
    return f"the target stopped responding at {gone.seconds:.1f} s; its last request was {request}{others}"


def _probe(
    target: ResolvedTarget,
    options: RunOptions,
    needed: frozenset[str],
    ledger: CreatedResources,
    looks: ClosingLooks,
    count: _JobCount,
) -> tuple[str, Probing]:
    """Why the run has to end already, or `""`; and what is known of the target, everything assumed if it ended."""
    timer = looks.timer

    def is_late(trail: Sequence[Exchange]) -> bool:
        if options.deadline_grows:
            from statistics import median  # takes 3 ms to load, and the embedded emulator needs none

            came = [one.seconds for one in trail if one.status is not None]
            timer.grow(_ANSWERS * median(came or [0.0]))
        return timer.share_spent > _TO_ASK

    try:
        with closing(target.connect()) as driver:
            prober = Prober(
                target.api, driver, target.target, options.stated, needed, ledger, is_late,
                connect=target.connect, count_readers=count.count_questions, looks=looks,
            )  # fmt: skip
            return "", prober.run()
    except (TimeUp, KeyboardInterrupt) as end:
        return describe_end(end), Probing(capabilities=everything(target.api.load_capabilities()), requests=0)


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
