"""Reads HTTP/1.1 messages (RFC 9112) from bytes as they arrive, and has every bound on what a peer may send.

Sans-IO: bytes in, values out. Knows start lines, fields, framings, how they break, and which status refuses a
request; must not know sockets, services, content codings or what a body means. Field values are read as Latin-1.
A bare LF also ends a line of the head of a response, as RFC 9112, 2.2 allows. A request with one is refused,
because another reader may take two lines for one. A bare CR ends none, and no head that has one is read.

The bounds keep a hostile peer from hanging or flooding us; each has its default and its reason. Reaching one on
the client's side never raises: the exchange gets an `Ending` with `By.LIMIT`, whose `detail` names the field of
`Limits` that was reached, or the time that the exchange was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import BadHead, BadRequest
from harness.transport.http1.heads import has_body, speaks_of_length
from harness.wire import COMPLETE, At, By, Chunked, Ending, Framing, Headers, How, Length, Request, UntilClose
from harness.wire.message import MORE_THAN_A_LINE, TOKEN

RECORDED_BYTES = 256 * 1024 * 1024
"""Size of the largest request or response body that is recorded; larger ones pass unrecorded.

A loaded cassette is held in memory; of what is recorded only a body that is compressed, or JSON with a secret.
"""


class Limits(Struct, frozen=True, kw_only=True):
    """The limits that a client sets to an untrusted target. Seconds are floats; everything else is a count.

    In-process carriers measure seconds on the injected clock, sockets on the machine's monotonic clock.
    """

    connect_seconds: float = 10.0
    """Until the connection is established, including TLS and a proxy's CONNECT."""
    head_seconds: float = 120.0
    """From sending the request to the whole response head; a create that does not stream thinks in this time."""
    idle_seconds: float = 60.0
    """Between two arrivals of body bytes."""
    closing_seconds: float = 3.0
    """After the event that says that a stream is over; a longer exchange gets a twentieth of its time."""
    total_seconds: float = 600.0
    """The whole exchange, so that a slow drip, which is never idle, also ends."""
    head_bytes: int = 64 * 1024
    """Response heads (interim ones counted together) and trailers."""
    body_bytes: int = 64 * 1024 * 1024
    """Body bytes on the wire, after the transfer coding is removed."""
    event_bytes: int = 8 * 1024 * 1024
    """One server-sent event whose blank line has not come yet (for streams that are read as events)."""
    decoded_bytes: int = 64 * 1024 * 1024
    """Body bytes after gzip or deflate is decoded."""
    pauses: int = 100_000
    """Consecutive pieces without a byte; in-process only, where no real time passes that could run out."""

    option: str = ""
    """The option of a command that sets the seconds; "" if it is the program that set them."""

    @property
    def to_close(self) -> float:
        """Seconds for which a stream may stay open after its final event; the rest is for seeing that it does."""
        return min(self.closing_seconds, self.idle_seconds, self.total_seconds / 2)

    def name_wait(self, bound: str) -> str:
        """The name of a bound of seconds: the time that one exchange was given, else its field."""
        if self.idle_seconds == self.total_seconds:
            cure = f", {self.option} gives more" if self.option else ""
            return f"{self.total_seconds:g} s for the whole request{cure}"
        return f"Limits.{bound}"

    def within(self, seconds: float | None) -> Limits:
        """The same bounds for one exchange that may take `seconds` in total, however it spends them."""
        return self if seconds is None else _narrow(self, seconds)


@lru_cache(maxsize=64)
def _narrow(limits: Limits, seconds: float) -> Limits:
    """The limits for one exchange; most exchanges get the same time as the one before."""
    return replace(
        limits,
        connect_seconds=min(limits.connect_seconds, seconds),
        head_seconds=seconds,
        idle_seconds=seconds,
        closing_seconds=max(limits.closing_seconds, seconds / 20),
        total_seconds=seconds,
    )


class ServerLimits(Struct, frozen=True, kw_only=True):
    """The limits that the socket server sets to its clients."""

    head_bytes: int = 64 * 1024
    """A request's line and fields; more is answered with 431."""
    body_bytes: int = 32 * 1024 * 1024
    """A request's body; more is answered with 413."""
    request_seconds: float = 10.0
    """From the first byte of a request to its last; slower is answered with 408."""
    idle_seconds: float = 75.0
    """A connection kept alive without a request on it."""
    pipelined_bytes: int = 256 * 1024
    """Bytes of later requests that are read ahead while one is being answered."""
    drain_seconds: float = 5.0
    """How long a reset waits for the kernel to deliver what was written before it."""
    linger_seconds: float = 1.0
    """How long a finished connection waits for the client's own FIN, so that no answer is lost to a reset."""


