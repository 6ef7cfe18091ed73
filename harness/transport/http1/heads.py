"""The heads of HTTP/1.1 messages (RFC 9112 sections 2 to 6), and every bound on what a peer may send.

Sans-IO. Knows start lines, fields and what they say about the body; must not know bodies or sockets. Field values
are read and written as Latin-1 (UTF-8 if Latin-1 cannot hold them). A bare LF also ends a line of the head of a
response, as RFC 9112, 2.2 allows. A request with one is refused, because another reader may take two lines for
one. A bare CR ends none, and no head that has one is read.

The bounds keep a hostile peer from hanging or flooding us; each has its default and its reason. Reaching one on
the client's side never raises: the exchange gets an `Ending` with `By.LIMIT`, whose `detail` names the field of
`Limits` that was reached, or the time that the exchange was given.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import BadHead
from harness.outcome import HarnessFault
from harness.wire import Chunked, Framing, Headers, Length, Response, UntilClose
from harness.wire.message import MORE_THAN_A_LINE, TOKEN, is_sendable

RECORDED_BYTES = 256 * 1024 * 1024
"""Size of the largest request or response body that is recorded; larger ones pass unrecorded.

A cassette is held in memory, both when it is written and when it is loaded.
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


FRAMING_FIELDS = ("content-length", "transfer-encoding", "connection", "keep-alive")

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([^\r\n\0]*))?")
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*://")
_NUMBER = re.compile(r"[0-9]{1,18}")

_BLANKS = " \t"
"""What may stand around a value. Python takes more for white space, and a proxy would frame that otherwise."""


_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

_FOLD = re.compile(rb"(?<![ \t])[ \t]*+\r?\n[ \t]++")

END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
"""What a server ignores before a request (RFC 9112, 2.2)."""
REASONS = {status.value: status.phrase for status in HTTPStatus}


def has_body(method: str, status: int) -> bool:
    """Whether a response to `method` with `status` may carry a body (RFC 9112, 6.3)."""
    return method != "HEAD" and status >= 200 and status not in {204, 304}


def speaks_of_length(status: int, framing: Length) -> bool:
    """Whether a head has a Content-Length; a 304 states the length of the 200 it replaces (RFC 9110, 8.6)."""
    return status >= 200 and status != 204 and (status != 304 or framing.size > 0)


@lru_cache(maxsize=512)
def framed_headers(status: int, headers: Headers, framing: Framing, *, keep: bool) -> Headers:
    """The fields of a head as they are sent. True fields about framing and connection keep their places.

    False ones are corrected or dropped, and a field that the framing still needs is appended. `keep`: the
    connection stays open afterwards.
    """
    own = headers
    if not headers.names.isdisjoint(FRAMING_FIELDS):  # nearly always it names none
        corrected = (_correct_field(name, value, framing, keep) for name, value in headers)
        own = Headers(item for item in corrected if item)
    if isinstance(framing, Chunked):
        return own if "transfer-encoding" in own else own.having("transfer-encoding", "chunked")
    if isinstance(framing, UntilClose):
        return own if "connection" in own else own.having("connection", "close")
    needed = speaks_of_length(status, framing) and "content-length" not in own
    return own.having("content-length", str(framing.size)) if needed else own


def _correct_field(name: str, value: str, framing: Framing, keep: bool) -> tuple[str, str] | None:
    """The field as it may be sent; None if it contradicts the framing or what happens to the connection."""
    lower = name.lower()
    if lower not in FRAMING_FIELDS:
        return name, value
    if lower == "content-length":
        return (name, str(framing.size)) if isinstance(framing, Length) else None
    if lower == "transfer-encoding":
        true = isinstance(framing, Chunked)
    else:
        true = keep if lower == "keep-alive" else keep is not _closing(value)
    return (name, value) if true else None


def says_close(headers: Headers) -> bool:
    """Whether the fields announce that the connection closes after this response."""
    return any(_closing(value) for value in headers.all("connection"))


