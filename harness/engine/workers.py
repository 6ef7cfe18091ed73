"""Plays the groups of a plan, in turn or in several threads and sessions, and deletes what they created.

Layer 4. Each worker has a driver and a ledger of its own. However a run ends, its workers end too, and clean up.
Must not know what is decided of what they saw.
"""

from __future__ import annotations

import json
import math
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from harness.engine.audit import Audit
from harness.engine.causes import stopped_at
from harness.engine.cleanup import TOGETHER, CreatedResources
from harness.engine.closing_looks import ClosingLooks
from harness.engine.conductor import Judged
from harness.engine.events import ExerciseFinished, ExerciseStarted, ExerciseTimes, RunEvent
from harness.engine.execute import PlayedExercise, play
from harness.engine.plan import Group, PlannedCheck
from harness.engine.targets import ResolvedTarget
from harness.engine.threads import JOIN_SECONDS, Shared, end_all
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.engine.traffic.outages import Outages, find_deaths, find_silent_deaths
from harness.engine.traffic.perform import ActionRunner, GivenIds, RepeatedId
from harness.engine.traffic.retries import LATER
from harness.kit.actions import Send, Together
from harness.kit.api import SCRIPTABLE, CountsEnds
from harness.kit.check import Check, Exercise
from harness.outcome import Observation, Outcome, TargetFault
from harness.wire import Driver, Exchange
from harness.wire.addresses import split_url
from harness.wire.delivery import is_delivery
from harness.wire.json_value import object_or_none

# Isolated sessions of a scriptable target, so that exercises that run at the same time share no scripts.
# Knows `POST` and `DELETE /__harness__/sessions`, and nothing else of the control API.


@contextmanager
def session_of(target: ResolvedTarget) -> Iterator[Driver]:
    """A driver to a fresh session of the target; the session is deleted afterwards.

    Raises TargetFault if the target announced a control API and gives no session.
    """
    owner = target.connect()
    try:
        prefix = _open(target, owner)
        driver = target.connect(session=prefix)
        try:
            yield driver
        finally:
            driver.close()
            owner.send(target.target.control("DELETE", f"sessions/{prefix.rpartition('/')[2]}"))
    finally:
        owner.close()


def _open(target: ResolvedTarget, owner: Driver) -> str:
    exchange = owner.send(target.target.control("POST", "sessions", {}))
    try:
        prefix = json.loads(exchange.body)["base_url_path"]
    except (ValueError, KeyError, TypeError):
        prefix = None
    if not isinstance(prefix, str) or not prefix.startswith("/"):
        raise TargetFault(
            f"the target has a control API but created no session (status {exchange.status}): use -j 1"
        )
    return prefix.rstrip("/")


_JOBS = 8
"""Workers on a target with sessions: more hardly shorten a run, whose longest exercise waits for two seconds."""

_SHARED_JOBS = 4
"""Workers on a target without sessions, which share what it has: its model, its limits, its memory."""

_DISTANT_JOBS = range(16, 49)
"""Workers on one whose creates take long and do not delay each other: what they do is mostly to wait."""

_RATE = 250.0
"""Requests a second that they may send all together."""

_BESIDE_EACH_OTHER = 4
"""Creates that are sent at once to find that out."""

_TRIES = 2
"""How often they are sent if they took longer than one alone, and not as long as one after the other."""

_WAITING_JOBS = 16
"""Most workers on a target that answers fast, as long as nothing happens."""

_SILENCE = 0.5
"""Seconds without an event after which all workers wait for what the target does by itself."""

QUICK = 0.1
"""Seconds that one request may delay another one without changing what a check observes."""

_PATIENCE = 2.0
"""Seconds within which a server that serves several connections answers beside an idle one; more if it is slow."""

_SLOWER = 3
"""How many times as long as the slowest answer so far such an answer may take."""

_BESIDE = 1.5
"""How many times as long a create may take beside another one, if they do not wait for each other."""


