"""The two halves of an exchange, a `Request` and a `Response`; the pieces of a body; the record of both halves;
and time as a value.

A request is fully read; a response is lazy and single-use. Knows HTTP's vocabulary (method, target, headers,
framing); must not know sockets or any API.

An HTTP chunk, a TCP read, a piece and an event are four different things: a piece is just what one side handed
over at once. A dropped connection is a value here, too. Only arriving requests and finished pauses move a clock,
never a reader's speed: no module below `transport` may ask the operating system for the time; each is given a
`Clock`.

An `Exchange` is the finished record; its size is bounded whatever the other side sends.
"""

from __future__ import annotations

import hashlib
import io
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache, reduce
from threading import Lock
from typing import Protocol, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

from msgspec import Struct, field
from msgspec.structs import force_setattr


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
"""Seconds by which an arriving request moves logical time; short, because a socket carrier really sleeps them, and
not shorter, because an event loop rounds its timers up to 1 ms."""


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


EVENT_STREAM = "text/event-stream"
BUSY = frozenset({408, 429, 503, 504})
"""Statuses that say nothing about the request, only to try again later."""

NOT_READY = frozenset({502, 503, 504})
"""Statuses of a server that is not ready, or of the front of one that cannot be reached."""

UNREACHED = frozenset({502, 504})
"""Statuses of a gateway that got no response from its server."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses that send the client elsewhere, which it need not follow."""

PROXY_REFUSALS = frozenset({405, 408, 411, 413, 414, 429, 431, 501, 502, 503, 504})
"""Refusals that may come from a proxy or a framework in front of the API, with an error shape of its own."""

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""The form of method and field names (RFC 9110, 5.6.2)."""

_LONGEST_KEPT = 256
"""Length up to which the parts of a target are kept: each part of this package asks for them once more."""

MORE_THAN_A_LINE = re.compile(r"[\r\n\0]")
"""Characters that neither a field value nor a reason phrase may contain."""


def segment(text: str) -> str:
    """Percent-encode one path segment fully; ids are opaque and may contain anything, even a lone surrogate."""
    return quote(text, safe="", errors="surrogatepass")


def is_sendable(name: str, value: str) -> bool:
    """Whether a header field can be sent: its name is a token, its value one line."""
    return TOKEN.fullmatch(name) is not None and MORE_THAN_A_LINE.search(value) is None


class Headers:
    """Immutable header fields, in wire order; names compare without case, values keep their spelling."""

    __slots__ = ("_hash", "_index", "_items", "_longer", "known_size")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = tuple(items)
        self._index: dict[str, list[str]] | None = None
        self._hash = 0
        self._longer: tuple[str, str, Headers] | None = None
        self.known_size = 0
        """`size` once somebody asked for it, else 0."""

    def _by_name(self) -> dict[str, list[str]]:
        if self._index is None:
            index: dict[str, list[str]] = {}
            for name, value in self._items:
                index.setdefault(name.lower(), []).append(value)
            self._index = index
        return self._index

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name`, or `default`."""
        index = self._index
        values = (self._by_name() if index is None else index).get(name.lower())
        return values[0] if values else default

    def all(self, name: str) -> list[str]:
        """Every value of `name`, in wire order."""
        return list(self._by_name().get(name.lower(), ()))

    @property
    def names(self) -> KeysView[str]:
        """The names of the fields, in lower case."""
        return self._by_name().keys()

    def items(self) -> tuple[tuple[str, str], ...]:
        """Name and value pairs in wire order, spelled as received."""
        return self._items

    def adding(self, name: str, value: str) -> Headers:
        """A copy with one more field; the same object as before if that was added before."""
        # Hot: every response of a server has the same further fields, and its head is then written already.
        longer = self._longer
        if longer is None or longer[1] != value or longer[0] != name:
            longer = self._longer = name, value, Headers((*self._items, (name, value)))
        return longer[2]

    def having(self, name: str, value: str) -> Headers:
        """A copy in which `name` has exactly this one value."""
        kept = self.without(name) if name in self else self
        return Headers((*kept.items(), (name, value)))

    def with_length(self, size: int) -> Headers:
        """A copy in which Content-Length, if present, is `size`, in the same position."""
        return Headers((n, str(size) if n.lower() == "content-length" else v) for n, v in self._items)

    def without(self, *names: str) -> Headers:
        """A copy that lacks the named fields."""
        gone = {name.lower() for name in names}
        return Headers(item for item in self._items if item[0].lower() not in gone)

    @property
    def size(self) -> int:
        """The characters of all names and values."""
        if not self.known_size:
            self.known_size = sum(len(name) + len(value) for name, value in self._items)
        return self.known_size

    def media_type(self) -> str:
        """The media type of Content-Type in lower case, without parameters; `""` when absent."""
        return self.get("content-type").partition(";")[0].strip().lower()

    def __contains__(self, name: object) -> bool:
        index = self._index
        return isinstance(name, str) and name.lower() in (self._by_name() if index is None else index)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash(self._items)
        return self._hash

    def __repr__(self) -> str:
        return f"Headers({list(self._items)!r})"


