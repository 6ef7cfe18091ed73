"""One client of a target: what it opened, and the trail of its exchanges.

Layer 4. One `World` plays one history. It sends and remembers; the contract's `HistoryJudge` judges. It must not
know which operations there are, which `moves` defines. It raises no error because of the target's behaviour.
`settled_by_us` means that only our own requests advance a run (an emulator in this process): there are no races,
and nothing lags behind. Once a request `hung`, nothing more is played: what it left behind is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.contract import read
from harness.contract.judge.history.history_judge import PLAIN, HistoryJudge
from harness.contract.judge.history.history_state import Intent
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.contract.judge.history.timeline import PartialReading
from harness.contract.requests import RequestBuilder
from harness.engine.cleanup import CreatedResources
from harness.engine.search.defect import SeenDefect, call_of
from harness.engine.search.playing.answer import is_accusation, is_hang, judge_exchange
from harness.engine.traffic.interrupts import hold_interrupts
from harness.engine.traffic.lag import Lag
from harness.kit.api import Api
from harness.kit.backoff import pauses_within
from harness.outcome import Judgement
from harness.strategies.operations import ClientCommand
from harness.wire import Driver, Exchange, LiveStream, Request


@dataclass(eq=False, slots=True)
class TrailEntry:
    """A request's place in the trail; its exchange is None until it has ended. `wrong`: it is so on purpose."""

    exchange: Exchange | None = None
    wrong: bool = False


@dataclass(eq=False, slots=True)
class Reader:
    """One stream that was opened and is read in parts.

    `cursor` is the last one it saw before it was read to its end; `taken` counts the events that were judged.
    """

    of: InteractionModel
    stream: LiveStream
    reading: PartialReading
    sent: TrailEntry
    request: Request
    cursor: str | None = None
    taken: int = 0
    closed: bool = False


class World:
    """One client, what it opened, and the trail of its exchanges."""

    def __init__(
        self,
        api: Api,
        driver: Driver,
        target: RequestBuilder,
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
        self.judge = HistoryJudge(
            target.contract, sole_client=True, deterministic=settled_by_us, stores="store" in able
        )
        self.readers: list[Reader] = []
        self.sent: list[TrailEntry] = []
        self.played: list[ClientCommand] = []
        self.ledger = CreatedResources(api)
        self.hung = False
        self.found: list[SeenDefect] = []

    @property
    def interactions(self) -> list[InteractionModel]:
        """What is known of each interaction, in the order of their creation."""
        return self.judge.interactions

    @property
    def trail(self) -> list[Exchange]:
        """The exchanges that have ended, in the order in which their requests were sent."""
        return [sent.exchange for sent in self.sent if sent.exchange is not None]

    def close(self) -> None:
        """Hang up all open streams."""
        for reader in self.readers:
            if not reader.closed:
                reader.closed = True
                reader.sent.exchange = reader.stream.close()
                self.ledger.note(reader.sent.exchange)

    def subject(self, operation: ClientCommand) -> InteractionModel:
        """The interaction that an operation refers to."""
        return self.interactions[operation.subject % len(self.interactions)]

    def reader(self, operation: ClientCommand, *, closed: bool = False) -> Reader:
        """The stream that an operation refers to."""
        choice = self.among(closed=closed)
        return choice[operation.subject % len(choice)]

    def among(self, *, closed: bool) -> list[Reader]:
        """The open streams; with `closed`, the closed ones as well."""
        return [reader for reader in self.readers if closed or not reader.closed]

    def send(self, request: Request, intent: Intent = PLAIN) -> Exchange:
        """Send a request, and judge its exchange on its own and by all that came before."""
        with hold_interrupts(request):
            exchange = self.keep(self.driver.send(request))
        self.sent[-1].wrong = intent.foreign or bool(intent.refused_by)
        if not exchange.excuse:
            self.hear(self.judge.note(exchange, intent), exchange.request)
        return exchange

    def open(self, request: Request) -> LiveStream:
        """Open a stream of events to be read in parts; retry while the interaction is not found yet."""
        stream = self.driver.open(request)
        for pause in self._patience():
            if stream.status != 404:
                break
            self.keep(stream.finish())
            self.driver.wait(pause)
            stream = self.driver.open(request)
        return stream

    def look(self, request: Request, wanted: Callable[[Exchange], bool], intent: Intent = PLAIN) -> Exchange:
        """Look until the exchange is `wanted` or time is up, once where nothing can lag behind; judge the last."""
        exchange = self.keep(self.driver.send(request))
        waited = 0.0
        for pause in self._patience():
            if wanted(exchange) or exchange.status is None:
                break
            self.driver.wait(pause)
            waited += pause
            exchange = self.keep(self.driver.send(request))
        self.lag.note(waited, found=wanted(exchange))
        if not exchange.excuse:
            self.hear(self.judge.note(exchange, intent), exchange.request)
        return exchange

    def begin(self) -> TrailEntry:
        """Reserve a place in the trail for a request that is about to be sent."""
        self.sent.append(TrailEntry())
        return self.sent[-1]

    def keep(self, exchange: Exchange, sent: TrailEntry | None = None) -> Exchange:
        """Record a finished exchange, in the place that was reserved for it, and judge it on its own."""
        read(exchange, self.target.contract)
        (sent or self.begin()).exchange = exchange
        self.ledger.note(exchange)
        self.hung |= is_hang(exchange)
        call = call_of(exchange.request)
        self.found += (SeenDefect(finding, call) for finding in judge_exchange(exchange, self.target.key))
        return exchange

    def hear(self, judgement: Judgement, request: Request) -> None:
        """Add what a judgement of the answer to a request accuses the target of."""
        call = call_of(request)
        self.found += (SeenDefect(finding, call) for finding in judgement.findings if is_accusation(finding))

    def another_key(self) -> str:
        """The key of another project, or one that belongs to none."""
        return self.target.other_key or "harness-wrong-key"

    def _patience(self) -> Iterator[float]:
        return pauses_within(0.0 if self.settled_by_us else self.lag.shorten(self.target.gone_within))