def count_jobs(
    target: ResolvedTarget,
    governed: ResolvedTarget,
    ledger: CreatedResources,
    trail: Sequence[Exchange] = (),
    *,
    scriptable: bool = False,
    paced: bool = False,
) -> tuple[int, list[Exchange]]:
    """Return the number of workers if the user sets none, and the exchanges to find out; `trail`: the probe's.

    What the requests create, the `ledger` notes; its owner deletes it.
    A target that is not `scriptable` is probed outside the limits of the run: a request without a response beside
    another one is no loss. If the user set a rate (`paced`), it is not probed, as that would exceed it.
    """
    if scriptable:
        return _ask_for_a_session(governed), []
    return (1, []) if paced else _ask_side_by_side(target, ledger, trail)


def _ask_side_by_side(
    target: ResolvedTarget, ledger: CreatedResources, trail: Sequence[Exchange]
) -> tuple[int, list[Exchange]]:
    """The workers for a target without sessions, and what was received to find out.

    Several, if the target serves connections side by side: beside one that sends nothing and, where a create takes
    long, beside that create. A server that serves one at a time would let the exercises wait for each other, and
    checks would report delays that this run caused. The live service gets one worker because of its rate limits,
    and so does a target that only a proxy reaches.
    """
    address = _find_address(target)
    create = find_whole_create(trail)
    if create is None or address is None:
        return 1, []
    look = _build_look(target, trail)
    with closing(target.connect()) as driver:
        beside = ActionRunner(target.api, driver, CreatedResources(target.api), target.target.contract)
        if not _serves_side_by_side(target, address, beside, look):
            return 1, beside.trail
        if create.seconds <= QUICK:
            return _SHARED_JOBS, beside.trail
        jobs, received = 1, [*beside.trail]
        for _ in range(_TRIES):
            looked = len(beside.trail)
            slow = _look_beside_creates(target, ledger, create, beside, look)
            received += [*slow, *beside.trail[looked:]]
            looks = [beside.trail[0], *beside.trail[looked:]]
            if are_apart(create, slow):
                return _count_distant(create), received
            if _came_at_once(looks, max(create.seconds / 4, QUICK)):
                jobs = _SHARED_JOBS
            if do_wait(create, slow):
                break
    return jobs, received


def find_whole_create(trail: Sequence[Exchange]) -> Exchange | None:
    """The first create that a target accepted, if its response ended: how long it takes is not known before."""
    return next((one for one in trail if one.request.method == "POST" and one.succeeded and one.complete), None)


def are_apart(create: Exchange, others: Sequence[Exchange]) -> bool:
    """Whether creates that were under way at once took about as long as one alone."""
    most = max(_BESIDE * create.seconds, create.seconds + QUICK)
    return all(one.status is not None and one.seconds < most for one in others)


def do_wait(create: Exchange, others: Sequence[Exchange]) -> bool:
    """Whether one of them took so long that it waited for the others; less may be a moment of a busy machine."""
    longest = max(one.seconds if one.status is not None else math.inf for one in others)
    return longest > (len(others) - 1) * create.seconds


def _count_distant(create: Exchange) -> int:
    """The workers for a target whose creates take long and do not delay each other."""
    return max(min(round(_RATE * create.seconds), _DISTANT_JOBS[-1]), _DISTANT_JOBS[0])


def _build_look(target: ResolvedTarget, trail: Sequence[Exchange]) -> Send:
    """A request that a target answers in time even beside others, judged by what it took so far."""
    slowest = max((one.seconds for one in trail if one.status is not None), default=0.0)
    return Send(target.target.control("GET", ""), timeout=max(_PATIENCE, _SLOWER * slowest))


def _serves_side_by_side(
    target: ResolvedTarget, address: tuple[str, int], beside: ActionRunner, look: Send
) -> bool:
    """Whether the target answers while another connection sends nothing.

    It follows whether connections to it are kept: none, if it answers as soon as no other one is open.
    """
    answered = _is_answered_beside_silence(address, beside, look)
    if target.load_kept is None:
        return answered
    kept = target.load_kept()
    if not answered:
        kept.release()
    if answered or beside.perform(look).status is not None:
        kept.settle(one_at_a_time=not answered)
    return answered