_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([^\r\n\0]*))?")
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*://")
_NUMBER = re.compile(r"[0-9]{1,18}")

_BLANKS = " \t"
"""What may stand around a value. Python takes more for white space, and a proxy would frame that otherwise."""

_FOLD = re.compile(rb"(?<![ \t])[ \t]*+\r?\n[ \t]++")

END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
"""What a server ignores before a request (RFC 9112, 2.2)."""


class ResponseHead(NamedTuple):
    """A parsed response head. `framing` follows from method, status and fields; `keep` from these and the version.

    If no body follows (`body` is false), `framing` is the `Length` that the fields state, or 0 if they state none.
    """

    status: int
    reason: str
    headers: Headers
    framing: Framing
    keep: bool
    body: bool = True


class RequestHead(Struct, frozen=True):
    """A parsed request head. `length` is the body's size; None if the body is chunked."""

    method: str
    target: str
    headers: Headers
    length: int | None
    keep: bool
    http10: bool
    expects: bool


def parse_fields(lines: list[str]) -> Headers:
    """The header fields of `lines`; raises `BadHead` for all that a recipient must refuse by RFC 9112."""
    return Headers([_parse_short(line) if len(line) <= 64 else _parse_field(line) for line in lines])


def _parse_field(line: str) -> tuple[str, str]:
    if line[:1] in {" ", "\t"}:
        raise BadHead("folded header line")
    name, colon, value = line.partition(":")
    if not colon or TOKEN.fullmatch(name) is None:
        # What may be its value is not quoted: it may be a key.
        shown = name[:40] if colon else line[:4]
        raise BadHead(f"a line of {len(line)} characters that begins {shown!r} is not a header field")
    value = value.strip(_BLANKS)
    if MORE_THAN_A_LINE.search(value) is not None:
        raise BadHead(f"control character in the value of {name!r}")
    return name, value


_parse_short = lru_cache(maxsize=512)(_parse_field)
"""The messages of one peer repeat most of their short lines."""


def _split_lines(head: bytes) -> list[str]:
    text = head.decode("latin-1")
    if text.count("\n") == text.count("\r\n"):  # nearly always
        return text.split("\r\n")[:-2]
    return [line.removesuffix("\r") for line in text.split("\n")[:-2]]


@lru_cache(maxsize=32)  # within a second, most heads of one server are the same
def parse_response_head(head: bytes, method: str) -> ResponseHead:
    """Parse a response head (blank line included) that answers `method`; raises `BadHead`.

    A folded line is unfolded, as RFC 9112, 5.2 requires of readers of responses.
    """
    is_folded = b"\n " in head or b"\n\t" in head
    first, *rest = _split_lines(_FOLD.sub(b" ", head) if is_folded else head)
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise BadHead(f"{first[:60]!r} is not an HTTP/1.1 status line", in_field=False)
    headers, status = parse_fields(rest), int(match[2])
    body = has_body(method, status)
    length, codings = _read_content_length(headers), _list_codings(headers)
    framing: Framing = UntilClose() if length is None else Length(length)
    if not body:
        framing = Length(length or 0) if speaks_of_length(status, Length(length or 0)) else Length(0)
    elif codings:
        if codings != ["chunked"]:
            raise BadHead(f"transfer-encoding {', '.join(codings)!r}: only chunked was offered")
        framing = Chunked()
    keep = _keeps(headers, http10=match[1] == "0") and not isinstance(framing, UntilClose)
    return ResponseHead(status, match[3] or "", headers, framing, keep, body)


def parse_request_head(head: bytes) -> RequestHead:
    """Parse a request head (blank line included); raises `BadHead`."""
    if head.count(b"\n") != head.count(b"\r\n"):
        raise BadHead("a line of the head ends in a bare LF, and must end in CRLF", in_field=False)
    first, *rest = _split_lines(head)
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise BadHead(f"{first[:60]!r} is not an HTTP/1.1 request line", in_field=False)
    headers = parse_fields(rest)
    target = match[2]
    if match[1] != "CONNECT" and target != "*" and not target.startswith("/"):
        if _SCHEME.match(target) is None:  # of another form, which could name a host
            raise BadHead(f"the target {target[:60]!r} is not a path: begin it with /", in_field=False)
        slash = target.find("/", target.index("://") + 3)
        target = target[slash:] if slash >= 0 else "/"
    length, codings = _read_content_length(headers), _list_codings(headers)
    http10 = match[3] == "0"
    if "transfer-encoding" in headers and (codings != ["chunked"] or length is not None or http10):
        raise BadHead("transfer-encoding must be chunked alone, in HTTP/1.1, and without content-length")
    return RequestHead(
        match[1],
        target,
        headers,
        None if codings else length or 0,
        _keeps(headers, http10=http10),
        http10,
        headers.get("expect").lower() == "100-continue" and not http10,
    )


