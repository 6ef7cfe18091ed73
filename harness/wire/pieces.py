"""The pieces of a body: bytes, pauses and the ending. A dropped connection is a value here.

Layer 0. An HTTP chunk, a TCP read, a piece and an event are four different things: a piece is just what one side
handed over at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(slots=True, unsafe_hash=True)
class Chunk:
    """Bytes handed over together. Must not be modified; `frozen=True` would double the time to make one.

    `declared` (with chunked framing only) is set when the chunk's header line announces more bytes than follow.
    The piece after such a chunk is an `Ending` at `At.IN_CHUNK`.
    """

    data: bytes
    declared: int | None = None
    coded: bytes = field(default=b"", init=False, repr=False, compare=False)
    """The bytes with their header line, as a server wrote them first: streams of one run share their chunks."""


@dataclass(frozen=True, slots=True)
class Pause:
    """No bytes for `seconds` of the carrier's clock."""

    seconds: float


class By(StrEnum):
    """Who ended a body."""

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


@dataclass(frozen=True, slots=True)
class Ending:
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
        """Whether the framing was satisfied; a complete body may still hold a truncated stream."""
        return self.how is How.COMPLETE

    @property
    def words(self) -> str:
        """How and where the body ended, for a message: `rst before headers`."""
        return f"{self.how} {self.at.replace('_', ' ')}"


COMPLETE = Ending()

Piece: TypeAlias = Chunk | Pause | Ending