def _is_answered_beside_silence(address: tuple[str, int], beside: ActionRunner, look: Send) -> bool:
    try:
        with socket.create_connection(address, look.timeout):
            return beside.perform(look).status is not None
    except OSError:
        return False


def settle_connections(target: ResolvedTarget, trail: Sequence[Exchange]) -> list[Exchange]:
    """Find out whether connections can be kept, if a response made that doubtful; return what was received."""
    address = _find_address(target)
    if address is None or target.load_kept is None or not target.load_kept().doubtful:
        return []
    with closing(target.connect()) as driver:
        beside = ActionRunner(target.api, driver, CreatedResources(target.api), target.target.contract)
        _serves_side_by_side(target, address, beside, _build_look(target, trail))
        return beside.trail


def _came_at_once(looks: Sequence[Exchange], more: float) -> bool:
    """Whether no look took so many seconds more than the first one, beside which nothing was asked."""
    idle, *others = (one.seconds if one.status is not None else math.inf for one in looks)
    return all(seconds < idle + more for seconds in others)


def _find_address(target: ResolvedTarget) -> tuple[str, int] | None:
    """Host and port of a target that may be asked side by side; None for the live service and for what is ours."""
    parts = split_url(target.info.url)
    if target.throwaway or not parts.hostname or target.api.is_live_host(parts.hostname):
        return None
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _look_beside_creates(
    target: ResolvedTarget, ledger: CreatedResources, create: Exchange, beside: ActionRunner, look: Send
) -> Sequence[Exchange]:
    """Look again and again while creates that take long are under way; return what these received."""
    ended = threading.Event()
    with closing(target.connect()) as driver:
        slow = ActionRunner(target.api, driver, ledger, target.target.contract)

        def ask() -> None:
            try:
                slow.perform(Together((create.request,) * _BESIDE_EACH_OTHER))
            finally:
                ended.set()

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            while not ended.wait(create.seconds / 10):
                beside.perform(look)
        finally:
            asking.join()
        return slow.trail


def _ask_for_a_session(target: ResolvedTarget) -> int:
    """The workers for a target that takes scripts.

    One if it has a script or a fault plan for the requests of this run, which its sessions would not have; one if
    it gives no session.
    """
    with closing(target.connect()) as driver:
        for path, name in (("scripts", "queued"), ("faults", "plan")):
            exchange = driver.send(target.target.control("GET", path))
            about = object_or_none(exchange.body)
            if exchange.status != 404 and (about is None or about.get(name)):
                return 1
    try:
        with session_of(target):
            return _JOBS
    except TargetFault:
        return 1


Item = TypeVar("Item")

INTERRUPTED = "it was interrupted"

_GRACE = 5.0
"""Seconds to delete what was created, once the time of the run is up."""


def the_probe(_: object) -> Generator[object, object, None]:
    """Name the exchanges of the probe in reports; `probe` sends them."""
    yield None


_PROBE = Exercise(the_probe, requests=0, interactions=0)


Observed: TypeAlias = tuple[Check, Observation]
"""A check, and what it observed."""


class _Played(NamedTuple):
    """A group that has been run, and is not read again yet; no group for the probe."""

    group: Group | None
    played: PlayedExercise