def _read_content_length(headers: Headers) -> int | None:
    stated = headers.all("content-length")
    if not stated:
        return None
    if len(stated) == 1 and _NUMBER.fullmatch(stated[0]) is not None:  # nearly always
        return int(stated[0])
    values = {part.strip(_BLANKS) for value in stated for part in value.split(",")}
    value = values.pop()
    if values or _NUMBER.fullmatch(value) is None:
        raise BadHead(f"content-length {', '.join(sorted({value, *values}))!r} is not one number")
    return int(value)


def _list_codings(headers: Headers) -> list[str]:
    values = headers.all("transfer-encoding")
    return [part.strip(_BLANKS).lower() for value in values for part in value.split(",") if part.strip(_BLANKS)]


def _keeps(headers: Headers, *, http10: bool) -> bool:
    options = ",".join(headers.all("connection")).lower()
    return "keep-alive" in options if http10 else "close" not in options


# RFC 9112, 2.2 lets a bare LF end the lines of a head, and that of a response is read. In a chunked body every
# line needs CRLF (7.1), and here in the head of a request, too: where two readers differ, one of them takes a part
# of a message for the next message (11.2). A bare LF was once read there, too.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_SIZE_LINE_BYTES = 4096
_NEEDS_CRLF = "must end in CRLF"


class Data(NamedTuple):
    """Some body bytes, in order of arrival.

    `declared` is the size of the HTTP chunk that they belong to, None with any other framing; `ends_chunk`: the
    chunk ends with them. A chunk that arrives in several reads gives several `Data`.
    """

    data: bytes
    declared: int | None = None
    ends_chunk: bool = True


