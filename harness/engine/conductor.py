"""Plays the groups of a plan, has them judged, and accounts for every check, however the run ends.

Layer 4. What may be blocked by the finding of another check is decided only when that one is; what applies to
every answer only at the end. Must not know how the target was found, nor how anything is printed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from harness.engine.audit import Audit, is_settled
from harness.engine.causes import find_roots, link, resolve, stopped_at
from harness.engine.cleanup import CreatedResources
from harness.engine.decide import Policy, decide
from harness.engine.events import CheckFinished, ExerciseStarted, RunEvent
from harness.engine.execute import PlayedExercise, play
from harness.engine.plan import Group, PlannedCheck, RunPlan
from harness.engine.results import Result
from harness.engine.sessions import session_of
from harness.engine.sharding.shards import ELSEWHERE, ShardPart
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.kit.api import SCRIPTABLE
from harness.outcome import Because, Observation, Outcome, Verdict
from harness.wire import Driver, Exchange

INTERRUPTED = "it was interrupted"
FAILED_FAST = "the run stopped at the first failure"

_GRACE = 5.0
"""Seconds to delete what was created, once the time of the run is up."""

_JOIN = 2.0
"""Seconds to wait for workers whose requests nobody can end."""

_NEEDS_EVIDENCE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})
_STOPS = frozenset({Verdict.FAIL, Verdict.ERROR})


@dataclass(frozen=True, slots=True)
class Judged:
    """One check that was judged; `audited`: the answers of other exercises decided it."""

    planned: PlannedCheck
    observation: Observation
    played: PlayedExercise | None = None
    audited: bool = False


@dataclass(slots=True)
class Conductor:
    """One run of a plan. `halted` says why it ended before it was through, `""` while it has not."""

    target: ResolvedTarget
    policy: Policy
    plan: RunPlan
    timer: Timer
    fail_fast: bool = False
    sessions: bool = False
    halted: str = ""
    leftovers: list[str] = field(default_factory=list)
    _said: dict[str, Observation] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)
    _held: list[Judged] = field(default_factory=list)
    _audit: Audit = field(init=False)
    _stops: dict[str, Exchange] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _ledgers: list[CreatedResources] = field(default_factory=list)
    _drivers: list[Driver] = field(default_factory=list)
    _roots: Mapping[str, tuple[str, ...]] = field(init=False)
    _blocking: frozenset[str] = field(init=False)
    _sharers: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._roots = self.plan.roots
        self._blocking = self.plan.blocking
        self._sharers = {exercise.name: len(members) for exercise, members in self.plan.groups}
        running = (planned.check for planned in self.plan.whole or self.plan.checks if planned.skip is None)
        self._audit = Audit.of(running, self.target.api)

    def halt(self, why: str) -> None:
        """End the run before it is through; only the first reason counts."""
        self.halted = self.halted or why
        self._stop.set()
        self.timer.end()

    def play(
        self, jobs: int = 1, choose: Callable[[Sequence[str]], str] | None = None
    ) -> Generator[RunEvent, None, None]:
        """Play everything, and decide what can be decided on the way."""
        for planned in self.plan.checks:
            heard = planned.skip is ELSEWHERE and planned.check.everywhere
            if planned.skip is not None and planned.skip.outcome is not Outcome.BLOCKED and not heard:
                yield self._finish(Judged(planned, planned.skip))
        groups = self.plan.groups
        workers = min(jobs, len(groups))
        events = self._parallel(groups, workers) if workers > 1 else self._work(_choose_order(groups, choose))
        with closing(events):
            for event in events:
                yield from self._decide(event) if isinstance(event, Judged) else (event,)

    def conclude(self) -> Iterator[RunEvent]:
        """Decide what had to wait for the end, and account for what was not reached."""
        held, self._held = self._held, []
        for judged in held:
            if judged.planned.check.everywhere:
                said = self._audit.observe(judged.planned.check, judged.observation)
                audited = said is not judged.observation
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
                yield self._finish(Judged(planned, self._not_run()))

    def link_results(self) -> tuple[Result, ...]:
        """All results in the order of the catalogue, linked."""
        return link(
            [self._results[planned.check.id] for planned in self.plan.checks], self._stops, self.target.api
        )

    def describe_part(self, part: ShardPart) -> ShardPart:
        """The same part with what this run saw."""
        rules = sorted(self._audit.rules)
        return replace(
            part,
            ran=tuple(planned.check.id for planned in self.plan.checks if planned.skip is None),
            observations={name: said for name, said in self._said.items() if said is not ELSEWHERE},
            sightings={rule: tuple(seen) for rule in rules if (seen := self._audit.list_sightings(rule))},
            stops=dict(self._stops),
        )

    def _judge_for_others(self) -> Iterator[RunEvent]:
        """The checks of other shards that apply to every answer: what an answer here breaks is said here, too."""
        for planned in self.plan.checks:
            if planned.skip is ELSEWHERE and planned.check.everywhere:
                self._said[planned.check.id] = ELSEWHERE
                said = self._audit.observe(planned.check, Observation(Outcome.MET))
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
        said = resolve(judged.observation, roots)
        return (
            Judged(judged.planned, said) if said.outcome is Outcome.BLOCKED else replace(judged, observation=said)
        )

    def _roots_of(self, judged: Judged) -> tuple[str, ...]:
        check = judged.planned.check
        return find_roots(check, judged.observation, self._roots.get(check.id, ()))

    def _finish(self, judged: Judged) -> CheckFinished:
        self._said.setdefault(judged.planned.check.id, judged.observation)
        result = self._result(judged)
        self._results[result.id] = result
        if self.fail_fast and result.verdict in _STOPS:
            self._stop.set()
        return CheckFinished(result)

    def _not_run(self) -> Observation:
        if not self.halted:
            return Observation(Outcome.NOT_RUN, reason=FAILED_FAST, because=Because.LEFT_OUT)
        reason = f"the run ended before: {self.halted}"
        return Observation(Outcome.NOT_RUN, reason=reason, because=Because.OUR_LIMIT, instead="not run")

    def _parallel(self, groups: list[Group], workers: int) -> Generator[RunEvent | Judged, None, None]:
        waiting = _Shared(groups)
        said: queue.Queue[RunEvent | Judged | BaseException | None] = queue.Queue()

        def worker() -> None:
            try:
                for event in self._work(waiting):
                    said.put(event)
            except BaseException as raised:
                said.put(raised)
            finally:
                said.put(None)

        threads = [threading.Thread(target=worker, daemon=True) for _ in range(workers)]
        try:
            for thread in threads:
                thread.start()
            yield from self._until_done(said, workers)
        except KeyboardInterrupt:
            self.halt(INTERRUPTED)
        finally:
            self._stop.set()
            # One that an interrupt kept from starting would find the run stopped.
            started = [thread for thread in threads if thread.ident is not None]
            if not _join(started, _JOIN if self.halted else None):
                for driver in self._drivers:  # what they wait for may be a stream that never ends
                    driver.interrupt()
                if not _join(started, _JOIN):
                    self.clean(*self._ledgers)  # they are still connecting, and nobody waits for them

    def clean(self, *ledgers: CreatedResources) -> None:
        """Delete what nobody else will delete."""
        with closing(self.target.connect()) as driver:
            for ledger in ledgers:
                self._clean(ledger, driver)

    def _until_done(
        self, said: queue.Queue[RunEvent | Judged | BaseException | None], workers: int
    ) -> Iterator[RunEvent | Judged]:
        """What the workers say, until all are done; a run that ends early does not wait for hanging requests."""
        left = workers
        while left:
            try:
                word = said.get(timeout=_JOIN if self.halted else None)
            except queue.Empty:
                return
            if word is None:
                left -= 1
            elif isinstance(word, BaseException):
                raise word
            else:
                yield word

    def _work(self, groups: Iterator[Group]) -> Generator[RunEvent | Judged, None, None]:
        """Do one worker's part; the end of the run's time is no fault."""
        try:
            yield from self._work_through(groups)
        except TimeUp as up:
            self.halt(format_time_up(up))
        except KeyboardInterrupt:
            self.halt(INTERRUPTED)

    def _work_through(self, groups: Iterator[Group]) -> Generator[RunEvent | Judged, None, None]:
        """Play group after group with a driver and a ledger of its own."""
        ledger = CreatedResources(self.target.api)
        self._ledgers.append(ledger)
        with session_of(self.target) if self.sessions else closing(self.target.connect()) as driver:
            self._drivers.append(driver)
            try:
                for group in groups:
                    if self._stop.is_set():
                        break
                    yield from self._group(group, driver, ledger)
            except (TimeUp, KeyboardInterrupt) as end:
                self.halt(format_time_up(end) if isinstance(end, TimeUp) else INTERRUPTED)
            finally:
                if not self.target.throwaway:
                    self._clean(ledger, driver)

    def _clean(self, ledger: CreatedResources, driver: Driver) -> None:
        if self.halted:
            self.timer.end(_GRACE)
        try:
            self.leftovers.extend(ledger.clean(driver))
        except TimeUp:
            self.leftovers.extend(ledger.owed)

    def _group(self, group: Group, driver: Driver, ledger: CreatedResources) -> Iterator[RunEvent | Judged]:
        exercise, members = group
        yield ExerciseStarted(exercise.name, tuple(planned.check.id for planned in members))
        target = self.target
        played = play(target.api, exercise, target.target, driver, ledger, lambda: bool(self.halted))
        self._audit.note(exercise, played)
        promised = (
            SCRIPTABLE in self.target.target.capabilities
        )  # whoever has the control API announces what it does
        for planned in members:
            observation = played.observe(planned.check)
            if not promised and not planned.declared:
                observation = played.excuse_what_is_not_offered(observation)
            observation = played.blame_roots(planned.check, observation)
            if observation.outcome is Outcome.UNTESTABLE and (stop := stopped_at(played.trail)) is not None:
                self._stops[planned.check.id] = stop
            yield Judged(planned, observation, played)

    def _result(self, judged: Judged) -> Result:
        """Turn an observation into a result."""
        check, played = judged.planned.check, judged.played

        def show(verdict: Verdict) -> tuple[Exchange, ...]:
            if verdict not in _NEEDS_EVIDENCE:
                return ()
            if judged.audited:
                return self._audit.evidence(check)
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
            return replace(result, named=self._audit.names_of(result.evidence))
        return replace(result, named=played.names_of(result.evidence))


def format_time_up(up: TimeUp) -> str:
    """Why the run ended: its time, and what it was waiting for."""
    return f"its time was up (--deadline){f'; {up}' if str(up) else ''}"


def _join(threads: Sequence[threading.Thread], seconds: float | None) -> bool:
    """Wait for threads, together at most `seconds`; whether all have ended."""
    until = None if seconds is None else time.monotonic() + seconds
    for thread in threads:
        thread.join(None if until is None else max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


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
