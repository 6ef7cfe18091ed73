"""Plays the groups of a plan, in turn or in several threads, and deletes what they created.

Each worker has a driver and `CreatedResources` of its own. However a run ends, its workers end too, and clean up.
Must not know what is decided of what they saw.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from harness.engine.audit import Audit
from harness.engine.causes import stopped_at
from harness.engine.cleanup import CreatedResources
from harness.engine.conductor import Judged
from harness.engine.events import (
    Deleting,
    ExerciseFinished,
    ExerciseStarted,
    ExerciseTimes,
    RunEvent,
)
from harness.engine.execute import PlayedExercise, play
from harness.engine.plan import Group, PlannedCheck
from harness.engine.sessions import session_of
from harness.engine.targets import ServerTarget
from harness.engine.traffic.deadline import INTERRUPTED, Timer, TimeUp, describe_end, take_until_done
from harness.engine.traffic.outages import Death, Outages, find_deaths
from harness.engine.traffic.perform import ActionRunner, GivenIds
from harness.kit.api import SCRIPTABLE, CountsEnds, JudgesRun
from harness.kit.check import Check, Exercise
from harness.outcome import Observation, Outcome
from harness.wire import Driver, Exchange, Send

if TYPE_CHECKING:
    from harness.engine.probe import Probing


JOIN_SECONDS = 2.0
"""Seconds to wait for threads that were told to end; after that, their connections are shut down."""

Observed: TypeAlias = tuple[Check, Observation]
"""A check, and what it observed."""


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
    halted: str = ""
    leftovers: list[str] = field(default_factory=list)
    stops: dict[str, Exchange] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _ledgers: list[CreatedResources] = field(default_factory=list)
    _drivers: list[Driver] = field(default_factory=list)
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

        Groups that have to be alone are first, then the others in parallel, then those that may stop the target:
        requests with broken bytes or addresses crash some servers, and alone, the last one sent is the cause.
        """
        if min(jobs, len(groups)) == 1:
            yield from self._work(iter(groups))
            return
        apart: list[Group] = []
        others: list[Group] = []
        last: list[Group] = []
        for group in groups:
            odd = group[0].odd and not self.sessions
            (apart if group[0].alone else last if odd else others).append(group)
        for turn, most in ((apart, 1), (others, jobs), (last, 1)):
            workers = min(most, len(turn))
            if turn and not self._stop.is_set():
                yield from self._work(iter(turn)) if workers == 1 else self._play_in_parallel(turn, workers)

    def stop(self) -> None:
        """Begin no further group."""
        self._stop.set()

    def halt(self, why: str) -> None:
        """End the run before it is through; only the first reason counts."""
        self.halted = self.halted or why
        self._stop.set()
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

        def worker() -> None:
            try:
                for event in self._work(waiting):
                    outbox.put(event)
            except BaseException as raised:
                outbox.put(raised)
            finally:
                outbox.put(None)

        threads = [threading.Thread(target=worker, daemon=True) for _ in range(workers)]
        through = False
        try:
            for thread in threads:
                thread.start()
            # A run that ends early does not wait for hanging requests.
            events: Iterator[RunEvent | Judged] = take_until_done(
                outbox, workers, lambda: JOIN_SECONDS if self.halted else None
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

    def _work(self, groups: Iterator[Group]) -> Generator[RunEvent | Judged, None, None]:
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
                        yield from self._play_group(group, driver, ledger, given, judge)
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
        try:
            self.leftovers.extend(ledger.clean(driver))
            self.audit.note_denials(ledger.read_cleanup(self.target.target.contract), judge)
        except TimeUp:
            self.leftovers.extend(ledger.owed)

    def _play_group(
        self, group: Group, driver: Driver, ledger: CreatedResources, given: GivenIds, judge: JudgesRun
    ) -> Iterator[RunEvent | Judged]:
        """Play an exercise, look once more at what it left, and judge it."""
        exercise, members = group
        yield ExerciseStarted(exercise.name, tuple(planned.check.id for planned in members))
        target = self.target
        since = 0 if self.outages is None else self.outages.seen
        played = play(
            target.api, exercise, target.target, driver, ledger, lambda: bool(self.halted), self.outages, given
        )
        if played.outage:
            given.forget()
        whole = self._look_again(exercise, played, driver, ledger, since)
        yield ExerciseFinished(exercise.name, ExerciseTimes.of(whole.trail, whole.seconds))
        observations = [(planned.check, played.observe(planned.check)) for planned in members]
        self._note(whole, observations, judge)
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

    def _look_again(
        self, exercise: Exercise, played: PlayedExercise, driver: Driver, ledger: CreatedResources, since: int
    ) -> PlayedExercise:
        """The exercise, with a closing look at what it left: a state seen once is compared, too.

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
            for look in ledger.list_closing_looks(played.trail):
                hand.perform(Send(look))
            if self.outages is not None and self.outages.describe(since, hand.trail, driver):
                return played
        seconds = played.seconds + time.perf_counter() - begun
        return msgspec.structs.replace(played, trail=(*played.trail, *hand.trail), seconds=seconds)

    def _judge(
        self, planned: PlannedCheck, observation: Observation, played: PlayedExercise, seconds: float
    ) -> Judged:
        """The observation, excused if the target does not offer the feature, and with its root as its cause."""
        # A target with the control API announces its capabilities.
        promised = SCRIPTABLE in self.target.target.capabilities
        if not promised and not planned.declared:
            observation = played.excuse_what_is_not_offered(observation)
        return Judged(planned, played.blame_roots(planned.check, observation), played, seconds)


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
