"""Where a search plays: fresh worlds on one target, judged answer by answer and cleaned up afterwards.

Knows how to obtain a driver; must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from harness.engine.search.failure import ANSWERED, NO_CRASH, AnswerCounts, Bug, Failure, SeenDefect, rule_of
from harness.engine.selection import Chosen
from harness.engine.targets import ServerTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp, hold_interrupts
from harness.engine.traffic.governed_driver import DriverPolicy, GovernedDriver
from harness.engine.traffic.ledger import CreatedResources
from harness.engine.traffic.patience import Lag, Patience
from harness.kit.api import ApiRequests, ServerApi
from harness.kit.check import pauses_within
from harness.kit.history import Step
from harness.kit.search import SearchModel, TrailEntry
from harness.outcome import Finding, Judgement, Severity
from harness.wire import By, Driver, Exchange, How, LiveStream, Request
from harness.wire.addresses import is_loopback, read_host
from harness.wire.message import BUSY, PROXY_REFUSALS

# Judges a single response, whatever came before it: the API's own judgment, and two rules for any service.


_STUCK = frozenset({How.STALL, How.TIMEOUT})


def judge_exchange(exchange: Exchange, key: str, model: SearchModel, own: bool = True) -> Iterator[Finding]:
    """The findings on one exchange: those of `SearchModel.judge_answer`, and of two rules for any service."""
    ending = exchange.ending
    if exchange.excuse:
        return
    how = f"{ending.words}: {ending.detail}" if ending.detail else ending.words
    if exchange.status is None:
        late = f" within {exchange.seconds:.1f} s" if exchange.hung else ""
        yield Finding(ANSWERED, f"no response arrived{late}", "a response", how)
        return
    if ending.how in _STUCK or ending.by is By.LIMIT:
        yield Finding(ANSWERED, "the response did not end", "an end", how)
    if exchange.status >= 500 and exchange.status not in BUSY | {501}:
        yield Finding(NO_CRASH, "the service failed", "a response below 500", str(exchange.status))
    yield from filter(is_accusation, model.judge_answer(exchange, key, own))


def is_accusation(finding: Finding) -> bool:
    """Whether a finding reports a defect, and is not only worth knowing."""
    return finding.severity is not Severity.INFORMATION


class AnswerJudge:
    """Judges the responses of a search one by one, and knows the calls with responses of the API itself.

    An error is the API's own if the API has the call, and no proxy or framework in front of it returns the same.
    The 404 of a call that never had another response may be theirs, too: the call is not offered.
    """

    def __init__(self, api: ServerApi, model: SearchModel, answered: set[str]) -> None:
        self._api = api
        self._model = model
        self._answered = answered

    def judge(self, exchange: Exchange, key: str) -> Iterator[SeenDefect]:
        """The defects that one response shows. One handler writes all errors, so these have no call."""
        errors = exchange.status is not None and exchange.status >= 400
        call = self._model.name_call(exchange.request)
        for finding in judge_exchange(exchange, key, self._model, self.is_own(exchange)):
            shared = errors and finding.rule not in (ANSWERED, NO_CRASH)
            yield SeenDefect(finding, "" if shared else call)

    def is_own(self, exchange: Exchange) -> bool:
        """Whether the API itself wrote this response for certain."""
        call = self._api.read(exchange, None).call
        if call and exchange.status is not None and exchange.status not in {*PROXY_REFUSALS, 404}:
            self._answered.add(call)
            return True
        return exchange.status == 404 and call in self._answered


# One client of a target as the engine sees it: the trail of its exchanges, and what they showed.
# One `World` plays one history. It sends and remembers; the player of the API knows what a step does, and
# judges by all that came before. A world raises no error because of the target's behavior. Once a request
# `hung`, nothing more is sent: the state that it left is unknown.


class World:
    """One client and the trail of its exchanges; a `SearchWorld` for its player."""

    def __init__(self, place: SearchTarget, driver: Driver) -> None:
        self.driver = driver
        self.target = place.requests
        self.able = place.able
        self.settled_by_us = place.resolved.throwaway
        self.lag = place.lag
        self.sent: list[TrailEntry] = []
        self.played: list[Step] = []
        self.ledger = CreatedResources(place.resolved.api)
        self.hung = False
        self.found: list[SeenDefect] = []
        self._judge = place.judge
        self._api = place.resolved.api
        self._model = place.model
        self.player = self._model.new_player(self)

    @property
    def trail(self) -> list[Exchange]:
        """The exchanges that have ended, in the order in which their requests were sent."""
        return [sent.exchange for sent in self.sent if sent.exchange is not None]

    def play(self, step: Step) -> list[SeenDefect]:
        """Play one step and return what it shows; do nothing if it does not apply, or after a hang."""
        self.found = []
        actual = None if self.hung else self.player.resolve(step)
        if actual is not None:
            self.played.append(actual)
            self.player.play(actual)
        return self.found

    def resend(self, request: Request) -> tuple[Exchange, list[SeenDefect]]:
        """Send a request that belongs to no step, and return what its answer shows, too."""
        self.found = []
        return self.player.send(request), self.found

    def close(self) -> None:
        self.player.close()

    # for the player

    def send(self, request: Request, *, wrong: bool = False) -> Exchange:
        with hold_interrupts(request):
            exchange = self.keep(self.driver.send(request))
        self.sent[-1].wrong = wrong
        return exchange

    def look(self, request: Request, wanted: Callable[[Exchange], bool], *, within: float) -> Exchange:
        """Look until the exchange is `wanted` or time is up, once where nothing can lag behind."""
        exchange = self.keep(self.driver.send(request))
        for pause in self._pauses(within):
            if wanted(exchange) or exchange.status is None:
                break
            self.driver.wait(pause)
            exchange = self.keep(self.driver.send(request))
        self.lag.in_vain += not wanted(exchange)
        return exchange

    def open(self, request: Request, *, within: float) -> LiveStream:
        """Open a stream of events to be read in parts; retry while it is not found yet."""
        stream = self.driver.open(request)
        for pause in self._pauses(within):
            if stream.status != 404:
                break
            self.keep(stream.finish())
            self.driver.wait(pause)
            stream = self.driver.open(request)
        return stream

    def begin(self) -> TrailEntry:
        """Reserve a place in the trail for a request that is about to be sent."""
        self.sent.append(TrailEntry())
        return self.sent[-1]

    def keep(self, exchange: Exchange, sent: TrailEntry | None = None) -> Exchange:
        known = exchange.with_interruption(self.trail) if exchange.is_stream else exchange
        self._api.read(known, self.target.contract)
        self.leave(exchange, sent or self.begin())
        self.hung |= exchange.hung
        self.found += self._judge.judge(exchange, self.target.key)
        return exchange

    def leave(self, exchange: Exchange, sent: TrailEntry) -> None:
        """Record a finished exchange, unjudged."""
        sent.exchange = exchange
        self.ledger.note(exchange)

    def accuse(self, judgement: Judgement, request: Request) -> None:
        call = self._model.name_call(request)
        self.found += (SeenDefect(finding, call) for finding in filter(is_accusation, judgement.findings))

    def wait(self, seconds: float) -> None:
        self.driver.wait(seconds)

    def _pauses(self, within: float) -> Iterator[float]:
        return pauses_within(0.0 if self.settled_by_us else self.lag.shorten(within))


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """A target, its capabilities, those the user denied, and the rules or codes whose defects are looked for.

    On a throwaway target each world has its own service. Elsewhere all worlds share the driver `shared`, no
    request takes longer than `timer` and `patience` allow, and the resources of a world are deleted when it ends;
    `litter` holds the paths of those that may be left. `answered` holds the calls with responses of the API.
    `progress` gets counts, the number of findings and the estimated seconds that are left (0: unknown).
    """

    resolved: ServerTarget
    model: SearchModel
    able: frozenset[str]
    chosen: Chosen = field(default_factory=Chosen)
    denied: frozenset[str] = frozenset()
    shared: Driver | None = None
    patience: Patience | None = None
    progress: Callable[[Mapping[str, int], int, float], object] = lambda counts, findings, left: None
    timer: Timer = field(default_factory=lambda: Timer(None))
    lag: Lag = field(default_factory=Lag)
    litter: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)

    @property
    def requests(self) -> ApiRequests:
        return self.resolved.target

    @property
    def judge(self) -> AnswerJudge:
        return AnswerJudge(self.resolved.api, self.model, self.answered)

    def within(self, timer: Timer) -> SearchTarget:
        """The same place for one engine, bounded by `timer`."""
        return replace(self, timer=timer, litter=[])

    @contextmanager
    def world(self) -> Iterator[World]:
        """A new world for one history, cleaned up at the end."""
        world = self.open()
        try:
            yield world
        finally:
            self.finish(world)

    def open(self) -> World:
        """A new world for one history; end it with `finish`."""
        driver = self.resolved.connect() if self.shared is None else self._limit(self.shared, self.timer)
        return World(self, driver)

    def finish(self, world: World) -> None:
        """Disconnect, and delete the created resources of a shared target."""
        world.close()
        self.clean(world.ledger)
        world.driver.close()

    def clean(self, ledger: CreatedResources) -> None:
        """Delete what is left on a shared target, which gets a second if time is up, and never over a minute."""
        if self.shared is None or not ledger.owed:
            return
        owed = ledger.owed
        try:
            grace = Timer(max(1.0, min(self.timer.left, 60.0)))
            self.litter.extend(ledger.clean(self._limit(self.shared, grace).send))
        except TimeUp:
            self.litter.extend(owed)

    def _limit(self, driver: Driver, timer: Timer) -> Driver:
        policies: list[DriverPolicy] = [Deadline(timer, self.resolved.target.wait)]
        return GovernedDriver(
            driver, [*policies, *([] if self.patience is None else [self.patience])], owned=False
        )

    @property
    def is_cheap(self) -> bool:
        """Whether histories are free: the service is in this process, or on this machine."""
        return self.resolved.throwaway or is_loopback(read_host(self.resolved.info.url))

    def notes(self) -> tuple[str, ...]:
        """Notes for the user on what was left behind."""
        if not self.litter:
            return ()
        return (f"{len(self.litter)} created and possibly not deleted, such as {self.litter[0]}",)

    def judged(self, defect: SeenDefect) -> bool:
        """Whether a defect counts: its rule, or its code, is selected."""
        return self.chosen.takes({defect.rule, defect.finding.stable_code}, rule_of(defect.rule, self.model).level)


def play(
    place: SearchTarget, history: Sequence[Step], engine: str, answers: AnswerCounts | None = None
) -> list[Failure]:
    """Play a history once; return the first failure of each kind. `answers` count its responses."""
    found: dict[str, Bug] = {}
    with place.world() as world:
        for step in history:
            for defect in world.play(step):
                if place.judged(defect) and defect.key not in found:
                    found[defect.key] = Bug(defect, tuple(world.played), tuple(world.sent))
        if answers is not None:
            for exchange in world.trail:
                answers.add(place.model.name_call(exchange.request), exchange.status)
    return [bug.failure(engine) for bug in found.values()]