class Request(Struct, frozen=True):
    """One request as it is on the wire: `target` is the raw path and query, percent-encoding untouched."""

    method: str
    target: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def without_body(self) -> Request:
        """The same request without its body."""
        return Request(self.method, self.target, self.headers)

    def having(self, *fields: tuple[str, str]) -> Request:
        """The same request, in which each of these header fields has exactly this one value."""
        headers = reduce(lambda known, one: known.having(*one), fields, self.headers)
        return Request(self.method, self.target, headers, self.body)

    @property
    def raw_path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self.target.partition("?")[0]

    def below(self, root: str) -> str:
        """The URL of the request at a server. A target without its slash would name another host there."""
        return root + (self.target if self.target.startswith("/") else f"/{self.target}")

    @property
    def path(self) -> str:
        """The percent-decoded path. For matching, use `segments`: an id may contain `%2F`."""
        return unquote(self.raw_path)

    @property
    def segments(self) -> tuple[str, ...]:
        """The decoded path segments; an encoded slash stays inside its segment."""
        target = self.target
        return _split_path(target) if len(target) <= _LONGEST_KEPT else _split_path.__wrapped__(target)

    @property
    def query(self) -> list[tuple[str, str]]:
        """Decoded query pairs in order, blank values kept."""
        query = self.target.partition("?")[2]
        return list(_split_query(query) if len(query) <= _LONGEST_KEPT else _split_query.__wrapped__(query))

    def parameter(self, name: str) -> str | None:
        """The last value of one query parameter, None when it was not sent."""
        return dict(self.query).get(name) if "?" in self.target else None


@lru_cache(1024)
def _split_path(target: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in target.partition("?")[0].strip("/").split("/"))


@lru_cache(1024)
def _split_query(query: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(query, keep_blank_values=True))


class Chunked(Struct, frozen=True):
    """Transfer-Encoding: chunked; each `Chunk` piece is one chunk."""


class Length(Struct, frozen=True):
    """Content-Length: `size` bytes are promised. A body that has fewer ends with a fault."""

    size: int


class UntilClose(Struct, frozen=True):
    """No length: the end of the connection is the end of the body."""


Framing: TypeAlias = Chunked | Length | UntilClose


class Body(Protocol):
    """Pieces of a response, pulled one at a time; the last one is always an `Ending`.

    `close` is idempotent, may be called before the first piece, and is called exactly once by every carrier: it
    is how a service learns that its client has disconnected. A body that raises is a fault of the harness.
    """

    def __iter__(self) -> Iterator[Piece]: ...

    def __next__(self) -> Piece: ...

    def close(self) -> None: ...


class PieceBody:
    """A `Body` over any iterable of pieces; `on_close` runs once, however the body ends."""

    __slots__ = ("_iterator", "_on_close")

    def __init__(self, pieces: Iterable[Piece], on_close: Callable[[], None] | None = None) -> None:
        self._iterator = iter(pieces)
        self._on_close = on_close

    def __iter__(self) -> PieceBody:
        return self

    def __next__(self) -> Piece:
        return next(self._iterator)

    def close(self) -> None:
        """Release the source of the pieces; safe to call again."""
        on_close, self._on_close = self._on_close, None
        self._iterator = iter(())
        if on_close is not None:
            on_close()


