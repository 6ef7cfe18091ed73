"""One run: probe, plan, run each exercise once, judge, decide, and emit everything as events.

Knows the order of things; must not know how anything is printed. A run that is interrupted (Ctrl-C) or out of time
stops at once, deletes what it created, and still accounts for every check.

`Workers` play the groups of a plan, in turn or in several threads. Each worker has a driver and `CreatedResources`
of its own, on a target with the control API also a session of its own, so that exercises at the same time share no
scripts. However a run ends, its workers end too, and clean up. They do not know what is decided of what they saw.

`Conductor` decides the checks of a plan as they are judged, and sends nothing. What may be blocked by the finding
of another check is decided only when that one is; what applies to every answer only at the end.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct, structs
from msgspec.structs import replace

from harness.engine.audit import Audit, is_settled
from harness.engine.decide import Baseline, Policy, decide, exit_of
from harness.engine.events import (
    Capability,
    CheckFinished,
    Deleting,
    Evidence,
    ExerciseFinished,
    ExerciseStarted,
    ExerciseTimes,
    Planned,
    Probed,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
    TimeoutLosses,
    everything,
)
from harness.engine.execute import PlayedExercise, find_blockers, link, play, resolve, stopped_at
from harness.engine.plan import Group, PlannedCheck, RunPlan, make_plan, needed_capabilities
from harness.engine.probe import Prober, Probing
from harness.engine.selection import Selection
from harness.engine.targets import ResolvedTarget, ServerTarget
from harness.engine.traffic.deadline import INTERRUPTED, Deadline, Timer, TimeUp, describe_end, take_until_done
from harness.engine.traffic.ledger import CreatedResources, GivenIds
from harness.engine.traffic.outages import Death, Outages, Retries, find_deaths
from harness.engine.traffic.perform import ActionRunner
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.kit.api import SCRIPTABLE, CountsEnds, JudgesRun
from harness.kit.check import Check, Exercise, Wait
from harness.outcome import RANK, Because, Exit, Observation, Outcome, TargetFault, Verdict
from harness.outcome.words import describe_body, format_count
from harness.wire import Collect, Driver, DriverAction, Exchange, Together
from harness.wire.addresses import split_url
from harness.wire.bodies import object_or_none
from harness.wire.message import UNREACHED


@contextmanager
def session_of(target: ResolvedTarget) -> Iterator[Driver]:
    """A driver to a fresh session of the target; the session is deleted afterwards.

    Raises TargetFault if the target announced a control API and gives no session.
    """
    with closing(target.connect()) as owner:
        exchange = owner.send(target.target.control("POST", "sessions", {}))
        prefix = (object_or_none(exchange.body) or {}).get("base_url_path")
        if not isinstance(prefix, str) or not prefix.startswith("/"):
            raise TargetFault(
                f"the target has a control API but created no session (status {exchange.status}): use -j 1"
            )
        prefix = prefix.rstrip("/")
        try:
            with closing(target.connect(session=prefix)) as driver:
                yield driver
        finally:
            owner.send(target.target.control("DELETE", f"sessions/{prefix.rpartition('/')[2]}"))


JOBS_WITH_SESSIONS = 8
"""Workers on a target that gives each a session: more hardly shorten a run, as one exercise takes two seconds."""

JOBS = 4
"""Workers on any other server, which share what it has: its model, its limits, its memory."""

_PATIENCE = 5.0
"""Seconds within which a server answers beside an idle connection, unless it serves one connection at a time."""


def count_jobs(target: ResolvedTarget, *, scriptable: bool) -> tuple[int, str]:
    """Return the number of workers if the user sets none, and a note for the reader, `""` without one.

    One for the live service, because of its limits, for what takes no real time, for a scripted target, whose
    scripts are for the requests of this run, and for a server that serves one connection at a time: exercises
    beside each other would report delays that they cause.
    """
    parts = split_url(target.info.url)
    if target.throwaway or not parts.hostname or target.api.is_live_host(parts.hostname):
        return 1, ""
    if scriptable:
        return (JOBS_WITH_SESSIONS if _gives_sessions(target) else 1), ""
    address = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection(address, _PATIENCE), closing(target.connect()) as driver:
            beside = driver.send(target.target.control("GET", ""), timeout=_PATIENCE)
    except OSError:  # only a proxy reaches it
        return 1, ""
    if beside.status is not None:
        return JOBS, ""
    return 1, (
        "the target serves one connection at a time (no response beside an idle connection), so one exercise runs "
        "at a time, and requests that it sends at once wait for each other"
    )


def _gives_sessions(target: ResolvedTarget) -> bool:
    """Whether each worker can have a session, which has no script or fault plan that the target has."""
    with closing(target.connect()) as driver:
        for path, name in (("scripts", "queued"), ("faults", "plan")):
            exchange = driver.send(target.target.control("GET", path))
            about = object_or_none(exchange.body)
            if exchange.status != 404 and (about is None or about.get(name)):
                return False
    try:
        with session_of(target):
            return True
    except TargetFault:
        return False


FAILED_FAST = "the run stopped at the first failure"

_NEEDS_EVIDENCE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})
_STOPS = frozenset({Verdict.FAIL, Verdict.ERROR})


class Judged(Struct, frozen=True):
    """One check that was judged, and its share of the time; `audited`: answers of other exercises decided it."""

    planned: PlannedCheck
    observation: Observation
    played: PlayedExercise | None = None
    seconds: float = 0.0
    audited: bool = False


@dataclass(slots=True)
class Conductor:
    """The decisions of one run of a plan, fed in the order of its methods; each failure calls `on_failure`.

    `observations` are those of each check before other checks were considered, by id.
    """

    plan: RunPlan
    policy: Policy
    audit: Audit
    on_failure: Callable[[], object] = lambda: None
    observations: dict[str, Observation] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)
    _held: list[Judged] = field(default_factory=list)
    _blockers: Mapping[str, tuple[str, ...]] = field(init=False)
    _resting: dict[str, list[tuple[str, str]]] = field(init=False)
    """By blocker: the checks that rest on it, each with the rule or the code that it rests on.

    Only those at least as binding: a warning does not keep a broken MUST rule from being reported.
    """

    def __post_init__(self) -> None:
        self._blockers = self.plan.blockers
        self._resting = defaultdict(list)
        levels = {planned.check.id: RANK[planned.check.rule.level] for planned in self.plan.checks}
        for planned in self.plan.checks:
            for name in planned.check.rests_on:
                blocker = name.partition("/")[0]
                if levels[planned.check.id] >= levels.get(blocker, 0):
                    self._resting[blocker].append((planned.check.id, name))

    def begin(self) -> Iterator[CheckFinished]:
        """Decide what does not run, unless another check or another answer may have to do with it."""
        for planned in self.plan.checks:
            if planned.check.id in self.audit.denied or planned.skip is None:
                continue
            if planned.skip.outcome is not Outcome.BLOCKED:
                yield self._finish(Judged(planned, planned.skip))

    def decide(self, judged: Judged, *, last: bool = False) -> Iterator[CheckFinished]:
        """Decide a check, or hold it back; then those that waited for it."""
        check = judged.planned.check
        self.observations.setdefault(check.id, judged.observation)
        waits = check.everywhere and not is_settled(judged.observation) and not last
        if waits or not self._is_ready(judged):
            self._held.append(judged)
            return
        yield self._finish(self._resolve(judged))
        # Those of `everywhere` wait for the end of the run, the others for other checks.
        waited = [one for one in self._held if not one.planned.check.everywhere and self._is_ready(one)]
        if waited:
            free = set(map(id, waited))
            self._held = [one for one in self._held if id(one) not in free]
        for one in waited:
            yield self._finish(self._resolve(one))

    def conclude(self, halted: str = "") -> Iterator[CheckFinished]:
        """Decide the checks that waited for the end, and account for those not reached; `halted` is the reason."""
        held, self._held = self._held, []
        for judged in held:  # in this order: a check is decided with those that were held before it, and no others
            if judged.planned.check.everywhere:
                yield from self.decide(self._add_other_answers(judged), last=True)
            else:
                self._held.append(judged)
        skipped = (Judged(planned, planned.skip) for planned in self.plan.checks if planned.skip is not None)
        blocked = [judged for judged in skipped if judged.observation.outcome is Outcome.BLOCKED]
        yield from self._release([*self._held, *blocked])
        for planned in self.plan.checks:
            if planned.check.id not in self._results:
                yield self._finish(self._judge_unreached(planned, halted))

    def _release(self, held: Sequence[Judged]) -> Iterator[CheckFinished]:
        """Decide what waits for others; of those that wait for each other, first what no broken one can block."""
        while held:
            broken = {one.planned.check.id for one in held if one.observation.outcome is Outcome.NOT_MET}
            free = [one for one in held if not broken.intersection(self._list_blockers(one))]
            ready = [one for one in held if self._is_ready(one)]
            ready = ready or [one for one in free if one.planned.check.id in broken] or list(held)
            held = [judged for judged in held if judged not in ready]
            for judged in ready:
                self.observations.setdefault(judged.planned.check.id, judged.observation)
                yield self._finish(self._resolve(judged))

    @property
    def results(self) -> list[Result]:
        """All results in the order of the catalog: workers finish in any other, and users diff reports."""
        return [self._results[planned.check.id] for planned in self.plan.checks]

    def _add_other_answers(self, judged: Judged) -> Judged:
        """A check that applies to every answer, with what those of other exercises showed."""
        check = judged.planned.check
        explained = {
            named: name
            for name, named in self._resting.get(check.id, ())
            if (broken := self.observations.get(name)) is not None and broken.outcome is Outcome.NOT_MET
        }
        observation = self.audit.observe(check, judged.observation, explained)
        return structs.replace(judged, observation=observation, audited=observation is not judged.observation)

    def _judge_unreached(self, planned: PlannedCheck, halted: str) -> Judged:
        """A check whose exercise did not run: it reports sightings of other exchanges under its rule.

        If the target denies what it needs, only the sighting that it grants the same elsewhere.
        """
        if planned.check.everywhere and (planned.skip is None or planned.check.id in self.audit.denied):
            observation = self.audit.observe(planned.check, Observation(Outcome.MET))
            if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT):
                return Judged(planned, observation, audited=True)
        if planned.skip is not None:
            return Judged(planned, planned.skip)
        if not halted:
            return Judged(planned, Observation(Outcome.NOT_RUN, reason=FAILED_FAST, because=Because.LEFT_OUT))
        reason = f"the run ended before: {halted}"
        because = Because.INTERRUPTED if halted == INTERRUPTED else Because.OUR_LIMIT
        return Judged(planned, Observation(Outcome.NOT_RUN, reason=reason, because=because, instead="not run"))

    def _is_ready(self, judged: Judged) -> bool:
        """Whether everything is decided that may block the check."""
        return all(name in self._results for name in self._list_blockers(judged))

    def _resolve(self, judged: Judged) -> Judged:
        """The check with what the others found that may block it."""
        blockers = [self._results[name] for name in self._list_blockers(judged) if name in self._results]
        observation = resolve(judged.planned.check, judged.observation, blockers)
        blocked = observation.outcome is Outcome.BLOCKED
        return Judged(judged.planned, observation) if blocked else structs.replace(judged, observation=observation)

    def _list_blockers(self, judged: Judged) -> tuple[str, ...]:
        check = judged.planned.check
        return find_blockers(check, judged.observation, self._blockers.get(check.id, ()))

    def _finish(self, judged: Judged) -> CheckFinished:
        check, source = judged.planned.check, self.audit if judged.audited else judged.played
        self.observations.setdefault(check.id, judged.observation)

        def show(verdict: Verdict) -> tuple[Evidence, ...]:
            is_unmet_option = verdict is Verdict.INFO and judged.observation.outcome is Outcome.NOT_MET
            if not (verdict in _NEEDS_EVIDENCE or is_unmet_option):
                return ()
            if judged.audited:
                return self.audit.evidence(check)
            return () if judged.played is None else judged.played.evidence(check, judged.observation)

        result = decide(
            check.rule,
            judged.observation,
            self.policy,
            result_id=check.id,
            title=check.title,
            declared=judged.planned.declared,
            show=show,
            seconds=judged.seconds,
            accepts=check.accepts,
            profile=check.profile,
        )
        if result.evidence and source is not None:
            result = structs.replace(result, named=source.names_of(result.evidence))
        if result.evidence and judged.audited:
            checks = {running.exercise.name: running.id for running in reversed(self.plan.running)}
            shown_by = {checks.get(name, "*") for name in self.audit.list_exercises(check)}
            result = structs.replace(result, shown_by=tuple(sorted(shown_by)))
        self._results[result.id] = result
        if result.verdict in _STOPS:
            self.on_failure()
        return CheckFinished(result)


JOIN_SECONDS = 2.0
"""Seconds to wait for threads that were told to end; after that, their connections are shut down."""

Observed: TypeAlias = tuple[Check, Observation]


class Places:
    """Lets so many exercises play at a time: first those that come back, then in the order in which they ask."""

    def __init__(self, number: int) -> None:
        self._free, self._asked, self._lock = number, deque[threading.Event](), threading.Lock()

    def take(self, *, back: bool = False) -> None:
        """Wait for a place."""
        self._asked.insert(0 if back else len(self._asked), turn := threading.Event())
        self.give(0)
        turn.wait()

    def give(self, number: int = 1) -> None:
        """Leave places to who is first."""
        with self._lock:
            self._free += number
            while self._free and self._asked:
                self._free -= 1
                self._asked.popleft().set()


class PausingDriver(Driver):
    """The driver of an exercise, which leaves its place to another one while it waits for what goes on anyway."""

    def __init__(self, driver: Driver, places: Places) -> None:
        self._driver, self._places = driver, places

    def close(self) -> None:
        self._driver.close()

    def perform(self, action: DriverAction) -> Any:
        if not (isinstance(action, Collect) or (isinstance(action, Wait | Together) and action.is_idle)):
            return self._driver.perform(action)
        self._places.give()
        try:
            return self._driver.perform(action)
        finally:
            self._places.take(back=True)


@dataclass(slots=True)
class Workers:
    """The workers of one run. `halted` is why it ended early, `""` while it has not.

    `stops` get the exchange at which an exercise stopped, by the check that was not tested because of it. With
    `sessions`, each worker has one of its own at the target.
    """

    target: ServerTarget
    timer: Timer
    audit: Audit
    ends: CountsEnds
    sessions: bool = False
    cleans: bool = True
    outages: Outages | None = None
    retries: Retries | None = None
    halted: str = ""
    leftovers: list[str] = field(default_factory=list)
    stops: dict[str, Exchange] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _places: Places = field(default_factory=lambda: Places(0))
    _at_once: int = 1  # requests of a worker that reads again or deletes; alone, it may use all places
    _ledgers: list[CreatedResources] = field(default_factory=list)
    _drivers: list[Driver] = field(default_factory=list)
    _disturbed: list[Group] | None = field(default_factory=list)
    _given: GivenIds = field(init=False)

    def __post_init__(self) -> None:
        self._given = GivenIds(self.target.api)

    def take_probe(self, found: Probing, ledger: CreatedResources, *, halted: str) -> None:
        """Judge what a probe received like all else; if the run was `halted`, only delete what it made."""
        if halted:
            self.halt(halted)
            self.clean(ledger)
        else:
            api, repeated = self.target.api, found.repeated
            self._note(PlayedExercise(None, None, found.trail, 0.0, api, outage=found.outage, repeated=repeated))

    def play(self, groups: list[Group], jobs: int) -> Generator[RunEvent | Judged, None, None]:
        """Play all groups with up to `jobs` workers; one alone keeps their order.

        First those that have to be alone: one goes on while another waits. Then the others, then those that may
        stop the target: broken bytes or addresses crash some servers, and alone, the last one sent is the cause.
        What an outage kept from being judged runs once more at the end, alone: others may have stopped the target.
        """
        turns: tuple[list[Group], ...] = [], [], []
        for group in groups:
            odd = group[0].odd and not self.sessions
            turns[1 if jobs == 1 else 0 if group[0].alone else 2 if odd else 1].append(group)
        for turn, most in zip(turns, (1, jobs, 0), strict=True):
            one_by_one = jobs == 1 or not most
            if turn and not self._stop.is_set():
                self._at_once = jobs // max(1, most)
                yield from self._work(iter(turn), Places(0)) if one_by_one else self._play_in_parallel(turn, most)
        again, self._disturbed = self._disturbed, None
        if again and not self._stop.is_set():
            yield from self._work(iter(again), Places(0))

    def stop(self) -> None:
        """Begin no further group."""
        self._stop.set()

    def halt(self, why: str) -> None:
        """End the run before it is through; only the first reason counts."""
        self.halted = self.halted or why
        self._stop.set()
        self._places.give(len(self._drivers))  # who waits for a place has something to clean up
        if self.retries is not None:
            self.retries.halt()
        self.timer.end()

    def interrupt(self) -> Deleting:
        """End the run because its user wants that; what is to be deleted now."""
        self.halt(INTERRUPTED)
        return Deleting(sum(len(ledger.owed) for ledger in self._ledgers if ledger.deletes))

    def clean(self, *ledgers: CreatedResources) -> None:
        """Delete the resources that have no other owner."""
        with closing(self.target.connect()) as driver:
            for ledger in ledgers:
                self._clean(ledger, driver)

    def find_deaths(self) -> None:
        """Find out, while no worker is active, whether a request stopped the target."""
        if self.outages is None:
            return
        suspects = [suspect for departure in self.outages.departures for suspect in departure.suspects]
        self.audit.note_departures(suspects, "the target stopped responding during the run (cause unknown)")
        looked_into = [suspect.request for suspect in suspects]
        for first, *again in () if self.halted else self.outages.silences:
            if first.request not in looked_into:
                self.audit.note_death(Death(first, tuple(again), lives=True))
        if self.halted or not suspects:
            return
        ledger = CreatedResources(self.target.api)
        try:
            with closing(self.target.connect()) as driver:
                for death in find_deaths(self.outages, driver, ledger.note):
                    self.audit.note_death(death)
                self._clean(ledger, driver)
        except (TimeUp, KeyboardInterrupt) as end:
            self.halt(describe_end(end))

    def _play_in_parallel(self, groups: list[Group], workers: int) -> Generator[RunEvent | Judged, None, None]:
        waiting = iter(groups)  # an iterator of a list, which several threads may draw from
        outbox: queue.Queue[RunEvent | Judged | BaseException | None] = queue.Queue()
        places = self._places = Places(workers)

        def worker() -> None:
            places.take()
            try:
                for event in self._work(waiting, places):
                    outbox.put(event)
            except BaseException as raised:
                outbox.put(raised)
            finally:
                places.give()
                outbox.put(None)

        number = min(3 * workers, len(groups))  # most of them wait
        threads = [threading.Thread(target=worker, daemon=True) for _ in range(number)]
        through = False
        try:
            for thread in threads:
                thread.start()
            # A run that ends early does not wait for hanging requests.
            events: Iterator[RunEvent | Judged] = take_until_done(
                outbox, number, lambda: JOIN_SECONDS if self.halted else None
            )
            yield from events
            through = True
        except KeyboardInterrupt:
            yield self.interrupt()
        finally:
            if self.halted or not through:
                self._stop.set()
            # One that an interrupt kept from starting would find the run stopped.
            started = [thread for thread in threads if thread.ident is not None]
            if not _end_all(started, self._drivers, JOIN_SECONDS if self.halted else None):
                self.clean(*self._ledgers)  # they are still connecting, and no thread waits for them

    def _work(self, groups: Iterator[Group], places: Places) -> Generator[RunEvent | Judged, None, None]:
        """Play group after group with a driver and a ledger of its own; the end of the run's time is no fault."""
        ledger = CreatedResources(self.target.api, deletes=self.cleans)
        # What each worker has to itself, a session or an emulator, gives the ids of another one again: the
        # reference once failed `trigger.crud`, because two emulators of one run had returned the same id.
        shared = not (self.sessions or self.target.throwaway)
        given = self._given if shared else GivenIds(self.target.api)
        judge = self.audit.run_judge if shared else self.audit.run_judge.for_service()
        self._ledgers.append(ledger)
        try:
            with session_of(self.target) if self.sessions else closing(self.target.connect()) as driver:
                self._drivers.append(driver)
                try:
                    for group in groups:
                        if self._stop.is_set():
                            break
                        yield from self._play_group(group, PausingDriver(driver, places), ledger, given, judge)
                        places.give()
                        places.take()
                except KeyboardInterrupt:
                    yield self.interrupt()
                except TimeUp as end:
                    self.halt(describe_end(end))
                finally:
                    if self.cleans:
                        self._clean(ledger, driver, judge)
        except (TimeUp, KeyboardInterrupt) as end:
            self.halt(describe_end(end))

    def _clean(self, ledger: CreatedResources, driver: Driver, judge: JudgesRun | None = None) -> None:
        if self.halted:
            self.timer.end(5.0)  # seconds to delete what was created
        outages = None if self.halted else self.outages
        hand = ActionRunner(self.target.api, driver, ledger, self.target.target.contract, outages=outages)
        try:
            self.leftovers.extend(ledger.clean(hand.send, lambda _, runs: hand.send_all(runs, self._at_once)))
            self.audit.note_denials(ledger.sent, judge)
        except TimeUp:
            self.leftovers.extend(ledger.owed)

    def _play_group(
        self, group: Group, driver: Driver, ledger: CreatedResources, given: GivenIds, judge: JudgesRun
    ) -> Iterator[RunEvent | Judged]:
        """Play an exercise, read once more what it left, and judge it."""
        exercise, members = group
        yield ExerciseStarted(exercise.name, tuple(planned.check.id for planned in members))
        target = self.target
        since = 0 if self.outages is None else self.outages.seen
        played = play(
            target.api, exercise, target.target, driver, ledger, lambda: bool(self.halted), self.outages, given
        )
        if played.outage:
            given.forget()
        whole = self._read_again(exercise, played, driver, ledger, since)
        observations = [(planned.check, played.observe(planned.check)) for planned in members]
        self._note(whole, observations, judge)
        if played.outage and self._disturbed is not None:
            self._disturbed.append(group)
            return
        yield ExerciseFinished(exercise.name, ExerciseTimes.of(whole.trail, whole.seconds))
        stop = None if played.outage else stopped_at(played.trail)
        for planned, (_, observation) in zip(members, observations, strict=True):
            judged = self._judge(planned, observation, played, played.seconds / len(members))
            if stop is not None and judged.observation.outcome is Outcome.UNTESTABLE:
                self.stops[planned.check.id] = stop
            yield judged

    def _note(
        self, played: PlayedExercise, observed: Sequence[Observed] = (), judge: JudgesRun | None = None
    ) -> None:
        self.audit.note(played, self.target.target.contract, observed, judge)
        for exchange in played.trail:
            self.ends.note(exchange)

    def _read_again(
        self, exercise: Exercise, played: PlayedExercise, driver: Driver, ledger: CreatedResources, since: int
    ) -> PlayedExercise:
        """The exercise, with a closing read of what it left: a state seen once is compared, too.

        Most defects of an answer show when its run is read again: another status, text, cost or instant.
        What the end of the run's time cuts off is compared with nothing; the next request raises TimeUp again.
        After an outage nothing is compared, as the target may have lost what it had. `since` is `Outages.seen` as
        it was before the exercise.
        """
        if exercise.front_end or played.outage or self._stop.is_set() or not self.target.target.keeps:
            return played
        api, begun, contract = self.target.api, time.perf_counter(), self.target.target.contract
        hand = ActionRunner(
            api, driver, ledger, contract, is_halted=lambda: bool(self.halted), outages=self.outages
        )
        with suppress(TimeUp):
            deque(hand.send_all(ledger.list_closing_reads(played.trail), self._at_once), 0)
            if self.outages is not None and self.outages.describe(since, hand.trail, driver):
                return played
        seconds = played.seconds + time.perf_counter() - begun
        return msgspec.structs.replace(played, trail=(*played.trail, *hand.trail), seconds=seconds)

    def _judge(
        self, planned: PlannedCheck, observation: Observation, played: PlayedExercise, seconds: float
    ) -> Judged:
        """The observation, excused if the target does not offer the feature, and with the cause that shows."""
        # A target with the control API announces its capabilities.
        promised = SCRIPTABLE in self.target.target.capabilities or planned.declared
        # A gateway that lost each resume for a minute once failed what a server behind it got right.
        observation = played.excuse_statuses(observation, UNREACHED if promised else UNREACHED | {501})
        return Judged(planned, played.name_cause(planned.check, observation), played, seconds)