class _Inheritance(msgspec.Struct):
    """Resources that a worker leaves to another one to delete, and what has to be read again before."""

    ledger: CreatedResources
    unseen: list[_Played] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class Workers:
    """The workers of one run. `halted` is why it ended early, `""` while it has not.

    `stops` get the exchange at which an exercise stopped, by the check that was not tested because of it. A target
    is `distant` if each response takes long, and not because of the others: then more is sent at once. One that is
    `quick` gets more workers while all wait for its own progress, such as runs. `inherited` is what the probe and
    the workers before left for the next worker to look at and to delete: what waits long for each response does
    both beside other work.
    """

    target: ResolvedTarget
    timer: Timer
    audit: Audit
    ends: CountsEnds
    looks: ClosingLooks
    sessions: bool = False
    cleans: bool = True
    distant: bool = False
    quick: bool = False
    outages: Outages | None = None
    halted: str = ""
    leftovers: list[str] = field(default_factory=list)
    stops: dict[str, Exchange] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _disturbed: list[Group] | None = None
    _ledgers: list[CreatedResources] = field(default_factory=list)
    _drivers: list[Driver] = field(default_factory=list)
    _given: GivenIds = field(init=False)
    _one_at_a_time: bool = True
    _alone: bool = False
    _hands_on: bool = False
    inherited: list[_Inheritance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._given = GivenIds(self.target.api)

    def take_probe(
        self,
        trail: tuple[Exchange, ...],
        repeated: tuple[RepeatedId, ...],
        ledger: CreatedResources,
        *,
        halted: str,
        unseen: bool,
    ) -> None:
        """Judge what a probe received like all else, `unseen` resources after a look at them.

        If the run was `halted`, only delete what the probe made.
        """
        left = _Inheritance(ledger)
        if halted:
            self.halt(halted)
            self.clean(ledger)
            return
        if ledger.owed:
            self.inherited.append(left)
        played = PlayedExercise(None, None, trail, 0.0, self.target.api, repeated=repeated)
        if ledger.owed and unseen:
            left.unseen.append(_Played(None, played))
        else:
            self._note(_PROBE, played)

    def play(
        self, groups: list[Group], jobs: int, choose: Callable[[Sequence[str]], str] | None
    ) -> Generator[RunEvent | Judged, None, None]:
        """Play all groups with up to `jobs` workers; one alone lets `choose` name the next exercise."""
        several = min(jobs, len(groups)) > 1
        self._one_at_a_time = jobs == 1
        try:
            yield from self._play_apart(groups, jobs) if several else self._work(_choose_order(groups, choose))
            while self.inherited:  # what no worker came to look at and to delete
                yield from self._work(iter(()))
        finally:
            if self.inherited:
                self.clean(*(left.ledger for left in self.inherited))

    def stop(self) -> None:
        """Begin no further group."""
        self._stop.set()

    def halt(self, why: str) -> None:
        """End the run before it is through; only the first reason counts."""
        self.halted = self.halted or why
        self._stop.set()
        self.timer.end()

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
        if self.halted or not (suspects or self.outages.silences):
            return
        ledger = CreatedResources(self.target.api)
        try:
            with closing(self.target.connect()) as driver:
                for death in find_deaths(self.outages, driver, ledger.note):
                    self.audit.note_death(death)
                looked_into = [suspect.request for suspect in suspects]
                silences = [one for one in self.outages.silences if one.request not in looked_into]
                silent = self.audit.choose_unexplained(silences, self.target.target.contract)
                for death in find_silent_deaths(silent, self.outages, driver, ledger.note):
                    self.audit.note_death(death)
                self._clean(ledger, driver)
        except (TimeUp, KeyboardInterrupt) as end:
            self.halt(describe_end(end))

    def _play_apart(self, groups: list[Group], jobs: int) -> Generator[RunEvent | Judged, None, None]:
        """Run groups that have to be alone first, then the others in parallel, then those that may stop it.

        Requests with broken bytes or addresses crash some servers: alone, the last one sent is the cause. A
        distant target gets several of these at once; a disturbed one runs again, alone. So does any other that
        gets a 429 or 503 there, because the target may limit the number of requests at once.
        """
        apart: list[Group] = []
        last: list[Group] = []
        others: list[Group] = []
        for group in groups:
            odd = group[0].odd and not self.sessions
            (apart if group[0].alone else last if odd else others).append(group)
        self._hands_on = self.distant and bool(others)
        yield from self._play_turn(apart, 1)
        self._hands_on = False
        self._disturbed = [] if self.distant else None
        yield from self._play_turn(others, jobs)
        if self.distant:
            yield from self._play_turn(last, min(jobs, _SHARED_JOBS))
            last, self._disturbed = self._disturbed or [], None
        self._alone = True
        yield from self._play_turn(last, 1)

    def _play_turn(self, groups: list[Group], jobs: int) -> Generator[RunEvent | Judged, None, None]:
        workers = min(jobs, len(groups))
        if groups and not self._stop.is_set():
            yield from self._work(iter(groups)) if workers == 1 else self._play_in_parallel(groups, workers)

    def _play_in_parallel(self, groups: list[Group], workers: int) -> Generator[RunEvent | Judged, None, None]:
        waiting = Shared(groups)
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

        def add_workers() -> int:
            """Let as many more begin as there are, if there is something to do; how many there are more."""
            if not self.quick or self._stop.is_set():
                return 0
            most = min(_WAITING_JOBS, len(groups)) - len(threads)
            more = [threading.Thread(target=worker, daemon=True) for _ in range(min(len(threads), most))]
            threads.extend(more)
            for thread in more:
                thread.start()
            return len(more)

        through = False
        try:
            for thread in threads:
                thread.start()
            # A run that ends early does not wait for hanging requests.
            events: Iterator[RunEvent | Judged] = take_until_done(
                outbox, workers, lambda: JOIN_SECONDS if self.halted else None, add_workers
            )
            yield from events
            through = True
        except KeyboardInterrupt:
            self.halt(INTERRUPTED)
        finally:
            if self.halted or not through:
                self._stop.set()
            # One that an interrupt kept from starting would find the run stopped.
            self._end([thread for thread in threads if thread.ident is not None])

    def _end(self, started: Sequence[threading.Thread]) -> None:
        """Wait for the threads; if the run is halted, only for some time."""
        if not end_all(started, self._drivers, JOIN_SECONDS if self.halted else None):
            self.clean(*self._ledgers)  # they are still connecting, and no thread waits for them

    def _work(self, groups: Iterator[Group]) -> Generator[RunEvent | Judged, None, None]:
        """Do one worker's part; the end of the run's time is no fault."""
        try:
            yield from self._work_through(groups)
        except (TimeUp, KeyboardInterrupt) as end:
            self.halt(describe_end(end))

    def _work_through(self, groups: Iterator[Group]) -> Generator[RunEvent | Judged, None, None]:
        """Play group after group with a driver and a ledger of its own."""
        try:
            left = self.inherited.pop()
        except IndexError:
            left = _Inheritance(CreatedResources(self.target.api, deletes=self.cleans))
        # What each worker has to itself, a session or an emulator, may give the ids of another one.
        given = GivenIds(self.target.api) if self.sessions or self.target.throwaway else self._given
        self._ledgers.append(left.ledger)
        with session_of(self.target) if self.sessions else closing(self.target.connect()) as driver:
            self._drivers.append(driver)
            try:
                try:
                    if not self._hands_on:
                        yield from self._conclude_all(left, driver)
                    for group in groups:
                        if self._stop.is_set():
                            break
                        yield from self._group(group, driver, left, given)
                except (TimeUp, KeyboardInterrupt) as end:
                    self.halt(describe_end(end))
                if self.halted:
                    yield from self._conclude_all(left, driver)
            finally:
                if self._hands_on and not self.halted:
                    self.inherited.append(left)
                elif self.cleans:
                    self._clean(left.ledger, driver)

    def _clean(self, ledger: CreatedResources, driver: Driver) -> None:
        if self.halted:
            self.timer.end(_GRACE)
        try:
            together = TOGETHER if self.distant and not self.halted else 1
            self.leftovers.extend(ledger.clean(driver, together=together))
            self.audit.note_denials(ledger.read_cleanup(self.target.target.contract))
        except TimeUp:
            self.leftovers.extend(ledger.owed)

    def _group(
        self, group: Group, driver: Driver, left: _Inheritance, given: GivenIds
    ) -> Iterator[RunEvent | Judged]:
        exercise, members = group
        yield ExerciseStarted(exercise.name, tuple(planned.check.id for planned in members))
        target = self.target
        played = play(
            target.api, exercise, target.target, driver, left.ledger, lambda: bool(self.halted), self.outages,
            given, overlaps=self.distant and not self._alone,
        )  # fmt: skip
        if played.outage:
            given.forget()
        left.unseen.append(_Played(group, played))
        if not self._hands_on:
            yield from self._conclude_all(left, driver)

    def _conclude_all(self, left: _Inheritance, driver: Driver) -> Iterator[RunEvent | Judged]:
        """Look again at what has been run and is not judged yet, and judge it."""
        while left.unseen:
            group, played = left.unseen.pop(0)
            if group is None:
                self._note(_PROBE, self._look_again(_PROBE, played, driver, left.ledger))
            else:
                yield from self._conclude(group, played, driver, left.ledger)

    def _note(self, exercise: Exercise, played: PlayedExercise, observed: Sequence[Observed] = ()) -> None:
        self.audit.note(exercise, played, self.target.target.contract, observed)
        for exchange in played.trail:
            self.ends.note(exchange)

    def _conclude(
        self, group: Group, played: PlayedExercise, driver: Driver, ledger: CreatedResources
    ) -> Iterator[RunEvent | Judged]:
        exercise, members = group
        again = self._disturbed if _is_disturbed(played) and not exercise.alone else None
        whole = played if again is not None else self._look_again(exercise, played, driver, ledger)
        yield ExerciseFinished(exercise.name, ExerciseTimes.of(whole.trail, whole.seconds))
        if again is not None:
            again.append(group)
            return
        observations = [(planned.check, played.observe(planned.check)) for planned in members]
        self._note(exercise, whole, observations)
        stop = None if played.outage else stopped_at(played.trail)
        for planned, (_, observation) in zip(members, observations, strict=True):
            judged = self._judge(planned, observation, played, played.seconds / len(members))
            if stop is not None and judged.observation.outcome is Outcome.UNTESTABLE:
                self.stops[planned.check.id] = stop
            yield judged

    def _look_again(
        self, exercise: Exercise, played: PlayedExercise, driver: Driver, ledger: CreatedResources
    ) -> PlayedExercise:
        """The exercise, with a closing look at each run that it left: a state seen once is compared, too.

        What the end of the run's time cuts off is compared with nothing; the next request raises TimeUp again.
        """
        if exercise.front_end or played.outage or self._stop.is_set():
            return played
        looks = ledger.list_closing_looks(played.trail)
        if not looks:
            return played
        api, begun = self.target.api, time.perf_counter()
        hand = ActionRunner(api, driver, ledger, self.target.target.contract, is_halted=lambda: bool(self.halted))
        with suppress(TimeUp):
            self.looks.send(looks, hand, one_at_a_time=self._one_at_a_time)
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


def _is_disturbed(played: PlayedExercise) -> bool:
    """Whether others may be why a response is missing: a limit of requests at once, or a crash beside odd ones."""
    if any(one.status in LATER and not is_delivery(one) for one in played.trail):
        return True
    return played.front_end and (bool(played.outage) or any(one.hung for one in played.trail))


def take_until_done(
    outbox: queue.Queue[Item | BaseException | None],
    workers: int,
    patience: Callable[[], float | None],
    add_workers: Callable[[], int] = lambda: 0,
) -> Iterator[Item]:
    """The items that workers put into a queue, until each has put None. Raises an exception of a worker.

    Ends early when nothing comes for `patience()` seconds, at once if these are 0 or less; None waits forever, and
    lets `add_workers` return how many workers it added whenever all are silent for a moment.
    """
    while workers:
        seconds = patience()
        if seconds is not None and seconds <= 0:
            return
        try:
            item = outbox.get(timeout=_SILENCE if seconds is None else seconds)
        except queue.Empty:
            if seconds is None:
                workers += add_workers()
                continue
            return
        if item is None:
            workers -= 1
        elif isinstance(item, BaseException):
            raise item
        else:
            yield item


def describe_end(end: TimeUp | KeyboardInterrupt) -> str:
    """Why the run ended early: an interrupt, or its time, and what it was waiting for."""
    if isinstance(end, KeyboardInterrupt):
        return INTERRUPTED
    return f"the time limit was reached (--deadline){f'; {end}' if str(end) else ''}"


def _choose_order(groups: list[Group], choose: Callable[[Sequence[str]], str] | None) -> Iterator[Group]:
    if choose is None:
        yield from groups
        return
    left = {exercise.name: (exercise, members) for exercise, members in groups}
    while left:
        yield left.pop(choose(tuple(left)))
