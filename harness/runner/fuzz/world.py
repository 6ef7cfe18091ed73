"""Plays operations against a target and holds what comes back against what was known before.

Layer 4. One `World` is one history. It sends, remembers and asks `looks` and `acts` for judgement; it raises
nothing on account of the target. `settled_by_us` says that nothing but our own requests moves a run (an emulator
in this process), so that no race is ever lost; elsewhere a promise about a running run is only judged where a
second look shows that it still ran.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.checks.target import Target
from harness.outcome import Finding
from harness.runner.fuzz import acts, creating, looks, reading_parts
from harness.runner.fuzz.answers import alone
from harness.runner.fuzz.known import Known, Reader
from harness.runner.ledger import Ledger
from harness.strategies.operations import ON_READERS, Operation
from harness.wire import Driver, Exchange, LiveStream, Request

PATIENCE = 5
"""Looks at a target that may lag behind before a promise counts as broken."""


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

    def play(self, operation: Operation) -> list[Finding]:
        """Do one thing, and say what was wrong with the answers; empty where there is nothing to do it to."""
        self.found = []
        if self.applies(operation):
            self.played.append(operation)
            _PLAYS[operation.kind](self, operation)
        return self.found

    def applies(self, operation: Operation) -> bool:
        """Whether there is a subject for it, and the target is said to be able."""
        if operation.kind in ON_READERS:
            return any(not reader.closed for reader in self.readers) or (
                operation.kind == "resume" and bool(self.readers)
            )
        if operation.kind == "create" or operation.mode in ("unknown", "orphan"):
            return creating.able_to(self, operation)
        return bool(self.interactions) and creating.able_to(self, operation)

    def close(self) -> None:
        """Hang up what is open."""
        for reader in self.readers:
            if not reader.closed:
                reader.closed = True
                self.ledger.note(reader.stream.close())

    # --- for the parts that play

    def subject(self, operation: Operation) -> Known:
        """The interaction that an operation means."""
        return self.interactions[operation.subject % len(self.interactions)]

    def reader(self, operation: Operation, *, closed: bool = False) -> Reader:
        """The stream that an operation means."""
        choice = [reader for reader in self.readers if closed or not reader.closed]
        return choice[operation.subject % len(choice)]

    def send(self, request: Request) -> Exchange:
        """One exchange, judged alone."""
        return self.keep(self.driver.send(request))

    def open(self, request: Request) -> LiveStream:
        """An answer that is read in parts."""
        return self.driver.open(request)

    def keep(self, exchange: Exchange) -> Exchange:
        """Remember a finished exchange, and judge it alone."""
        self.trail.append(exchange)
        self.ledger.note(exchange)
        if exchange.status is not None and 200 <= exchange.status < 300:
            self.accepted += 1
        self.found += alone(exchange, self.target.key)
        return exchange

    def note(self, rule: str, message: str, expected: str = "", actual: object = "") -> None:
        """A broken promise."""
        self.found.append(Finding(rule, message, expected, str(actual)[:200]))

    def certain(self, known: Known) -> bool:
        """Whether the last look still holds: nothing moves a run but us, and we did nothing since."""
        return self.settled_by_us and not known.read_on

    def another_key(self) -> str:
        """The key of another project, or of nobody."""
        return self.target.other_key or "harness-wrong-key"

    def patient(self, look: Callable[[], Exchange], wanted: Callable[[Exchange], bool]) -> Exchange:
        """Look until it is as wanted; once only where nothing can lag behind."""
        exchange = look()
        for _ in range(0 if self.settled_by_us else PATIENCE):
            if wanted(exchange):
                break
            self.driver.wait(self.target.poll)
            exchange = look()
        return exchange


_PLAYS: dict[str, Callable[[World, Operation], Any]] = {
    "create": creating.create,
    "chain": creating.chain,
    "answer": creating.answer,
    "poll": looks.poll,
    "settle": looks.settle,
    "replay": looks.replay,
    "cancel": acts.cancel,
    "delete": acts.delete,
    "open": reading_parts.begin,
    "read": reading_parts.more,
    "drop": reading_parts.drop,
    "resume": reading_parts.resume,
    "finish": reading_parts.finish,
}


def play_all(world: World, history: Sequence[Operation]) -> list[Finding]:
    """The findings of a whole history."""
    return [finding for operation in history for finding in world.play(operation)]