def _end_all(threads: Sequence[threading.Thread], drivers: Sequence[Driver], seconds: float | None) -> bool:
    """Wait for threads; if they last longer than `seconds`, shut down what they use. Whether all have ended.

    They are daemons: no request that hangs keeps the process alive.
    """
    for wait in (seconds, JOIN_SECONDS):
        until = None if wait is None else time.monotonic() + wait
        for thread in threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        if not any(thread.is_alive() for thread in threads):
            return True
        for driver in drivers:  # what they wait for may be a stream that never ends
            driver.interrupt()
    return False


class RunOptions(Struct, frozen=True, kw_only=True):
    """How to run what is selected; `jobs` exercises run at the same time, each worker with its own driver.

    If `jobs` is None, `count_jobs` counts them. With one job, they run in the order of the catalog.
    `deadline` is the limit for the whole run in seconds, None for no limit. Only if it `cleans` does a run delete
    what it created at a target that is thrown away after it.
    """

    selection: Selection = msgspec.field(default_factory=Selection)
    stated: tuple[Capability, ...] = ()
    baseline: Baseline = msgspec.field(default_factory=Baseline)
    strict: bool = False
    fail_fast: bool = False
    jobs: int | None = None
    deadline: float | None = None
    traffic: TrafficPolicy = msgspec.field(default_factory=TrafficPolicy)
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
    outages: Outages | None = None

    @classmethod
    def of(cls, target: ServerTarget, options: RunOptions) -> _Governed:
        retries = Retries(options.traffic.max_wait, options.traffic.report_wait)
        if target.throwaway:
            return cls(target.with_drivers(options.traffic.wrapper(retries)), Timer(None), retries)
        timer, outages = Timer(options.deadline), Outages()
        wrapper = options.traffic.wrapper(retries, Deadline(timer, target.target.wait), outages)
        return cls(target.with_drivers(wrapper), timer, retries, outages)


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
    skipped = [(one.check, one.skip) for one in plan.checks if one.check.everywhere and one.skip is not None]
    audit.denied = frozenset(check.id for check, skip in skipped if skip.because is Because.REFUSED)
    # Only the exercise of such a rule needs a script: another response may break it, too.
    audit.rules |= {check.id for check, _ in skipped if SCRIPTABLE in check.requires} & audit.denied
    sessions = jobs > 1 and is_scriptable and not target.throwaway
    workers = Workers(
        governed.target.able(found.capabilities, found.says),
        governed.timer,
        audit,
        target.api.new_end_counter(),
        sessions=sessions,
        cleans=options.cleans or not (target.throwaway or sessions),  # else all goes with the session
        outages=governed.outages,
        retries=governed.retries,
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
    results: tuple[Result, ...], workers: Workers, governed: _Governed, failed: Iterable[str], begin: float
) -> RunFinished:
    """The end of a run; `failed` is how most of what the target ran ended, if that leaves a hole."""
    gone = None if governed.outages is None else governed.outages.gone  # for good
    holes = (*(() if governed.outages is None else governed.outages.describe_rejections()), *failed)
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
        TimeoutLosses() if governed.outages is None else governed.outages.timeouts.losses,
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