class BodyReader:
    """Takes the bytes of one body from the front of `buffer`, which its owner fills.

    `advance` returns what is new; once `ended` is set it takes nothing more. `most` bounds the body's bytes,
    `most_trailers` the bytes after the last chunk.
    """

    def __init__(self, framing: Framing, buffer: bytearray, *, most: int, most_trailers: int) -> None:
        self._framing = framing
        self._buffer = buffer
        self._most = most
        self._most_trailers = most_trailers
        self._trailer_bytes = 0
        self._last_chunk_bytes = 0
        self._sent = 0
        self._open: int | None = None
        self._left = 0
        self._state: Callable[[list[Data]], bool] = self._until_close
        self.ended: Ending | None = None
        if isinstance(framing, Chunked):
            self._state = self._size_line
        elif isinstance(framing, Length):
            self._state = self._counted
            self._left = framing.size
            if framing.size == 0:
                self.ended = COMPLETE

    def advance(self) -> list[Data]:
        """Parse what the buffer holds; sets `ended` if the body ends or breaks there."""
        found: list[Data] = []
        while self.ended is None and self._state(found):
            pass
        return found

    @property
    def ending_bytes(self) -> int:
        """How many bytes, the latest ones, end the body or may turn out to: the last chunk, as far as it has come.

        Clients differ in how much of it they wait for. Of a body that states its length it is the last byte.
        """
        if isinstance(self._framing, Length):
            return 1 if self.ended is not None and self.ended.complete else 0
        if self._last_chunk_bytes:
            unread = 0 if self.ended is not None else len(self._buffer)
            return self._last_chunk_bytes + self._trailer_bytes + unread
        begun = self._state == self._size_line and self._buffer.startswith(b"0")
        return len(self._buffer) if begun and self.ended is None else 0

    def place(self, how: How, by: By, detail: str = "") -> Ending:
        """The ending of a body that stops here for the given reason."""
        if isinstance(self._framing, Length):
            return Ending(by, how, At.IN_BODY, self._framing.size, self._sent, detail)
        if self._open is not None:
            return Ending(by, how, At.IN_CHUNK, self._open, self._open - self._left, detail)
        if isinstance(self._framing, Chunked) and self._buffer and how is not How.BAD_HTTP:
            return Ending(by, how, At.IN_CHUNK, None, 0, detail)
        return Ending(by, how, At.IN_BODY, detail=detail)

    def _bad(self, problem: str) -> bool:
        self.ended = self.place(How.BAD_HTTP, By.SERVER, problem)
        return False

    def _refuse(self, problem: str) -> bool:
        self.ended = self.place(How.FIN, By.LIMIT, problem)
        return False

    def _take(self, most: int) -> bytes:
        buffer = self._buffer
        data = bytes(buffer) if most >= len(buffer) else bytes(memoryview(buffer)[:most])
        del buffer[: len(data)]
        self._sent += len(data)
        return data

    def _flooded(self) -> bool:
        return self._sent > self._most and not self._refuse(f"body exceeds {self._most} bytes (Limits.body_bytes)")

    def _until_close(self, found: list[Data]) -> bool:
        if self._buffer:
            found.append(Data(self._take(len(self._buffer))))
            self._flooded()
        return False

    def _counted(self, found: list[Data]) -> bool:
        if self._buffer:
            data = self._take(self._left)
            self._left -= len(data)
            found.append(Data(data))
            if not self._flooded() and not self._left:
                self.ended = COMPLETE
        return False

    def _size_line(self, found: list[Data]) -> bool:
        end = self._buffer.find(b"\n", 0, _SIZE_LINE_BYTES) + 1
        if not end:
            too_long = len(self._buffer) >= _SIZE_LINE_BYTES
            return too_long and self._bad(f"chunk-size line exceeds {_SIZE_LINE_BYTES} bytes")
        line = bytes(self._buffer[:end])
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            bare = _SIZE_LINE.fullmatch(line.removesuffix(b"\n") + b"\r\n") is not None
            problem = f"ends in a bare LF, and {_NEEDS_CRLF}" if bare else "is not one"
            return self._bad(f"the chunk-size line {line[:40]!r} {problem}")
        del self._buffer[:end]
        self._open = self._left = int(match[1], 16)
        self._last_chunk_bytes = 0 if self._open else end
        self._state = self._chunk if self._open else self._trailers
        return True

    def _chunk(self, found: list[Data]) -> bool:
        if self._left:
            if not self._buffer:
                return False
            data = self._take(self._left)
            self._left -= len(data)
            found.append(Data(data, self._open, self._left == 0))
            if self._flooded():
                return False
        if self._left:
            return False
        start = bytes(self._buffer[:2])
        if start in {b"", b"\r"}:
            return False
        if start != b"\r\n":
            return self._bad(f"a chunk of {self._open} bytes is followed by {start!r} instead of CRLF")
        del self._buffer[:2]
        self._open = None
        self._state = self._size_line
        return True

    def _trailers(self, found: list[Data]) -> bool:
        end = self._buffer.find(b"\n") + 1
        if self._trailer_bytes + (end or len(self._buffer)) > self._most_trailers:
            return self._refuse(f"trailers exceed {self._most_trailers} bytes (Limits.head_bytes)")
        if not end:
            return False
        line = bytes(self._buffer[:end])
        if not line.endswith(b"\r\n"):
            return self._bad(f"a trailer line of {end} bytes ends in a bare LF, and {_NEEDS_CRLF}")
        if line != b"\r\n":
            try:
                parse_fields([line[:-2].decode("latin-1")])
            except BadHead as bad:
                return self._bad(f"a trailer: {bad}")
        del self._buffer[:end]
        self._trailer_bytes += end
        if line == b"\r\n":
            self.ended = COMPLETE
        return True


# Requests, one after the other. Clients that keep a connection alive repeat their head byte for byte, so parsed
# heads are cached by their bytes.


class Incoming(Struct, frozen=True):
    """A whole request, and its head with its fields about the connection.

    `opened`: pages of any origin may send a request with this head.
    """

    request: Request
    head: RequestHead
    opened: bool = False


