"""One run: probe, plan, play each exercise once, judge, and emit everything as events.

Layer 4. Knows the order of things; must not know how anything is printed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from harness.engine.audit import SETTLED, Audit
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capability
from harness.engine.causes import link, stopped_at
from harness.engine.cleanup import CreatedResources
from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import (
    CheckFinished,
    ExerciseStarted,
    Planned,
    Probed,
    RunEvent,
    RunFinished,
    RunStarted,
)
from harness.engine.execute import Played, play
from harness.engine.plan import Group, PlannedCheck, RunPlan, Selection, make_plan, needed_capabilities
from harness.engine.probe import probe
from harness.engine.results import Result
from harness.engine.sessions import session_of
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.timeout_budget import TimeoutBudget, TimeoutLosses
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.kit.api import SCRIPTABLE
from harness.kit.check import Check
from harness.outcome import Observation, Outcome, Verdict
from harness.wire import Driver, Exchange

_NEEDS_EVIDENCE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})
_STOPS = frozenset({Verdict.FAIL, Verdict.ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run what is selected; `jobs` exercises run at the same time, each worker with its own driver.

    With one job, `choose` picks the next exercise by name from those that are left; without it they run in the
    catalogue's order.
    """

    selection: Selection = field(default_factory=Selection)
    said: tuple[Capability, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    strict: bool = False
    fail_fast: bool = False
    jobs: int = 1
    choose: Callable[[Sequence[str]], str] | None = None
    traffic: TrafficPolicy = field(default_factory=TrafficPolicy)


def check_target(
    target: ResolvedTarget, catalogue: Sequence[Check], options: RunOptions
) -> Generator[RunEvent, None, None]:
    """Judge one target. Raises UsageFault before anything is sent, TargetFault if there is nothing to judge.

    Close the iterator to stop early: open streams are closed and created resources are deleted all the same.
    """
    begin = time.perf_counter()
    catalogue = [check for check in catalogue if target.target.contract.holds(check.rule)]
    api = target.api
    profiles = api.load_profiles()
    needed = needed_capabilities(catalogue, options.selection, profiles)
    yield RunStarted(target.info)
    retries = options.traffic.new_retries()
    # The embedded emulator takes no real time, so there the checks themselves report answers that do not end.
    timeouts = None if target.throwaway else TimeoutBudget(target.target.wait)
    governed = target.with_drivers(options.traffic.wrapper(retries, timeouts))
    with closing(governed.connect()) as driver:
        found = probe(api, driver, target.target, options.said, needed)
    yield Probed(found.capabilities, found.requests, found.notes)
    plan = make_plan(catalogue, options.selection, found.capabilities, profiles)
    yield Planned(len(plan.checks), len(plan.groups))
    sessions = options.jobs > 1 and SCRIPTABLE in found.capabilities and not target.throwaway
    conductor = _Conductor(governed.able(found.capabilities, found.says), options, sessions=sessions)
    results: dict[str, Result] = {}
    for event in conductor.events(plan):
        if isinstance(event, CheckFinished):
            results[event.result.id] = event.result
        yield event
    ordered = link([results[planned.check.id] for planned in plan.checks], conductor.stops, api)
    cut = TimeoutLosses() if timeouts is None else timeouts.losses
    seconds, left = time.perf_counter() - begin, tuple(conductor.leftovers)
    yield RunFinished(ordered, seconds, exit_of(ordered), left, retries.waited, cut)


class _Conductor:
    """Plays the groups of a plan, one after another or several at once."""

    def __init__(self, target: ResolvedTarget, options: RunOptions, *, sessions: bool) -> None:
        self._target = target
        self._options = options
        self._sessions = sessions
        self._stop = threading.Event()
        self._audit = Audit(frozenset(), target.api)
        self._held: list[tuple[PlannedCheck, Played, Observation]] = []
        self.leftovers: list[str] = []
        self.stops: dict[str, Exchange] = {}

    def events(self, plan: RunPlan) -> Iterator[RunEvent]:
        self._audit = Audit.of(
            (planned.check for planned in plan.checks if planned.skip is None), self._target.api
        )
        for planned in plan.checks:
            if planned.skip is not None:
                yield CheckFinished(self._result(planned, planned.skip))
        groups = plan.groups
        workers = min(self._options.jobs, len(groups))
        if workers > 1:
            yield from self._parallel(groups, workers)
        elif groups:
            yield from self._work(_choose_order(groups, self._options.choose))
        for planned, played, own in self._held:
            said = self._audit.observe(planned.check, own)
            yield CheckFinished(self._result(planned, said, played, audited=said is not own))

    def _parallel(self, groups: list[Group], workers: int) -> Iterator[RunEvent]:
        waiting = _Shared(groups)
        said: queue.Queue[RunEvent | BaseException | None] = queue.Queue()

        def worker() -> None:
            try:
                for event in self._work(waiting):
                    said.put(event)
            except BaseException as raised:
                said.put(raised)
            finally:
                said.put(None)

        threads = [threading.Thread(target=worker, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield from _until_done(said, workers)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _work(self, groups: Iterator[Group]) -> Iterator[RunEvent]:
        """Do one worker's part: play group after group with its own driver and ledger."""
        ledger = CreatedResources(self._target.api)
        with session_of(self._target) if self._sessions else closing(self._target.connect()) as driver:
            try:
                for group in groups:
                    yield from self._group(group, driver, ledger)
            finally:
                if not self._target.throwaway:
                    self.leftovers.extend(ledger.clean(driver))

    def _group(self, group: Group, driver: Driver, ledger: CreatedResources) -> Iterator[RunEvent]:
        exercise, members = group
        if self._stop.is_set():
            for planned in members:
                reason = "the run stopped at the first failure"
                yield CheckFinished(self._result(planned, Observation(Outcome.NOT_RUN, reason=reason)))
            return
        yield ExerciseStarted(exercise.name, tuple(planned.check.id for planned in members))
        played = play(self._target.api, exercise, self._target.target, driver, ledger)
        self._audit.note(exercise, played)
        for planned in members:
            observation = played.observe(planned.check)
            if observation.outcome is Outcome.UNTESTABLE and (stop := stopped_at(played.trail)) is not None:
                self.stops[planned.check.id] = stop
            if planned.check.everywhere and observation.outcome not in SETTLED:
                self._held.append((planned, played, observation))  # the rest of the run may add to it
                continue
            result = self._result(planned, observation, played)
            if self._options.fail_fast and result.verdict in _STOPS:
                self._stop.set()
            yield CheckFinished(result)

    def _result(
        self,
        planned: PlannedCheck,
        observation: Observation,
        played: Played | None = None,
        *,
        audited: bool = False,
    ) -> Result:
        """Turn an observation into a result; `audited`: the answers of other exercises decided it."""
        check = planned.check

        def show(verdict: Verdict) -> tuple[Exchange, ...]:
            if played is None or verdict not in _NEEDS_EVIDENCE:
                return ()
            return self._audit.evidence(check) if audited else played.evidence(check, observation)

        return decide(
            check.rule,
            observation,
            Policy(strict=self._options.strict, baseline=self._options.baseline),
            result_id=check.id,
            title=check.title,
            declared=planned.declared,
            show=show,
            seconds=played.seconds if played is not None else 0.0,
            accepts=check.accepts,
            profile=check.profile,
        )


class _Shared:
    """An iterator that several workers may draw from."""

    def __init__(self, groups: list[Group]) -> None:
        self._iterator = iter(groups)
        self._lock = threading.Lock()

    def __iter__(self) -> _Shared:
        return self

    def __next__(self) -> Group:
        with self._lock:
            return next(self._iterator)


def _choose_order(groups: list[Group], choose: Callable[[Sequence[str]], str] | None) -> Iterator[Group]:
    if choose is None:
        yield from groups
        return
    left = {exercise.name: (exercise, members) for exercise, members in groups}
    while left:
        yield left.pop(choose(tuple(left)))


def _until_done(said: queue.Queue[RunEvent | BaseException | None], workers: int) -> Iterator[RunEvent]:
    left = workers
    while left:
        word = said.get()
        if word is None:
            left -= 1
        elif isinstance(word, BaseException):
            raise word
        else:
            yield word
