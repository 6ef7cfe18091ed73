"""Requests that a service sends by itself, such as webhooks, as values: the due ones, and the arrived ones.

A service that sends things keeps them in an `Outbox`; a carrier takes the due ones, sends them and reports the
results. So a service needs no socket, and time stays the clock's. An `Inbox` is the other side: a service that
keeps each delivery and responds from a script.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from array import array
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeAlias

from msgspec import Struct

from harness.wire.addresses import is_loopback, read_host
from harness.wire.message import (
    COMPLETE,
    Arrivals,
    At,
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    Headers,
    How,
    Length,
    Pause,
    PieceBody,
    Request,
    Response,
)

PATIENCE = 10.0
"""Seconds in which a delivery has to be answered; after that the attempt counts as failed."""


class Delivery:
    """One attempt to deliver something to the absolute `uri`; `number` counts attempts from 1.

    Instead of a request it may be given the function that makes it, which is called on the first access: thousands
    may be due at once, and a signature costs more than all the rest.
    """

    __slots__ = ("_request", "number", "uri")

    def __init__(self, uri: str, request: Request | Callable[[], Request], number: int = 1) -> None:
        self.uri = uri
        self.number = number
        self._request = request

    @property
    def request(self) -> Request:
        """The request, the same each time."""
        made = self._request
        if not isinstance(made, Request):
            self._request = made = made()
        return made


class Outbox(Protocol):
    """The requests that a service wants to send. Several threads may use it."""

    @property
    def next_due(self) -> float | None:
        """The moment of the service's clock at which the next attempt is due; None if nothing waits."""

    def attend(self, reaches: Callable[[str], bool] = lambda uri: True) -> bool:
        """Continue work whose end a uri waits for that a delivery `reaches`; return whether there is more."""

    def take_due(self) -> list[Delivery]:
        """The attempts that are due now; each is handed out once, and needs a call of `note_answer`."""

    def note_answer(self, delivery: Delivery, status: int | None) -> None:
        """Record the status of the response to an attempt, None if none came in time."""

    def drop(self, delivery: Delivery, reason: str) -> None:
        """Give a delivery up, because its receiver must not or cannot be reached from here."""


class NoReply(Enum):
    """The behavior of a mailbox in place of a response in time."""

    SLOW = "slow"
    """The answer comes after the sender's patience."""

    HANG_UP = "hang-up"
    """The connection is closed without an answer."""


Answer: TypeAlias = int | NoReply


class Arrival(Struct, frozen=True):
    """A delivery that came: the request with our answer to it, `moment` in seconds of the receiver's clock."""

    exchange: Exchange
    moment: float


class Inbox(ABC):
    """A place where a target can deliver things to; `uri` is absolute.

    As a service it keeps every delivery, and answers as scripted. `now` is the clock of its arrivals.
    """

    uri: str

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._arrivals: list[Arrival] = []
        self._read = 0
        self._answers: deque[Answer] = deque()
        self._refused_by = ""
        self._refused: set[str] = set()
        self.came = threading.Condition()
        self.last_answer: Answer = 200

    def answer(self, *answers: Answer) -> None:
        """Give these responses to the next deliveries, one each; any other delivery gets 200."""
        with self.came:
            self._answers.extend(answers)

    def refuse_first(self, header: str) -> None:
        """Answer 503 to the first delivery with each value of a header, from now on; "" ends that."""
        with self.came:
            self._refused_by = header
            self._refused.clear()

    def __call__(self, request: Request) -> Response:
        """Keep a delivery and answer it."""
        with self.came:
            answer: Answer = 200
            value = request.headers.get(self._refused_by) if self._refused_by else ""
            if self._answers:
                answer = self._answers.popleft()
            elif value and value not in self._refused:
                self._refused.add(value)
                answer = 503
            self.last_answer = answer
            self._arrivals.append(Arrival(_record(request, answer), self._now()))
            self.came.notify_all()
        if answer is NoReply.HANG_UP:
            return Response.dead(Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS))
        if answer is NoReply.SLOW:
            return Response(200, Headers(), Chunked(), PieceBody((Pause(2 * PATIENCE), Chunk(b"late"), COMPLETE)))
        return Response.whole(answer, Headers(), b"")

    @property
    def waiting(self) -> int:
        """How many deliveries have come that were not taken."""
        return len(self._arrivals) - self._read

    def take(self) -> list[Arrival]:
        """The deliveries that have come since the last call."""
        came = self._arrivals[self._read :]
        self._read += len(came)
        return came

    @abstractmethod
    def collect(self, count: int, seconds: float) -> list[Arrival]:
        """Wait until `count` deliveries have come since the last call, at most `seconds`; return what came."""

    @abstractmethod
    def close(self) -> None:
        """Take no more deliveries."""


def _record(request: Request, answer: Answer) -> Exchange:
    """The delivery as an exchange, in which the target is the client."""
    dead = Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS, detail="the receiver disconnected, as configured")
    return Exchange(
        request=request,
        status=None if answer is NoReply.HANG_UP else answer if isinstance(answer, int) else 200,
        headers=Headers(),
        framing=Length(0),
        body=b"",
        size=0,
        sha256=hashlib.sha256().hexdigest(),
        truncated=False,
        arrivals=Arrivals(array("Q"), array("d"), 0),
        ending=dead if answer is NoReply.HANG_UP else COMPLETE,
        seconds=0.0,
        notes={__name__: True},
    )


def is_delivery(exchange: Exchange) -> bool:
    """Whether an exchange is a delivery to us: its status is ours and proves nothing about the target."""
    return __name__ in exchange.notes


def is_on_this_machine(uri: str) -> bool:
    """Whether the host of a URI is this machine by its name or address."""
    host = read_host(uri)
    return is_loopback(host) or host.endswith(".localhost")
