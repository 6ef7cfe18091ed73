"""Turn both directions of one tapped connection into exchanges.

Sans-IO: bytes and moments in, finished exchanges out. Knows which answer belongs to which request; must not know
sockets, or what is done with an exchange. A piece of a chunked body is one HTTP chunk, regardless of how many
reads it took; a piece of any other body is one read.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from harness.errors import BadHead
from harness.transport.http1.reader import (
    EMPTY_LINES,
    END_OF_HEAD,
    RECORDED_BYTES,
    BodyReader,
    Data,
    Limits,
    RequestHead,
    ResponseHead,
    ResponseReader,
    parse_request_head,
)
from harness.wire import By, Chunk, Chunked, Ending, Exchange, ExchangeBuilder, How, Length, Request
from harness.wire.addresses import find_elsewhere, readdress_head
from harness.wire.bodies import CODINGS
from harness.wire.message import AnswerObserver

HEAD_BYTES = 256 * 1024
IN_MEMORY = 8 * 1024 * 1024
"""The bytes of a body that are kept in memory: less than the modules of a recorder take."""
_READABLE = CODINGS | {"identity", ""}
"""The codings in which a recording can be searched for secrets."""
_UNBOUND = 1 << 60

_HOST = re.compile(rb"(?im)^(host:)[ \t]*([^\r\n]*)")
_ENCODING = re.compile(rb"(?im)^(?P<name>accept-encoding:)(?P<codings>[^\r\n]*)(?P<end>\r?\n)")


class Asked(Struct, eq=False):
    """One request, created when its head is complete; `sent` is the moment at which its body was complete too.

    `client_sees` is the root of the URL that its client asked.
    `too_large` means that its body or its answer's body exceeds what is recorded, or what the disk takes.
    """

    head: RequestHead
    client_sees: str = ""
    body: bytearray = field(default_factory=bytearray)
    sent: float | None = None
    too_large: bool = False

    @property
    def what(self) -> str:
        """The method and path, which are safe to show; the query is left out because it may contain keys."""
        return f"{self.head.method} {self.head.target.partition('?')[0]}"

    @property
    def request(self) -> Request:
        """The request as far as it has passed."""
        return Request(self.head.method, self.head.target, self.head.headers, bytes(self.body))


class _Forwarded(NamedTuple):
    """A head to send upstream, its parsed form or its fault, and the request as its client sent it.

    `client_sees` is that of `Asked`.
    """

    data: bytes
    head: RequestHead | BadHead
    came: Request | None = None
    client_sees: str = ""


def _keep_readable(field: re.Match[bytes]) -> bytes:
    """The field without codings such as `br`, in which no secret could be found; as it is if it has none."""
    offered = field["codings"].split(b",")
    kept = [one for one in offered if one.partition(b";")[0].strip().lower().decode("latin-1") in _READABLE]
    if len(kept) == len(offered):
        return field[0]
    return field["name"] + b" " + (b",".join(kept).strip() or b"identity") + field["end"]


@lru_cache(maxsize=128)
def _rewrite_head(raw: bytes, authority: str, encoding: str | None) -> _Forwarded:
    """The head as it is sent upstream, otherwise unchanged byte by byte."""
    head = _HOST.sub(rb"\1 " + authority.encode("ascii"), raw)
    if encoding:
        first, end, rest = head.partition(b"\n")
        field_line = b"accept-encoding: " + encoding.encode("ascii") + b"\r\n"
        head = first + end + field_line + _ENCODING.sub(b"", rest)
    elif encoding is not None:
        head = _ENCODING.sub(_keep_readable, head)
    came = None
    try:
        asked = parse_request_head(raw)
        came = Request(asked.method, asked.target, asked.headers)
        sent = parse_request_head(head)
    except BadHead as bad:
        return _Forwarded(head, bad, came)
    host = _HOST.search(raw)
    client_sees = f"http://{host[2].strip().decode('latin-1')}" if host else ""
    return _Forwarded(head, sent, came, client_sees)


class RequestFollower:
    """Takes the bytes of one connection and returns those to send upstream; collects the requests in `asked`.

    `lost` is set to a reason if the bytes can no longer be parsed as requests; from then on everything is
    forwarded unchanged. A body of more than `most` bytes is not kept, which `notes` records. `hear` is called with
    each request when its head is complete. `claims` is asked before, if there is one: a request that it claims, or
    whose head is too large for that question, is not forwarded, nor is what follows it, and `turned_away` is set.
    """

    def __init__(
        self,
        authority: str,
        *,
        encoding: str | None,
        most: int,
        hear: Callable[[Request], object],
        claims: Callable[[Request], bool] | None,
    ) -> None:
        self._authority = authority
        self._encoding = encoding
        self._most = most
        self._hear = hear
        self._claims = claims
        self.turned_away = False
        self._buffer = bytearray()
        self._coming: tuple[Asked, BodyReader] | None = None
        self.asked: deque[Asked] = deque()
        self.notes: list[str] = []
        self.lost = ""
        self._now = 0.0
        self._looked = 0

    @property
    def unsent(self) -> bytes:
        """The bytes that came and were not forwarded."""
        return bytes(self._buffer)

    def feed(self, data: bytes, now: float) -> bytes:
        """Process bytes from the client; return those to send upstream."""
        if self.turned_away or self.lost:
            return b"" if self.turned_away else data
        return self._follow(data, now)

    def _follow(self, data: bytes, now: float) -> bytes:
        self._now = now
        self._buffer += data
        out: list[bytes] = []
        while self._buffer and (
            self._pass_head(out) if self._coming is None else self._pass_body(*self._coming, out)
        ):
            pass
        if self.lost and not self.turned_away:
            out.append(bytes(self._buffer))
            self._buffer.clear()
        return b"".join(out)

    def _pass_head(self, out: list[bytes]) -> bool:
        """Forward one head or the empty lines before it; return whether to go on with the buffer."""
        if empty := EMPTY_LINES.match(self._buffer):
            out.append(empty[0])
            del self._buffer[: empty.end()]
            return True
        end = END_OF_HEAD.search(self._buffer, self._looked)
        self._looked = max(len(self._buffer) - 3, 0) if end is None else 0
        if end is None:
            if len(self._buffer) > HEAD_BYTES:
                self.turned_away = self._claims is not None
                self.lost = f"a request head exceeds {HEAD_BYTES} bytes"
            return False
        raw = bytes(self._buffer[: end.end()])
        forwarded = _rewrite_head(raw, self._authority, self._encoding)
        head = forwarded.head
        if self._claims is not None and forwarded.came is not None and self._claims(forwarded.came):
            self.turned_away = True
            return False
        del self._buffer[: end.end()]
        out.append(forwarded.data)
        if isinstance(head, BadHead):
            self.lost = f"a request that is none, and what follows it on its connection: {head}"
            return False
        asked = Asked(head, forwarded.client_sees)
        self.asked.append(asked)
        self._hear(asked.request)
        if head.length == 0:
            asked.sent = self._now
        else:
            framing = Chunked() if head.length is None else Length(head.length)
            self._coming = asked, BodyReader(framing, self._buffer, most=_UNBOUND, most_trailers=HEAD_BYTES)
        return True

    def _pass_body(self, asked: Asked, body: BodyReader, out: list[bytes]) -> bool:
        """Forward what belongs to the body; return whether it is complete and the next request can follow."""
        raw = bytes(self._buffer)
        for part in body.advance():
            if not asked.too_large:
                asked.body += part.data
        if len(asked.body) > self._most:
            asked.too_large = True
            asked.body.clear()
            self.notes.append(f"{asked.what}: its body exceeds {self._most} bytes")
        out.append(raw[: len(raw) - len(self._buffer)])
        if body.ended is None:
            return False
        if body.ended.complete:
            asked.sent = self._now
        else:
            self.lost = f"{asked.what}: {body.ended.detail}"
        self._coming = None
        return not self.lost


Observe: TypeAlias = Callable[[Request], AnswerObserver | None]
"""Called with each complete request: the observer of its answer, None if nobody looks."""

_LIMITS = Limits(head_bytes=1024 * 1024, body_bytes=_UNBOUND)
"""The tap must not refuse traffic, so bodies have no limit here; only their records have one."""

STOPPED = "the recorder was stopped"
"""The detail of a record that was cut short because the tap stopped before the answer ended."""


class ForwardedRequests(NamedTuple):
    """The bytes to send upstream, and the finished exchanges: those with a response before a whole request."""

    data: bytes
    finished: Sequence[Exchange]


class Passed(NamedTuple):
    """The exchanges that finished, and what may be forwarded of the bytes that have not been forwarded yet.

    `data` goes to the client in place of what came, with addresses of the target put right.
    All but the last `ending` bytes may be forwarded before the exchanges are kept, then all but the last `open`
    ones: those may turn out to end an answer that has not finished.
    """

    finished: Sequence[Exchange]
    data: bytes
    ending: int
    open: int = 0


class _Answer:
    """The answer to one request, while it passes through."""

    def __init__(
        self,
        asked: Asked,
        origin: str,
        most: int,
        notes: list[str],
        observer: AnswerObserver | None,
        spool: Callable[[], BytesIO] | None,
    ) -> None:
        self.asked = asked
        self._origin = origin
        self._held = bytearray()  # of a head that is not whole
        self._passed_bytes = 0  # of heads; interim ones precede that of the answer
        self._is_past_head = False
        self._observer = observer
        self._notes = notes
        self.reader = ResponseReader(asked.head.method, _LIMITS)
        self._most = most
        self._request = Request(asked.head.method, asked.head.target, asked.head.headers)
        self._recorder = ExchangeBuilder(self._request, most=most)
        self._spool = spool
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._last = 0.0

    @property
    def over(self) -> bool:
        """Whether the answer has ended."""
        return self.reader.ended is not None

    def _measure_moment(self, now: float) -> float:
        """Seconds since the request was complete; 0 for an answer that arrives sooner."""
        sent = self.asked.sent
        return 0.0 if sent is None else max(now - sent, 0.0)

    def feed(self, data: bytes, now: float) -> bytes:
        """Process bytes of the answer, and possibly of the next one (`reader.excess`); return what to forward.

        A head is held back until it is whole, because an address in it may be the target's.
        """
        self._last = self._measure_moment(now)
        for event in self.reader.feed(data):
            if isinstance(event, ResponseHead):
                self._recorder.head(event.status, event.headers, event.framing, event.reason)
                for place in find_elsewhere(event.headers, self._origin, event.status):
                    self._notes.append(
                        f"{self.asked.what}: the response names another address ({place}): requests to it are "
                        "not recorded"
                    )
                if self._observer is not None:
                    self._observer.note_head(event.status, event.headers, event.framing)
            elif isinstance(event, Data):
                self._open.append(event.data)
                self._open_bytes += len(event.data)
                if event.ends_chunk or self._open_bytes > IN_MEMORY:
                    self._flush()
        own = data[: max(len(data) - self.reader.excess, 0)]
        if self._is_past_head:
            return own
        self._held += own
        size = self.reader.head_bytes - self._passed_bytes
        head = bytes(self._held[:size])
        del self._held[:size]
        self._passed_bytes += size
        self._is_past_head = self.over or self.reader.head is not None
        sent = readdress_head(head, self._origin, self.asked.client_sees)
        return sent + self.take_held() if self._is_past_head else sent

    def take_held(self) -> bytes:
        """Return the withheld part of a head, which is not withheld any more."""
        held = bytes(self._held)
        self._held.clear()
        return held

    def _flush(self) -> None:
        if self._open_bytes and self._observer is not None:
            self._observer.note_chunks((Chunk(b"".join(self._open)),))
        if self._open_bytes and not self.asked.too_large:
            why, size = "", 0
            try:
                self._recorder.chunk(Chunk(b"".join(self._open)), self._last)
                size = self._recorder.size
                if size > IN_MEMORY and self._spool is not None:
                    self._recorder.keep_in(self._spool())
                    self._spool = None
            except OSError as wrong:
                why = f"cannot be kept: {wrong.strerror}"
            if why or size > self._most:
                self.asked.too_large = True
                self._recorder = ExchangeBuilder(self._request)
                self._notes.append(f"{self.asked.what}: its response {why or f'exceeds {self._most} bytes'}")
        self._open.clear()
        self._open_bytes = 0

    def exchange(self, ending: Ending, now: float) -> Exchange:
        """The record of what has passed, with the request's body, which was perhaps incomplete at the start."""
        self._flush()
        if self._observer is not None:
            self._observer.note_end(ending)
        return replace(self._recorder.finish(ending, self._measure_moment(now)), request=self.asked.request)