class HeadCache:
    """Parsed heads by their bytes, shared by the connections of a server; cleared when it is full.

    `opens` decides for a request without its body whether pages of any origin may send it.
    """

    __slots__ = ("_opens", "heads")

    def __init__(self, opens: Callable[[Request], bool] | None = None) -> None:
        self.heads: dict[bytes, Incoming] = {}
        self._opens = opens

    def read(self, raw: bytes) -> Incoming:
        """The parsed head as a request without a body; raises `BadRequest`."""
        known = self.heads.get(raw)
        if known is None:
            try:
                head = parse_request_head(raw)
            except BadHead as bad:
                raise BadRequest(400, str(bad)) from None
            # RFC 9112, 3.2 lets no server answer a request that does not name one host.
            count = len(head.headers.all("host"))
            if count == 0 and not head.http10:
                raise BadRequest(
                    400, "the request has no Host header, which HTTP/1.1 needs: send Host: 127.0.0.1:PORT"
                )
            if count > 1:
                raise BadRequest(400, f"the request has {count} Host headers: send one")
            request = Request(head.method, head.target, head.headers)
            known = Incoming(request, head, self._opens is not None and self._opens(request))
            if len(raw) <= 4096:
                if len(self.heads) >= 1024:
                    self.heads.clear()
                self.heads[raw] = known
        return known


