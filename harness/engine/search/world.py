"""One client of a target as the engine sees it: the trail of its exchanges, and what they showed.

Layer 4. One `World` plays one history. It sends and remembers; the player of the API knows what a step does, and
judges by all that came before. A world raises no error because of the target's behaviour. Once a request `hung`,
nothing more is played: what it left behind is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.engine.cleanup import CreatedResources
from harness.engine.search.answer import is_accusation, judge_exchange
from harness.engine.search.defect import SeenDefect
from harness.engine.traffic.interrupts import hold_interrupts
from harness.engine.traffic.lag import Lag
from harness.kit.actions import pauses_within
from harness.kit.api import Api, ApiRequests
from harness.kit.search import Step, TrailEntry
from harness.outcome import Finding, Judgement
from harness.wire import Driver, Exchange, LiveStream, Request


class World:
    """One client and the trail of its exchanges; a `SearchWorld` for its player."""

    def __init__(
        self,
        api: Api,
        driver: Driver,
        target: ApiRequests,
        *,
        able: frozenset[str],
        settled_by_us: bool = False,
        same_input: bool = False,
        lag: Lag | None = None,
    ) -> None:
        self.driver = driver
        self.target = target
        self.able = able
        self.settled_by_us = settled_by_us
        self.same_input = same_input
        self.lag = lag or Lag()
        self.sent: list[TrailEntry] = []
        self.played: list[Step] = []
        self.ledger = CreatedResources(api)
        self.hung = False
        self.found: list[SeenDefect] = []
        self._api = api
        self._model = api.load_search()
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
        """Hang up all open streams."""
        self.player.close()

    # for the player

    def send(self, request: Request, *, wrong: bool = False) -> Exchange:
        """Send a request and keep its exchange."""
        with hold_interrupts(request):
            exchange = self.keep(self.driver.send(request))
        self.sent[-1].wrong = wrong
        return exchange

    def look(self, request: Request, wanted: Callable[[Exchange], bool], *, within: float) -> Exchange:
        """Look until the exchange is `wanted` or time is up, once where nothing can lag behind."""
        exchange = self.keep(self.driver.send(request))
        waited = 0.0
        for pause in self._pauses(within):
            if wanted(exchange) or exchange.status is None:
                break
            self.driver.wait(pause)
            waited += pause
            exchange = self.keep(self.driver.send(request))
        self.lag.note(waited, found=wanted(exchange))
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
        """Record a finished exchange, in the place that was reserved for it, and judge it on its own."""
        self._api.read(exchange, self.target.contract)
        self.leave(exchange, sent or self.begin())
        self.hung |= exchange.hung
        self._note(judge_exchange(exchange, self.target.key, self._model), exchange.request)
        return exchange

    def leave(self, exchange: Exchange, sent: TrailEntry) -> None:
        """Record a finished exchange, unjudged."""
        sent.exchange = exchange
        self.ledger.note(exchange)

    def accuse(self, judgement: Judgement, request: Request) -> None:
        """Add what a judgement of the answer to a request accuses the target of."""
        self._note(filter(is_accusation, judgement.findings), request)

    def wait(self, seconds: float) -> None:
        """Wait before the next request."""
        self.driver.wait(seconds)

    def _note(self, findings: Iterable[Finding], request: Request) -> None:
        call = self._model.name_call(request)
        self.found += (SeenDefect(finding, call) for finding in findings)

    def _pauses(self, within: float) -> Iterator[float]:
        return pauses_within(0.0 if self.settled_by_us else self.lag.shorten(within))
