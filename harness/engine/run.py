"""One run: probe, plan, play each exercise once, judge, decide, and emit everything as events.

Layer 4. Knows the order of things; must not know how anything is printed. A run that is told to end (Ctrl-C) or
whose time is up stops at once, deletes what it created, and still accounts for every check.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from harness.engine.audit import Audit, is_settled
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capability, everything
from harness.engine.causes import find_roots, link, resolve
from harness.engine.cleanup import CreatedResources
from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import CheckFinished, Planned, Probed, RunEvent, RunFinished, RunStarted
from harness.engine.execute import PlayedExercise
from harness.engine.plan import PlannedCheck, RunPlan, Selection, make_plan, needed_capabilities
from harness.engine.probe import Probing, probe
from harness.engine.results import Result
from harness.engine.sharding.shards import ELSEWHERE, Shard, ShardPart, digest_catalogue, split_plan
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp
from harness.engine.traffic.outages import Departure, Outages
from harness.engine.traffic.patience import TimeoutBudget, TimeoutLosses
from harness.engine.traffic.retries import Retries
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.engine.workers import INTERRUPTED, Judged, Workers, count_jobs, count_shared_jobs, format_time_up
from harness.kit.api import SCRIPTABLE, Api
from harness.kit.check import Check, Exercise
from harness.outcome import Because, Exit, Observation, Outcome, Verdict
from harness.outcome.words import describe_body, format_count
from harness.wire import Exchange


def the_probe(_: object) -> Generator[object, object, None]:
    """Name the exchanges of the probe in reports; `probe` sends them."""
    yield None


_PROBE = Exercise(the_probe, requests=0, interactions=0)

_TO_ASK = 0.2
"""The share of a run's time in which the target may be asked what it can do; the rest is for judging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run what is selected; `jobs` exercises run at the same time, each worker with its own driver.

    None is as many as overlap the waiting on a target that gives each worker a session, and one on any other.
    With one job, `choose` picks the next exercise by name from those that are left; without it they run in the
    catalogue's order. `deadline` is the limit for the whole run in seconds, None for no limit. With
    `shard`, only that part is played; `shard_seconds` are what an earlier run took, by id. Only if it
    `cleans` does a run delete what it created at a target that is thrown away after it.
    """

    selection: Selection = field(default_factory=Selection)
    said: tuple[Capability, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    strict: bool = False
    fail_fast: bool = False
    jobs: int | None = None
    deadline: float | None = None
    choose: Callable[[Sequence[str]], str] | None = None
    traffic: TrafficPolicy = field(default_factory=TrafficPolicy)
    shard: Shard | None = None
    shard_seconds: Mapping[str, float] = field(default_factory=dict)
    cleans: bool = False


@dataclass(frozen=True, slots=True)
class _Governed:
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
        timeouts, outages = TimeoutBudget(wait), Outages()
        wrapper = options.traffic.wrapper(retries, timeouts, Deadline(timer, wait), outages)
        return cls(target.with_drivers(wrapper), timer, retries, timeouts, outages)

    @property
    def cut(self) -> TimeoutLosses:
        """What was not received because it took too long."""
        return TimeoutLosses() if self.timeouts is None else self.timeouts.losses

    @property
    def gone(self) -> Departure | None:
        """When the target went away for good, if it did."""
        return None if self.outages is None else self.outages.gone


def _count_jobs(
    target: ResolvedTarget, governed: ResolvedTarget, options: RunOptions, found: Probing
) -> tuple[int, str, list[Exchange]]:
    """The number of workers; why the run ended meanwhile, `""` if it did not; exchanges."""
    if options.jobs is not None or target.throwaway or options.fail_fast or options.choose:
        return options.jobs or 1, "", []
    try:
        if SCRIPTABLE in found.capabilities:
            return count_jobs(governed), "", []
        # Outside the limits of the run: a request that is not answered beside another one is no loss.
        jobs, received = count_shared_jobs(target, found.trail)
    except (TimeUp, KeyboardInterrupt) as end:
        return 1, format_time_up(end) if isinstance(end, TimeUp) else INTERRUPTED, []
    return jobs, "", received


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
    governed = _Governed.of(target, options)
    ledger = CreatedResources(target.api)
    halted, found = _probe(governed.target, options, needed, ledger, governed.timer)
    if not halted:
        yield Probed(found.capabilities, found.requests, found.notes)
    plan = _make_plan(catalogue, options, found, profiles, governed.timer)
    yield Planned(len(plan.checks), len(plan.groups), str(options.shard or ""))
    is_scriptable = not halted and SCRIPTABLE in found.capabilities  # who was interrupted has not asked
    jobs, received = options.jobs or 1, list[Exchange]()
    if not halted:
        jobs, halted, received = _count_jobs(target, governed.target, options, found)
    sessions = jobs > 1 and is_scriptable and not target.throwaway
    audit = Audit.of(plan.running, target.api)
    ends = target.api.new_end_counter()
    for exchange in (trail := (*found.trail, *received)):
        ends.note(exchange)
    if not halted:  # what a probe receives is judged like all else
        probed = PlayedExercise(None, None, trail, 0.0, target.api, repeated=found.repeated)
        audit.note(_PROBE, probed, target.target.contract)
    able = governed.target.able(found.capabilities, found.says)
    cleans = options.cleans or not target.throwaway
    workers = Workers(able, governed.timer, audit, ends, sessions, cleans, governed.outages)
    if halted:
        workers.halt(halted)
        workers.clean(ledger)
    policy = Policy(strict=options.strict, baseline=options.baseline)
    conductor = Conductor(workers, plan, policy, fail_fast=options.fail_fast)
    with closing(conductor.play(jobs, options.choose)) as playing:
        yield from _until_interrupted(playing, lambda: workers.halt(INTERRUPTED))
    workers.find_deaths()
    audit.settle_denials(one_service=True)
    yield from conductor.conclude()
    shard = _begin_part(options, catalogue, target.target.contract.revision)
    part = None if shard is None else conductor.describe_part(shard)
    # A target that takes scripts is told to fail, so its ends count for nothing.
    yield _finish(conductor, governed, () if is_scriptable else ends.describe(), part, begin)


def _make_plan(
    catalogue: Sequence[Check],
    options: RunOptions,
    found: Probing,
    profiles: Mapping[str, frozenset[str]],
    timer: Timer,
) -> RunPlan:
    """The plan of a run, or of its shard; the most telling checks come first if time may not do for all."""
    plan = make_plan(catalogue, options.selection, found.capabilities, profiles)
    if found.requests and plan.cost[0] * timer.spent / found.requests > timer.left:
        plan = replace(plan, most_telling_first=True)
    return plan if options.shard is None else split_plan(plan, options.shard, options.shard_seconds)


def _finish(
    conductor: Conductor, governed: _Governed, failed: Iterable[str], part: ShardPart | None, begin: float
) -> RunFinished:
    """The end of a run; `failed` is how most of what the target ran ended, if that leaves a hole."""
    workers, gone = conductor.workers, governed.gone
    ordered = conductor.link_results()
    departed = () if gone is None else (_describe_departure(gone, governed.target.api),)
    holes = (*departed, *failed)
    code = Exit.INTERRUPTED if workers.halted == INTERRUPTED else exit_of(ordered, unjudged=bool(holes))
    return RunFinished(
        ordered,
        time.perf_counter() - begin,
        code,
        tuple(workers.leftovers),
        governed.retries.waited,
        governed.cut,
        workers.halted,
        part,
        holes,
        () if gone is None else gone.suspects,
    )


def _describe_departure(gone: Departure, api: Api) -> str:
    """When a target went away for good, and what it got last."""
    last, more = gone.suspects[0], len(gone.suspects) - 1
    request = f"{api.format_request(last)} {describe_body(last.request.body)}".rstrip()
    others = f", while {format_count(more, 'other request was', 'other requests were')} under way" if more else ""
    return f"the target stopped responding at {gone.seconds:.1f} s; its last request was {request}{others}"


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


# Decides the checks of a plan as its workers judge them, and accounts for every check, however the run ends.
# What may be blocked by the finding of another check is decided only when that one is; what applies to every
# answer only at the end. Must not know how the target was found, nor how anything is printed.


FAILED_FAST = "the run stopped at the first failure"

_NEEDS_EVIDENCE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})
_STOPS = frozenset({Verdict.FAIL, Verdict.ERROR})


@dataclass(slots=True)
class Conductor:
    """One run of a plan by its workers."""

    workers: Workers
    plan: RunPlan
    policy: Policy
    fail_fast: bool = False
    _said: dict[str, Observation] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)
    _held: list[Judged] = field(default_factory=list)
    _roots: Mapping[str, tuple[str, ...]] = field(init=False)
    _blocking: frozenset[str] = field(init=False)
    _resting: dict[str, list[str]] = field(init=False)
    _sharers: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._roots = self.plan.roots
        self._blocking = self.plan.blocking
        self._resting = defaultdict(list)
        for planned in self.plan.checks:
            for root in planned.check.rested_on:
                self._resting[root].append(planned.check.id)
        self._sharers = {exercise.name: len(members) for exercise, members in self.plan.groups}

    def play(
        self, jobs: int = 1, choose: Callable[[Sequence[str]], str] | None = None
    ) -> Generator[RunEvent, None, None]:
        """Play everything, and decide what can be decided on the way."""
        for planned in self.plan.checks:
            heard = planned.skip is ELSEWHERE and planned.check.everywhere
            if planned.skip is not None and planned.skip.outcome is not Outcome.BLOCKED and not heard:
                yield self._finish(Judged(planned, planned.skip))
        with closing(self.workers.play(self.plan.groups, jobs, choose)) as events:
            for event in events:
                yield from self._decide(event) if isinstance(event, Judged) else (event,)

    def conclude(self) -> Iterator[RunEvent]:
        """Decide what had to wait for the end, and account for what was not reached."""
        held, self._held = self._held, []
        for judged in held:
            if judged.planned.check.everywhere:
                explained = any(map(self._is_broken, self._resting.get(judged.planned.check.id, ())))
                said = self.workers.audit.observe(judged.planned.check, judged.observation, explained=explained)
                audited = said is not judged.observation
                if said.outcome is Outcome.UNTESTABLE:  # other shards cannot know what is doubted here
                    self._said[judged.planned.check.id] = said
                yield from self._decide(Judged(judged.planned, said, judged.played, audited), last=True)
            else:
                self._held.append(judged)
        yield from self._judge_for_others()
        blocked = [
            Judged(planned, planned.skip)
            for planned in self.plan.checks
            if planned.skip is not None and planned.skip.outcome is Outcome.BLOCKED
        ]
        held, self._held = [*self._held, *blocked], []
        while held:  # those that wait for each other are decided as they are
            ready = [judged for judged in held if self._is_ready(judged)] or held
            held = [judged for judged in held if judged not in ready]
            for judged in ready:
                self._said.setdefault(judged.planned.check.id, judged.observation)
                yield self._finish(self._resolve(judged))
        for planned in self.plan.checks:
            if planned.check.id not in self._results:
                yield self._finish(self._judge_unreached(planned))

    def _judge_unreached(self, planned: PlannedCheck) -> Judged:
        """A check whose exercise was not played: it reports what other exchanges showed under its rule."""
        if planned.skip is None and planned.check.everywhere:
            said = self.workers.audit.observe(planned.check, Observation(Outcome.MET))
            if said.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT):
                return Judged(planned, said, audited=True)
        return Judged(planned, self._not_run())

    def _is_broken(self, rule: str) -> bool:
        """Whether the exercise of a check found its rule broken."""
        return rule in self._said and self._said[rule].outcome is Outcome.NOT_MET

    def link_results(self) -> tuple[Result, ...]:
        """All results in the order of the catalogue, linked."""
        results = [self._results[planned.check.id] for planned in self.plan.checks]
        return link(results, self.workers.stops, self.workers.target.api)

    def describe_part(self, part: ShardPart) -> ShardPart:
        """The same part with what this run saw."""
        rules = sorted(self.workers.audit.rules)
        return replace(
            part,
            ran=tuple(planned.check.id for planned in self.plan.checks if planned.skip is None),
            observations={name: said for name, said in self._said.items() if said is not ELSEWHERE},
            sightings={rule: tuple(seen) for rule in rules if (seen := self.workers.audit.list_sightings(rule))},
            stops=dict(self.workers.stops),
        )

    def _judge_for_others(self) -> Iterator[RunEvent]:
        """The checks of other shards that apply to every answer: what an answer here breaks is said here, too."""
        for planned in self.plan.checks:
            if planned.skip is ELSEWHERE and planned.check.everywhere:
                self._said[planned.check.id] = ELSEWHERE
                said = self.workers.audit.observe(planned.check, Observation(Outcome.MET))
                audited = said.outcome is not Outcome.MET
                yield self._finish(Judged(planned, said if audited else ELSEWHERE, audited=audited))

    def _decide(self, judged: Judged, *, last: bool = False) -> Iterator[RunEvent]:
        """Decide a check, or hold it back; then those that waited for it."""
        check = judged.planned.check
        self._said.setdefault(check.id, judged.observation)
        waits = check.everywhere and not is_settled(judged.observation) and not last
        if waits or not self._is_ready(judged):
            self._held.append(judged)
            return
        yield self._finish(self._resolve(judged))
        ready = [one for one in self._held if not one.planned.check.everywhere and self._is_ready(one)]
        self._held = [one for one in self._held if one not in ready]
        for one in ready:
            yield self._finish(self._resolve(one))

    def _is_ready(self, judged: Judged) -> bool:
        """Whether everything is decided that may block the check."""
        return all(root in self._results for root in self._roots_of(judged))

    def _resolve(self, judged: Judged) -> Judged:
        """The check with what the others found that may block it."""
        roots = [self._results[root] for root in self._roots_of(judged) if root in self._results]
        said = resolve(judged.planned.check, judged.observation, roots)
        return (
            Judged(judged.planned, said) if said.outcome is Outcome.BLOCKED else replace(judged, observation=said)
        )

    def _roots_of(self, judged: Judged) -> tuple[str, ...]:
        check = judged.planned.check
        return find_roots(check, judged.observation, self._roots.get(check.id, ()))

    def _finish(self, judged: Judged) -> CheckFinished:
        self._said.setdefault(judged.planned.check.id, judged.observation)
        result = self._make_result(judged)
        self._results[result.id] = result
        if self.fail_fast and result.verdict in _STOPS:
            self.workers.stop()
        return CheckFinished(result)

    def _not_run(self) -> Observation:
        if not self.workers.halted:
            return Observation(Outcome.NOT_RUN, reason=FAILED_FAST, because=Because.LEFT_OUT)
        reason = f"the run ended before: {self.workers.halted}"
        return Observation(Outcome.NOT_RUN, reason=reason, because=Because.OUR_LIMIT, instead="not run")

    def _make_result(self, judged: Judged) -> Result:
        """Turn an observation into a result."""
        check, played = judged.planned.check, judged.played

        def show(verdict: Verdict) -> tuple[Exchange, ...]:
            if verdict not in _NEEDS_EVIDENCE:
                return ()
            if judged.audited:
                return self.workers.audit.evidence(check)
            return () if played is None else played.evidence(check, judged.observation)

        result = decide(
            check.rule,
            judged.observation,
            self.policy,
            result_id=check.id,
            title=check.title,
            declared=judged.planned.declared,
            show=show,
            root=check.id in self._blocking,
            seconds=0.0 if played is None else played.seconds / self._sharers[check.exercise.name],
            accepts=check.accepts,
            profile=check.profile,
        )
        if not result.evidence:
            return result
        if judged.audited or played is None:
            return replace(result, named=self.workers.audit.names_of(result.evidence))
        return replace(result, named=played.names_of(result.evidence))