class RequestReader:
    """Bytes in, requests out; bytes after a request are kept for the next one."""

    __slots__ = ("_body", "_buffer", "_cache", "_data", "_expecting", "_incoming", "_limits", "_scanned")

    def __init__(self, cache: HeadCache, limits: ServerLimits) -> None:
        self._cache = cache
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0
        self._incoming: Incoming | None = None
        self._body: BodyReader | None = None
        self._data = bytearray()
        self._expecting = False

    @property
    def waiting(self) -> int:
        """How many buffered bytes have not been read as a request yet."""
        return len(self._buffer)

    @property
    def begun(self) -> bool:
        """Whether part of a request has arrived."""
        return self._incoming is not None or bool(self._buffer)

    def describe(self) -> str:
        """The part of a request that has arrived so far, in words."""
        if self._incoming is None:
            return f"{self.waiting} bytes of its head"
        head, come = self._incoming.head, len(self._data) + self.waiting
        of = "" if head.length is None else f" of {head.length}"
        return f"the head of {head.method} {head.target.partition('?')[0]}, and {come}{of} bytes of its body"

    def expects(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends a body; true at most once per request."""
        expecting, self._expecting = self._expecting and not self._data, False
        return expecting

    def at_once(self, data: bytes) -> Incoming | None:
        """The request, if `data` is exactly one whole request with a known head; None if it must be read in steps.

        Nearly every request repeats the head of the one before it; such a request is never copied to the buffer.
        """
        end = data.find(b"\r\n\r\n") + 4
        known = self._cache.heads.get(data[:end])
        if known is None or self._incoming is not None or self._buffer:
            return None
        request, head = known.request, known.head
        length = head.length
        if length != len(data) - end or length > self._limits.body_bytes:
            return None
        if not length:
            return known
        return Incoming(Request(request.method, request.target, request.headers, data[end:]), head, known.opened)

    def feed(self, data: bytes) -> None:
        """Buffer bytes that arrived."""
        self._buffer += data

    def take(self) -> Incoming | None:
        """The next whole request, None until more bytes arrive; raises `BadRequest`."""
        buffer, limits = self._buffer, self._limits
        if self._incoming is None:
            if empty := EMPTY_LINES.match(buffer):
                del buffer[: empty.end()]
            if not buffer:
                return None
            if buffer[0] == 0x16:  # the first byte of TLS, which begins no method: the client would wait in vain
                raise BadRequest(
                    400, "this port speaks plain HTTP and was sent TLS: write http:// instead of https://"
                )
            end = buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0)) + 4
            if end == 3:  # a bare LF may end a line, too: such a head is read to its end, and then refused
                match = END_OF_HEAD.search(buffer, max(self._scanned - 3, 0))
                end = match.end() if match else 0
            self._scanned = len(buffer)
            if (end or len(buffer)) > limits.head_bytes:
                raise BadRequest(431, f"the request's head exceeds {limits.head_bytes} bytes")
            if not end:
                return None
            self._scanned = 0
            raw = bytes(buffer[:end])
            del buffer[:end]
            self._incoming = self._cache.read(raw)
            self._expecting = self._incoming.head.expects and self._incoming.head.length != 0
        incoming, length = self._incoming, self._incoming.head.length
        if length == 0:
            self._incoming = None
            return incoming
        if length is not None and length > limits.body_bytes:
            raise BadRequest(413, f"the request's body of {length} bytes exceeds {limits.body_bytes}")
        if self._body is None and length is not None and length <= len(buffer):
            data = bytes(buffer[:length])  # nearly every request: its body came with its head
            del buffer[:length]
        else:
            if self._body is None:
                framing = Chunked() if length is None else Length(length)
                self._body = BodyReader(framing, buffer, most=limits.body_bytes, most_trailers=limits.head_bytes)
            for part in self._body.advance():
                self._data += part.data
            ending = self._body.ended
            if ending is None:
                return None
            if not ending.complete:
                status = 400 if ending.how is How.BAD_HTTP else 413
                raise BadRequest(status, f"the request's body: {ending.detail}")
            data, self._data, self._body = bytes(self._data), bytearray(), None
        self._incoming, self._expecting = None, False
        request = incoming.request
        whole = Request(request.method, request.target, request.headers, data)
        return Incoming(whole, incoming.head, incoming.opened)


# A response, up to its exact ending: the client uses this, and so does whatever records traffic.


Event: TypeAlias = ResponseHead | Data | Ending

_PROTOCOL = b"HTTP/1."
_TLS_ALERT = b"\x15\x03"


class ResponseReader:
    """Reads one response to `method`.

    `feed` returns the new events. An `Ending` comes at most once, as the last event, and `ended` keeps it.
    """

    def __init__(self, method: str, limits: Limits | None = None) -> None:
        self._method = method
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._head_bytes = 0
        self._scanned = 0
        self._body: BodyReader | None = None
        self.head: ResponseHead | None = None
        self.ended: Ending | None = None

    @property
    def excess(self) -> int:
        """How many bytes arrived after the response had ended."""
        return len(self._buffer) if self.ended is not None else 0

    @property
    def head_bytes(self) -> int:
        """How many bytes the complete heads take so far, interim ones included."""
        return self._head_bytes

    @property
    def ending_bytes(self) -> int:
        """How many bytes, the latest ones before the excess, end the response or may turn out to."""
        return self._body.ending_bytes if self._body is not None else 0

    @property
    def begun(self) -> bool:
        """Whether at least one byte of the response has arrived."""
        return self._head_bytes > 0 or bool(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """Parse these bytes; return the events they bring."""
        buffer, limits = self._buffer, self._limits
        buffer += data
        events: list[Event] = []
        while self._body is None and self.ended is None:
            if not _PROTOCOL.startswith(buffer[: len(_PROTOCOL)]):
                spoken = "a TLS alert and not HTTP: write https://" if buffer.startswith(_TLS_ALERT) else ""
                self._refuse(spoken or f"{buffer[:40].decode('latin-1').rstrip()!a} is not HTTP/1")
                break
            match = END_OF_HEAD.search(buffer, max(self._scanned - 3, 0))
            self._scanned = len(buffer)
            size = match.end() if match else len(buffer)
            if self._head_bytes + size > limits.head_bytes:
                problem = f"response head exceeds {limits.head_bytes} bytes (Limits.head_bytes)"
                self.stop(How.FIN, By.LIMIT, problem)
                break
            if match is None:
                break
            try:
                head = parse_response_head(bytes(buffer[:size]), self._method)
            except BadHead as bad:
                if bad.in_field:
                    self.stop(How.BAD_HTTP, By.SERVER, str(bad))
                else:
                    self._refuse(str(bad))
                break
            del buffer[:size]
            self._head_bytes += size
            self._scanned = 0
            if head.status >= 200 or head.status == 101:  # any other 1xx is interim: the final head follows
                self.head = head
                events.append(head)
                framing = head.framing if head.body else Length(0)
                self._body = BodyReader(framing, buffer, most=limits.body_bytes, most_trailers=limits.head_bytes)
        if self._body is not None and self.ended is None:
            events += self._body.advance()
            self.ended = self._body.ended
        if self.ended is not None:
            events.append(self.ended)
        return events

    def fin(self) -> Ending:
        """The peer closed: return the ending, complete if the close delimits the body, else cut off here."""
        if self.ended is None and self.head is not None and isinstance(self.head.framing, UntilClose):
            self.ended = COMPLETE
        return self.ended or self.stop(How.FIN)

    def stop(self, how: How, by: By = By.SERVER, detail: str = "") -> Ending:
        """Stop reading for an external reason; the ending has the place. An earlier ending stays."""
        if self.ended is None:
            if self._body is not None:
                self.ended = self._body.place(how, by, detail)
            elif received := self._head_bytes + len(self._buffer):
                self.ended = Ending(by, how, At.IN_HEADERS, sent=received, detail=detail)
            else:
                self.ended = Ending(by, how, At.BEFORE_HEADERS, detail=detail)
        return self.ended

    def _refuse(self, problem: str) -> None:
        self.ended = Ending(By.SERVER, How.BAD_HTTP, At.BEFORE_HEADERS, detail=problem)