class Wiretap:
    """Listens to one connection. Bodies of more than `most` bytes are forwarded but not recorded.

    `origin` is the target's root. `spool` makes what keeps a body above `IN_MEMORY`. `lost` is why the traffic can
    no longer be parsed, "" while it can; it is forwarded in any case.
    """

    def __init__(
        self,
        authority: str,
        *,
        encoding: str | None = None,
        most: int = RECORDED_BYTES,
        observe: Observe = lambda request: None,
        hear: Callable[[Request], object] = lambda request: None,
        claims: Callable[[Request], bool] | None = None,
        origin: str = "",
        spool: Callable[[], BytesIO] | None = None,
    ) -> None:
        self._origin = origin or f"http://{authority}"
        self._spool = spool
        self.requests = RequestFollower(authority, encoding=encoding, most=most, hear=hear, claims=claims)
        self._asked = self.requests.asked
        self._most = most
        self._observe = observe
        self._observers: dict[Asked, AnswerObserver | None] = {}
        self._answer: _Answer | None = None
        self._lost = ""
        self._told = False

    @property
    def lost(self) -> str:
        """Why the traffic can no longer be parsed; "" while it can."""
        return self.requests.lost or self._lost

    @property
    def waiting(self) -> list[str]:
        """The complete requests that have no complete answer yet."""
        return [asked.what for asked in self._asked if asked.sent is not None]

    def notes(self) -> list[str]:
        """The new reasons why something is in no record; each is returned once."""
        if not self.requests.notes and not self.lost:
            return []
        new = self.requests.notes.copy()
        self.requests.notes.clear()
        if self.lost and not self._told:
            self._told = True
            new.append(self.lost)
        return new

    def upward(self, data: bytes, now: float) -> ForwardedRequests:
        """Process bytes from the client."""
        if self._lost:
            return ForwardedRequests(data, ())
        out = self.requests.feed(data, now)
        answer = self._answer
        if answer is None or answer.reader.ended is None or answer.asked.sent is None:
            return ForwardedRequests(out, ())
        return ForwardedRequests(out, self._finish(answer, answer.reader.ended, now))

    def show(self) -> None:
        """Show each complete request to the observer of its answer. It is on its way already."""
        for asked in self._asked:
            if asked.sent is not None and asked not in self._observers:
                self._observers[asked] = self._observe(asked.request)
        if self._asked and self._asked[0].sent is not None:
            self._take_current()  # while the target works: the first byte of its answer waits for nothing

    def downward(self, data: bytes, now: float) -> Passed:
        """Process bytes from upstream, of which only addresses in heads change on their way to the client."""
        finished: list[Exchange] = []
        out, ending_at, rest = b"", -1, data
        while rest and self._asked and not self._lost:
            answer = self._take_current()
            if answer.over:
                break  # complete before its request is: wait for the request
            out += answer.feed(rest, now)
            excess = answer.reader.excess
            rest = rest[max(len(rest) - excess, 0) :] if excess else b""
            ending = answer.reader.ended
            if ending is None or answer.asked.sent is None:
                break
            if not finished:
                ending_at = len(out) - max(answer.reader.ending_bytes, 1)
            finished += self._finish(answer, ending, now)
        waiting = self._answer
        unfinished = 0 if waiting is None or waiting.over or self._lost else waiting.reader.ending_bytes
        out += rest
        ending_bytes = len(out) - ending_at if finished else 0
        return Passed(finished, out, max(ending_bytes, unfinished), unfinished)

    def rest(self) -> bytes:
        """The rest of a head that is still incomplete when the connection ends."""
        return b"" if self._answer is None else self._answer.take_held()

    def _take_current(self) -> _Answer:
        if self._answer is None:
            asked = self._asked[0]
            if asked not in self._observers:  # the response came before it was complete
                self._observers[asked] = self._observe(asked.request)
            notes, observer = self.requests.notes, self._observers[asked]
            self._answer = _Answer(asked, self._origin, self._most, notes, observer, self._spool)
        return self._answer

    def _finish(self, answer: _Answer, ending: Ending, now: float) -> list[Exchange]:
        """Finish an answer; return its record, or nothing if it is too large."""
        self._observers.pop(self._asked.popleft(), None)
        self._answer = None
        head, rest = answer.reader.head, f"the bytes after {answer.asked.what} on its connection"
        if ending.how is How.BAD_HTTP:
            self._lost = f"{rest}: {ending.detail}"
        elif head is not None and (
            head.status == 101 or (answer.asked.head.method == "CONNECT" and head.status < 300)
        ):
            self._lost = f"{rest}: status {head.status}, another protocol takes over"
        record = answer.exchange(ending, now)
        return [] if answer.asked.too_large else [record]

    def stop(self, now: float) -> Sequence[Exchange]:
        """The tap stops: return what has arrived of answers. Requests without a response head only get a note."""
        finished: list[Exchange] = []
        while self._asked and not self._lost:
            answer = self._take_current()
            if answer.reader.head is None:
                self.requests.notes.append(f"{answer.asked.what}: {STOPPED} before its response arrived")
                self._asked.popleft()
                self._answer = None
            else:
                finished += self._finish(answer, answer.reader.stop(How.FIN, By.LIMIT, STOPPED), now)
        return finished

    def end(self, by: By, how: How, now: float, detail: str = "", *, torn: bool = False) -> Sequence[Exchange]:
        """One side ended: return the exchange of each request that was complete or has a response.

        A `torn` FIN completes no body, not even one that is delimited by the close.
        """
        finished: list[Exchange] = []
        while self._asked and not self._lost:
            answer = self._take_current()
            if answer.asked.sent is None and not answer.reader.begun:
                self.requests.notes.append(f"{answer.asked.what}: the connection ended while it was being sent")
                break
            fin = by is By.SERVER and how is How.FIN and not torn
            ending = answer.reader.fin() if fin else answer.reader.stop(how, by, detail)
            finished += self._finish(answer, ending, now)
        return finished