class ReadyBody:
    """A `Body` whose chunks are all there, each with its whole data; a carrier may take many of them at once.

    `at` is the place of the next one in `chunks`.
    """

    __slots__ = ("at", "chunks")

    def __init__(self, chunks: Sequence[Chunk], start: int = 0) -> None:
        self.chunks = chunks
        self.at = start

    def take_run(self, most: int) -> Sequence[Chunk]:
        """Take the next chunks; none if only the ending is left."""
        start = self.at
        taken = self.chunks[start : start + most]
        self.at = start + len(taken)
        return taken

    def __iter__(self) -> ReadyBody:
        return self

    def __next__(self) -> Piece:
        at = self.at
        self.at = at + 1
        if at < len(self.chunks):
            return self.chunks[at]
        if at == len(self.chunks):
            return COMPLETE
        raise StopIteration

    def close(self) -> None:
        """Leave nothing to pull."""
        self.chunks, self.at = (), 1


def _whole_body(data: bytes) -> ReadyBody:
    return ReadyBody((Chunk(data),) if data else ())  # an empty chunk is none


class WrappedBody:
    """A `Body` around another one: it passes each piece on. Subclasses watch or change what passes."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Body) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        return next(self._inner)

    def close(self) -> None:
        """Close the wrapped body."""
        self._inner.close()


JSON_HEADERS = Headers((("content-type", "application/json"),))


class Response(Struct):
    """A response whose body is still to be pulled. `headers` do not list the framing: the carrier adds that.

    `clock` is the clock that the body's pauses move. It is set where one carrier serves several services, each
    with a time of its own; None means the carrier's clock.
    """

    status: int
    headers: Headers
    framing: Framing
    body: Body
    reason: str = ""
    clock: Clock | None = None

    @classmethod
    def whole(cls, status: int, headers: Headers, data: bytes) -> Response:
        """A response with a Content-Length whose bytes are all available."""
        return cls(status, headers, Length(len(data)), _whole_body(data))

    @classmethod
    def json(cls, status: int, data: bytes, more: Iterable[tuple[str, str]] = ()) -> Response:
        """A response whose bytes are JSON, with a JSON Content-Type and then `more` header fields."""
        headers = Headers((*JSON_HEADERS, *more)) if more else JSON_HEADERS
        return cls(status, headers, Length(len(data)), _whole_body(data))

    @classmethod
    def dead(cls, ending: Ending) -> Response:
        """A connection that drops before or inside the headers; status and headers are what would have come."""
        return cls(200, Headers(), UntilClose(), PieceBody((ending,)))


Service: TypeAlias = Callable[[Request], Response]
"""Takes a request, returns a response, does no IO: the emulator, a player, a mutant, a faulty wrapper."""


# A body that passes on to an observer what is read from it; the reader notices nothing.


class AnswerObserver(Protocol):
    """Is called for one answer, on the thread that reads it: at most one head, then chunks, then one ending."""

    def note_head(self, status: int, headers: Headers, framing: Framing) -> object:
        """The head of the answer goes out."""

    def note_chunks(self, chunks: Sequence[Chunk], start: int = 0, end: int = 1) -> object:
        """The bytes of `chunks[start:end]` go out at once; the chunks do not change any more."""

    def note_end(self, ending: Ending) -> object:
        """The answer ended, or its reader disconnected."""


def observe(response: Response, observer: AnswerObserver) -> Response:
    """The same response; its body reports to the observer."""
    response.body = ObservedBody(response, observer)
    return response


def holds_head(piece: Piece, framing: Framing) -> bool:
    """Whether the head of a response is sent after this first piece: with the body, whose length it has."""
    return isinstance(piece, Pause) and piece.seconds > 0 and isinstance(framing, Length)


class ObservedBody(WrappedBody):
    """Forwards the pieces of a response's body unchanged and reports them."""

    __slots__ = ("_ended", "_head", "_late", "_next", "_observer", "_opened", "_response", "_sent")

    def __init__(self, response: Response, observer: AnswerObserver) -> None:
        super().__init__(response.body)
        self._next: Piece | None = None  # pulled behind a run of chunks
        self._head = response.status, response.headers  # as it was sent: a wrapper may change its own copy
        self._response = response  # its framing is settled when it is written
        self._observer = observer
        self._opened = self._ended = self._late = False
        self._sent = 0

    def __next__(self) -> Piece:
        piece, self._next = self._next, None
        if piece is None:
            piece = next(self._inner)
        if isinstance(piece, Chunk):
            self._open()
            self._sent += len(piece.data)
            self._observer.note_chunks((piece,))
        elif isinstance(piece, Ending):
            if not piece.headless:
                self._open()
            self._end(piece)
        elif holds_head(piece, self._response.framing):
            self._late = True
        else:
            self._open()
        return piece

    def take_run(self, most: int) -> Sequence[Chunk]:
        """Take the next chunks that a carrier would send at once, and report them as one part.

        Without this, a stream that is served beside an open page would cost ten times as much.
        """
        inner = self._inner
        if type(inner) is ReadyBody:
            chunks, start = inner.chunks, inner.at
            taken = inner.take_run(most)
        else:
            chunks = taken = self._pull_run(most) if self._next is None else ()
            start = 0
        if taken:
            self._open()
            self._observer.note_chunks(chunks, start, start + len(taken))
        return taken

    def _pull_run(self, most: int) -> list[Chunk]:
        """The next plain chunks of a body that is read piece by piece, up to a piece of another kind."""
        taken: list[Chunk] = []
        for piece in self._inner:
            if type(piece) is not Chunk or piece.declared is not None or not piece.data:
                self._next = piece
                break
            taken.append(piece)
            if len(taken) == most:
                break
        return taken

    def close(self) -> None:
        """Close the wrapped body; what was not read to its ending was left by the client."""
        super().close()
        if not self._ended:
            if not self._late:
                self._open()
            left = Ending(by=By.CLIENT, how=How.FIN, detail="disconnected")
            framing = self._response.framing
            only_ending_left = isinstance(framing, Length) and self._sent == framing.size
            self._end(COMPLETE if only_ending_left else left)

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            self._observer.note_head(*self._head, self._response.framing)

    def _end(self, ending: Ending) -> None:
        if not self._ended:
            self._ended = True
            # The response holds this body: without the circle it is freed at once, and not by the collector.
            del self._response
            self._observer.note_end(ending)


