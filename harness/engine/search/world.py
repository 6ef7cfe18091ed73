"""One client of a target: what it opened, and the trail of its exchanges.

Layer 4. One `World` plays one history. It sends and remembers; the contract's `HistoryJudge` judges. It must not
know which operations there are, which `moves` defines. It raises no error because of the target's behaviour.
`settled_by_us` means that only our own requests advance a run (an emulator in this process): there are no races,
and nothing lags behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.contract import read
from harness.contract.judge.history_judge import PLAIN, HistoryJudge
from harness.contract.judge.history_state import Intent
from harness.contract.judge.interaction_model import InteractionModel
from harness.contract.judge.timeline import PartialReading
from harness.contract.requests import RequestBuilder
from harness.engine.cleanup import CreatedResources
from harness.engine.search.playing.answer import is_accusation, judge_exchange
from harness.kit.api import Api
from harness.kit.backoff import pauses_within
from harness.outcome import Finding, Judgement
from harness.strategies.operations import ClientCommand
from harness.wire import Driver, Exchange, LiveStream, Request


@dataclass(eq=False, slots=True)
class Reader:
    """One stream that was opened and is read in parts.

    `cursor` is the last one it saw before it was read to its end; `taken` counts the events that were judged.
    """

    of: InteractionModel
    stream: LiveStream
    reading: PartialReading
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
    ) -> None:
        self.driver = driver
        self.target = target
        self.able = able
        self.settled_by_us = settled_by_us
        self.same_input = same_input
        self.judge = HistoryJudge(
            target.contract, sole_client=True, deterministic=settled_by_us, stores="store" in able
        )
        self.readers: list[Reader] = []
        self.trail: list[Exchange] = []
        self.played: list[ClientCommand] = []
        self.ledger = CreatedResources(api)
        self.accepted = 0
        self.found: list[Finding] = []

    @property
    def interactions(self) -> list[InteractionModel]:
        """What is known of each interaction, in the order of their creation."""
        return self.judge.interactions

    def close(self) -> None:
        """Hang up all open streams."""
        for reader in self.readers:
            if not reader.closed:
                reader.closed = True
                self.ledger.note(reader.stream.close())

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
        exchange = self.keep(self.driver.send(request))
        self.hear(self.judge.note(exchange, intent))
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
        for pause in self._patience():
            if wanted(exchange) or exchange.status is None:
                break
            self.driver.wait(pause)
            exchange = self.keep(self.driver.send(request))
        self.hear(self.judge.note(exchange, intent))
        return exchange

    def keep(self, exchange: Exchange) -> Exchange:
        """Record a finished exchange and judge it on its own."""
        read(exchange, self.target.contract)
        self.trail.append(exchange)
        self.ledger.note(exchange)
        if exchange.succeeded:
            self.accepted += 1
        self.found += judge_exchange(exchange, self.target.key)
        return exchange

    def hear(self, judgement: Judgement) -> None:
        """Add what a judgement accuses the target of."""
        self.found += filter(is_accusation, judgement.findings)

    def another_key(self) -> str:
        """The key of another project, or one that belongs to none."""
        return self.target.other_key or "harness-wrong-key"

    def _patience(self) -> Iterator[float]:
        return pauses_within(0.0 if self.settled_by_us else self.target.gone_within)