def _closing(value: str) -> bool:
    return "close" in value.lower()


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


def parse_response_head(head: bytes, method: str) -> ResponseHead:
    """Parse a response head (blank line included) that answers `method`; raises `BadHead`.

    A folded line is unfolded, as RFC 9112, 5.2 requires of readers of responses.
    """
    is_folded = b"\n " in head or b"\n\t" in head
    first, *rest = _split_lines(_FOLD.sub(b" ", head) if is_folded else head)
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise BadHead(f"{first[:60]!r} is not an HTTP/1.1 status line", in_field=False)
    headers = parse_fields(rest)
    status = int(match[2])
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


def write_fields(headers: Headers) -> bytes:
    """Field lines without the final blank line; raises `HarnessFault` for a field that would break the head."""
    lines = []
    for name, value in headers:
        if not is_sendable(name, value):
            raise HarnessFault(f"header {name!r}: {value!r} cannot be sent: a name is a token, a value one line")
        lines.append(f"{name}: {value}\r\n")
    try:
        return "".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        return b"".join(map(field_bytes, lines))


def request_bytes(method: str, target: str, lines: bytes, body: bytes, *, chunked: bool = False) -> bytes:
    """A whole request with these field lines, which state no length.

    Content-Length is added if there is a body, or if the method normally has one. A request that is `chunked` has
    its body in two chunks.
    """
    length = b""
    if chunked:
        half = len(body) // 2
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
        body += b"0\r\n\r\n"
    elif body or method in _WITH_BODY:
        length = b"content-length: %d\r\n" % len(body)
    return b"%b%b%b\r\n%b" % (f"{method} {target} HTTP/1.1\r\n".encode("latin-1"), lines, length, body)


def field_bytes(text: str) -> bytes:
    """A field's value as it is on the wire: Latin-1, or UTF-8 if Latin-1 cannot hold it."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")


@lru_cache(maxsize=512)
def write_start(status: int, reason: str, headers: Headers) -> bytes | None:
    """Status line and fields; None if some of them state the framing or the fate of the connection."""
    if not headers.names.isdisjoint(FRAMING_FIELDS):
        return None
    return _format_status(status, reason) + write_fields(headers)


@lru_cache(maxsize=512)
def _encode_head(status: int, reason: str, headers: Headers, framing: Framing, keep: bool) -> tuple[bytes, bool]:
    """Status line, fields and what the framing needs; and whether the connection stays open."""
    keep = keep and not says_close(headers)
    return _format_status(status, reason) + write_fields(framed_headers(status, headers, framing, keep=keep)), keep


def _format_status(status: int, reason: str) -> bytes:
    return f"HTTP/1.1 {status} {reason or REASONS.get(status, '')}\r\n".encode("latin-1", "replace")


def write_response_head(
    response: Response, framing: Framing, *, keep: bool, extra: bytes = b""
) -> tuple[bytes, bool]:
    """The head of `response`, with `extra` field lines and the blank line; and whether the connection is kept.

    Only the fields of the framing and of a closing connection are added, no Date and no Server: the same response
    gives the same bytes every time. A head that states its own framing, such as a recorded one, keeps its order:
    `close` is obeyed, and false fields about framing or connection are corrected in place or dropped.
    """
    start = write_start(response.status, response.reason, response.headers)
    if start is None:
        start, keep = _encode_head(response.status, response.reason, response.headers, framing, keep)
        return b"%b%b\r\n" % (start, extra), keep
    if isinstance(framing, Length):
        field = b"content-length: %d\r\n" % framing.size if speaks_of_length(response.status, framing) else b""
    else:
        field = b"transfer-encoding: chunked\r\n" if isinstance(framing, Chunked) else b""
    close = b"" if keep else b"connection: close\r\n"
    return b"%b%b%b%b\r\n" % (start, field, close, extra), keep