def retry_after(headers: Headers | Mapping[str, str]) -> float | None:
    """Return the seconds a response asks to wait, or None; the HTTP-date form of Retry-After is ignored."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, ""))) * unit
        except ValueError:
            continue
    return None


def escape_controls(text: str) -> str:
    """Escape the control characters that a terminal would obey: a target must not paint our report."""
    text = text.replace("\r\n", "\n")
    if text.replace("\n", "").replace("\t", "").isprintable():  # nearly always, and bodies are long
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text)


STEP = 2**20
"""The bytes of a body that are read, searched or written at once: more would be a second copy of it in memory."""

KEPT_BYTES = 8 * 1024 * 1024
"""Bytes of a body that a record keeps; the rest is only counted and included in the digest."""

KEPT_PIECES = 65_536
"""Number of pieces whose arrival times are kept."""

_OPENINGS = (b"event:", b"data:", b"id:", b"retry:", b":", b"\xef\xbb\xbfevent:", b"\xef\xbb\xbfdata:")


class Arrivals(Struct, frozen=True):
    """When pieces came: parallel arrays of sizes in bytes and of seconds since the request was sent."""

    sizes: array[int]
    moments: array[float]
    count: int


class Exchange(Struct, frozen=True, eq=False):
    """One request, its response, and the ending. Exchanges compare by identity.

    `status` is None when no complete response head arrived. `body` is the body after transfer decoding, at most
    `KEPT_BYTES` of it; `size` and `sha256` describe all of it. `reason` is the phrase of the status line, "" if
    there is no phrase or no line. `excuse` is why the exchange proves nothing about the target, "" if it does.
    `interrupted`: the client ended what it is about while it was read, so that its end proves nothing, either.
    `began` is when the request was sent, in seconds on the clock of its sender, None if that is not known:
    only the difference of two means something. `notes` is not part of the record: readers keep there, under their
    own name, what they computed from it.
    """

    request: Request
    status: int | None
    headers: Headers
    framing: Framing
    body: bytes
    size: int
    sha256: str
    truncated: bool
    arrivals: Arrivals
    ending: Ending
    seconds: float
    reason: str = ""
    excuse: str = ""
    interrupted: bool = False
    began: float | None = None
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether a whole response arrived according to its framing."""
        return self.status is not None and self.ending.complete

    @property
    def curtailed(self) -> bool:
        """Whether this side read or kept only a part of the response: what that lacks proves nothing."""
        return self.truncated or self.interrupted or self.ending.by is not By.SERVER

    @property
    def hung(self) -> bool:
        """Whether the harness stopped waiting for the response, or for the rest of it."""
        return self.ending.by is By.LIMIT and self.ending.how is How.TIMEOUT

    @property
    def first_byte(self) -> float:
        """Seconds until the first byte of the body; all of them if none came."""
        return self.arrivals.moments[0] if self.arrivals.moments else self.seconds

    @property
    def silence(self) -> float:
        """Seconds from the last piece that came to the end of the record; all of them if nothing came."""
        return self.seconds - (self.arrivals.moments[-1] if self.arrivals.moments else 0.0)

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events: by its media type, or by how it begins if that is wrong."""
        if self.status is None:
            return False
        return self.headers.media_type() == EVENT_STREAM or self.body.lstrip().startswith(_OPENINGS)

    def with_excuse(self, why: str) -> Exchange:
        """This exchange, which from now on proves nothing about the target.

        It stays one object: a copy beside it would look like a second create that was given the same id.
        """
        force_setattr(self, "excuse", why)
        return self

    def with_interruption(self, sent: Iterable[Exchange]) -> Exchange:
        """This exchange, interrupted if one `sent` meanwhile deleted its subject; it stays one object."""
        for other in sent:
            refused = other.status is not None and 400 <= other.status < 500
            if other.request.method == "DELETE" and not refused and (other.began or 0.0) >= (self.began or 0.0):
                name = other.request.segments[-1]
                if name in self.request.segments or name.encode() in self.body:
                    force_setattr(self, "interrupted", True)
        return self

    @property
    def succeeded(self) -> bool:
        """Whether the status is a 2xx."""
        return self.status is not None and 200 <= self.status < 300


class ExchangeBuilder:
    """Builds an `Exchange` while pieces pass; buffers nothing beyond `KEPT_BYTES` and `KEPT_PIECES`.

    If `most` is given, it replaces both bounds: that many bytes of the body are kept, and the arrivals of all
    their pieces. `began` is as in `Exchange`.
    """

    def __init__(self, request: Request, *, most: int | None = None, began: float | None = None) -> None:
        self._request = request
        self._began = began
        self._most, self._keeps_arrivals = (KEPT_BYTES, False) if most is None else (most, True)
        self.status: int | None = None
        self.headers = Headers()
        self.framing: Framing = UntilClose()
        self.reason = ""
        self._body = io.BytesIO()  # its value is the only copy of a body, whatever the size
        self._size = 0
        self._count = 0
        self._digest = hashlib.sha256()
        self._sizes: array[int] = array("Q")
        self._moments: array[float] = array("d")

    def head(self, status: int, headers: Headers, framing: Framing, reason: str = "") -> None:
        """Record the complete response head."""
        self.status = status
        self.headers = headers
        self.framing = framing
        self.reason = reason

    def chunk(self, piece: Chunk, moment: float) -> None:
        """Record bytes that arrived `moment` seconds after the request was sent."""
        data = piece.data
        self._digest.update(data)
        room = self._most - self._size
        self._size += len(data)
        self._count += 1
        if room > 0:
            self._body.write(data[:room])
        if len(self._sizes) < KEPT_PIECES or (self._keeps_arrivals and room > 0):
            self._sizes.append(len(data))
            self._moments.append(moment)

    def keep_in(self, body: io.BytesIO) -> None:
        """Keep the bytes there from now on, and those that came before."""
        body.write(self._body.getvalue())
        self._body = body

    def chunks(self, pieces: Sequence[Chunk], moment: float) -> None:
        """Record pieces that arrived at the same moment."""
        for piece in pieces:
            self.chunk(piece, moment)

    @property
    def size(self) -> int:
        """Bytes of the body seen so far."""
        return self._size

    def span(self, start: int, end: int) -> bytes:
        """The bytes of the body from `start` to `end`, as far as they are kept."""
        with self._body.getbuffer() as kept:
            return bytes(kept[start:end])

    def finish(self, ending: Ending, seconds: float) -> Exchange:
        """Build the record; the exchange ended `seconds` after the request was sent."""
        return Exchange(
            request=self._request,
            status=self.status,
            headers=self.headers,
            framing=self.framing,
            body=self._body.getvalue(),
            size=self._size,
            sha256=self._digest.hexdigest(),
            truncated=self._size > self._most,
            arrivals=Arrivals(self._sizes, self._moments, self._count),
            ending=ending,
            seconds=seconds,
            reason=self.reason,
            began=self._began,
        )
