"""The head of a message as it is written, and the rules of framing that its reader follows, too (RFC 9112, 6).

Sans-IO: values in, bytes out. Must not know sockets or services. A field that contradicts the framing is corrected
or dropped, whatever the service states. Values are Latin-1, or UTF-8 if Latin-1 cannot hold them.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from harness.outcome import HarnessFault
from harness.wire import Chunked, Framing, Headers, Length, Response, UntilClose
from harness.wire.message import is_sendable

FRAMING_FIELDS = ("content-length", "transfer-encoding", "connection", "keep-alive")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REASONS = {status.value: status.phrase for status in HTTPStatus}


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

    Content-Length is added if there is a body, or if the method normally has one. A `chunked` body has two chunks,
    of which the first ends within a character if one in the second half has several bytes.
    """
    length = b""
    if chunked:
        half = next((at for at in range(len(body) // 2, len(body)) if 0x80 <= body[at] < 0xC0), len(body) // 2)
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
    return f"HTTP/1.1 {status} {reason or _REASONS.get(status, '')}\r\n".encode("latin-1", "replace")


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
