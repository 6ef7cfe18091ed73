"""The pieces of a body, and time as a value. A dropped connection is a value here, too.

An HTTP chunk, a TCP read, a piece and an event are four different things: a piece is just what one side handed
over at once. Only arriving requests and finished pauses move a clock, never a reader's speed: no module below
`transport` may ask the operating system for the time; each is given a `Clock`.
"""

from __future__ import annotations

from enum import StrEnum
from threading import Lock
from typing import Protocol, TypeAlias

from msgspec import Struct


class Chunk(Struct, eq=False):
    """Bytes handed over together. Must not be modified, except for `coded`.

    `declared` (with chunked framing only) is set when the chunk's header line announces more bytes than follow.
    The piece after such a chunk is an `Ending` at `At.IN_CHUNK`.
    """

    data: bytes
    declared: int | None = None
    coded: bytes = b""
    """The bytes with their header line, as a server wrote them first: streams of one run share their chunks."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chunk) and self.data == other.data and self.declared == other.declared

    def __hash__(self) -> int:
        return hash((self.data, self.declared))

    def __repr__(self) -> str:
        return f"Chunk(data={self.data!r}, declared={self.declared!r})"


class Pause(Struct, frozen=True):
    """No bytes for `seconds` of the carrier's clock."""

    seconds: float


class By(StrEnum):
    """The side that ended a body."""

    SERVER = "server"
    CLIENT = "client"
    LIMIT = "limit"


class How(StrEnum):
    """The way a body ended; only `COMPLETE` means that the framing was satisfied."""

    COMPLETE = "complete"
    FIN = "fin"
    RST = "rst"
    STALL = "stall"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    TLS = "tls"
    BAD_HTTP = "bad_http"


class At(StrEnum):
    """Where a body ended."""

    BEFORE_HEADERS = "before_headers"
    IN_HEADERS = "in_headers"
    IN_BODY = "in_body"
    IN_CHUNK = "in_chunk"


UNRESOLVED = "no address for the host name "
"""How the detail of an ending begins if a name does not resolve, so that no server was reached."""


_WITHOUT_PLACE = {How.REFUSED: "connection refused", How.TLS: "the TLS connection failed"}
_ENDED_BY_SERVER = {
    How.FIN: "the server closed the connection",
    How.RST: "the server reset the connection",
    How.STALL: "the server sent nothing more",
    How.TIMEOUT: "the server sent nothing more in time",
    How.BAD_HTTP: "the server sent invalid HTTP",
}
_PLACES = {
    At.BEFORE_HEADERS: "before the headers",
    At.IN_HEADERS: "within the headers",
    At.IN_BODY: "within the body",
    At.IN_CHUNK: "within a chunk",
}


class Ending(Struct, frozen=True):
    """The last piece of every body.

    `declared` and `sent` count bytes: of the body with a Content-Length, of the open chunk at `IN_CHUNK`, of
    the response head at `IN_HEADERS` (where `declared` is None). `detail` is one line for a human.
    """

    by: By = By.SERVER
    how: How = How.COMPLETE
    at: At = At.IN_BODY
    declared: int | None = None
    sent: int | None = None
    detail: str = ""

    @property
    def complete(self) -> bool:
        """Whether the framing was satisfied; a complete body may still contain a truncated stream."""
        return self.how is How.COMPLETE

    @property
    def headless(self) -> bool:
        """Whether the body ended before its head was whole."""
        return self.at in (At.BEFORE_HEADERS, At.IN_HEADERS)

    @property
    def unresolved(self) -> bool:
        """Whether the name of the server does not resolve."""
        return self.detail.startswith(UNRESOLVED)

    @property
    def words(self) -> str:
        """The ending as a sentence: `the server reset the connection before the headers`."""
        if self.complete:
            return "complete"
        if self.how in _WITHOUT_PLACE:
            return _WITHOUT_PLACE[self.how]
        limit = "the time limit" if self.how is How.TIMEOUT else "a limit"
        ways = {By.CLIENT: "the client disconnected", By.LIMIT: f"{limit} was reached"}
        return f"{ways.get(self.by) or _ENDED_BY_SERVER[self.how]} {_PLACES[self.at]}"


COMPLETE = Ending()

Piece: TypeAlias = Chunk | Pause | Ending


TICK = 0.002
"""Seconds by which an arriving request moves logical time; short, because a socket carrier really sleeps them."""


class Clock(Protocol):
    """Counts seconds since its own start; never goes back."""

    @property
    def now(self) -> float: ...

    @property
    def tick_seconds(self) -> float: ...

    @property
    def speed(self) -> float:
        """Seconds of this clock in one second of the machine: how much faster a carrier waits a pause."""

    def tick(self) -> None:
        """Record that a request arrived."""

    @property
    def skipped(self) -> float:
        """The seconds that a client has slept without waiting (`LogicalClock.skip_to`)."""

    def reached(self, moment: float) -> None:
        """Record the end of a pause due at `moment`; several readers never count the same time twice."""


class LogicalClock:
    """The clock of tests: deterministic, and never waits. Threads may share it."""

    __slots__ = ("_lock", "_now", "skipped", "speed", "tick_seconds")

    def __init__(self, *, tick_seconds: float = TICK, speed: float = 1.0) -> None:
        if tick_seconds <= 0:
            raise ValueError(
                f"tick_seconds={tick_seconds!r} must be positive: it is how far one request moves time"
            )
        if speed <= 0:
            raise ValueError(f"speed={speed!r} must be positive: 60 plays a minute of this clock in a second")
        self._now = 0.0
        self._lock = Lock()
        self.skipped = 0.0
        self.tick_seconds = tick_seconds
        self.speed = speed

    @property
    def now(self) -> float:
        """Seconds since this clock was created."""
        return self._now

    def tick(self) -> None:
        """Move by one tick: a request arrived."""
        with self._lock:
            self._now += self.tick_seconds

    def reached(self, moment: float) -> None:
        """Move to `moment` unless time is already past it."""
        with self._lock:
            self._now = max(self._now, moment)

    def skip_to(self, moment: float) -> None:
        """Move to `moment`, like `reached`, because a client's sleep that ends then was skipped."""
        with self._lock:
            self.skipped += max(0.0, moment - self._now)
            self._now = max(self._now, moment)
