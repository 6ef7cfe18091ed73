"""One client of a target: what it knows, what it opened, and the trail of its exchanges.

Layer 4. One `World` plays one history. It sends and remembers; it must not know which operations there are, which
`moves` defines. It raises no error because of the target's behaviour. `settled_by_us` means that only our own
requests advance a run (an emulator in this process), so there are no races. Without it, a promise about a run in
progress is only judged if a second look shows that the run was still in progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.checks.vocabulary.polling import pauses_within
from harness.contract import read
from harness.contract.requests import Target
from harness.engine.cleanup import Ledger
from harness.engine.search.playing.answer import alone
from harness.engine.search.playing.interaction_model import Known, Reader
from harness.outcome import Finding, Severity
from harness.strategies.operations import Operation
from harness.wire import Driver, Exchange, LiveStream, Request


class World:
    """One client, what it knows, and the trail of its exchanges."""

    def __init__(
        self,
        driver: Driver,
        target: Target,
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
        self.interactions: list[Known] = []
        self.readers: list[Reader] = []
        self.ids: set[str] = set()
        self.trail: list[Exchange] = []
        self.played: list[Operation] = []
        self.ledger = Ledger()
        self.accepted = 0
        self.found: list[Finding] = []

    def close(self) -> None:
        """Hang up all open streams."""
        for reader in self.readers:
            if not reader.closed:
                reader.closed = True
                self.ledger.note(reader.stream.close())

    def subject(self, operation: Operation) -> Known:
        """The interaction that an operation refers to."""
        return self.interactions[operation.subject % len(self.interactions)]

    def reader(self, operation: Operation, *, closed: bool = False) -> Reader:
        """The stream that an operation refers to."""
        choice = self.among(closed=closed)
        return choice[operation.subject % len(choice)]

    def among(self, *, closed: bool) -> list[Reader]:
        """The open streams; with `closed`, the closed ones as well."""
        return [reader for reader in self.readers if closed or not reader.closed]

    def send(self, request: Request) -> Exchange:
        """Send a request and judge its exchange on its own."""
        return self.keep(self.driver.send(request))

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

    def keep(self, exchange: Exchange) -> Exchange:
        """Record a finished exchange and judge it on its own."""
        read(exchange, self.target.contract)
        self.trail.append(exchange)
        self.ledger.note(exchange)
        if exchange.succeeded:
            self.accepted += 1
        self.found += alone(exchange, self.target.key)
        return exchange

    def note(
        self,
        rule: str,
        message: str,
        expected: str = "",
        actual: object = "",
        severity: Severity = Severity.BROKEN,
    ) -> None:
        """Add a finding."""
        self.found.append(Finding(rule, message, expected, str(actual)[:200], severity=severity))

    def certain(self, known: Known) -> bool:
        """Whether the last status seen still holds: only we advance a run, and we have not since that look."""
        return self.settled_by_us and not known.read_on

    def another_key(self) -> str:
        """The key of another project, or one that belongs to none."""
        return self.target.other_key or "harness-wrong-key"

    def patient(self, look: Callable[[], Exchange], wanted: Callable[[Exchange], bool]) -> Exchange:
        """Look until the exchange is `wanted` or time is up; only once where nothing can lag behind."""
        exchange = look()
        for pause in self._patience():
            if wanted(exchange) or exchange.status is None:
                break
            self.driver.wait(pause)
            exchange = look()
        return exchange

    def _patience(self) -> Iterator[float]:
        return pauses_within(0.0 if self.settled_by_us else self.target.gone_within)
