"""Reads bodies, requests and responses from bytes as they arrive (RFC 9112).

Sans-IO: bytes in, values out. Knows framings, how they break, and which status refuses a request; must not know
sockets, services, content codings or what a body means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from harness.errors import BadHead, BadRequest
from harness.transport.http1.heads import (
    EMPTY_LINES,
    END_OF_HEAD,
    Limits,
    RequestHead,
    ResponseHead,
    ServerLimits,
    parse_fields,
    parse_request_head,
    parse_response_head,
)
from harness.wire import COMPLETE, At, By, Chunked, Ending, Framing, How, Length, Request, UntilClose

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

    def _complete(self) -> bool:
        self.ended = COMPLETE
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
                self._complete()
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
        return self._complete() if line == b"\r\n" else True


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
        if self._incoming is None and not self._take_head():
            return None
        incoming = self._incoming
        assert incoming is not None
        if incoming.head.length != 0:
            body = self._take_body(incoming.head.length)
            if body is None:
                return None
            request = incoming.request
            whole = Request(request.method, request.target, request.headers, body)
            incoming = Incoming(whole, incoming.head, incoming.opened)
            self._expecting = False
        self._incoming = None
        return incoming

    def _take_head(self) -> bool:
        buffer = self._buffer
        if not buffer:
            return False
        if empty := EMPTY_LINES.match(buffer):
            del buffer[: empty.end()]
        if not buffer:
            return False
        if buffer[0] == 0x16:  # the first byte of TLS, which begins no method: the client would wait in vain
            raise BadRequest(
                400, "this port speaks plain HTTP and was sent TLS: write http:// instead of https://"
            )
        end = buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0)) + 4
        if end == 3:
            match = END_OF_HEAD.search(buffer, max(self._scanned - 3, 0))
            end = match.end() if match else 0
        self._scanned = len(buffer)
        if (end or len(buffer)) > self._limits.head_bytes:
            raise BadRequest(431, f"the request's head exceeds {self._limits.head_bytes} bytes")
        if not end:
            return False
        self._scanned = 0
        raw = bytes(buffer[:end])
        del buffer[:end]
        self._incoming = incoming = self._cache.read(raw)
        self._expecting = incoming.head.expects and incoming.head.length != 0
        return True

    def _take_body(self, length: int | None) -> bytes | None:
        """The body once all of it has arrived, else None; `length` is None for a chunked one."""
        buffer, limits = self._buffer, self._limits
        if length is not None and length > limits.body_bytes:
            raise BadRequest(413, f"the request's body of {length} bytes exceeds {limits.body_bytes}")
        if self._body is None and length is not None and length <= len(buffer):
            whole = bytes(buffer[:length])  # nearly every request: it came with its head
            del buffer[:length]
            return whole
        if self._body is None:
            framing = Chunked() if length is None else Length(length)
            self._body = BodyReader(framing, buffer, most=limits.body_bytes, most_trailers=limits.head_bytes)
        for part in self._body.advance():
            self._data += part.data
        ending = self._body.ended
        if ending is None:
            return None
        if not ending.complete:
            raise BadRequest(400 if ending.how is How.BAD_HTTP else 413, f"the request's body: {ending.detail}")
        data, self._data, self._body = bytes(self._data), bytearray(), None
        return data


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
        self._buffer += data
        events: list[Event] = []
        while self._body is None and self.ended is None:
            if not self._advance_head(events):
                break
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

    def _advance_head(self, events: list[Event]) -> bool:
        """Read one head; return whether there was one."""
        buffer, limits = self._buffer, self._limits
        if not _PROTOCOL.startswith(buffer[: len(_PROTOCOL)]):
            spoken = "a TLS alert and not HTTP: write https://" if buffer.startswith(_TLS_ALERT) else ""
            self._refuse(spoken or f"{buffer[:40].decode('latin-1').rstrip()!a} is not HTTP/1")
            return False
        match = END_OF_HEAD.search(buffer, max(self._scanned - 3, 0))
        self._scanned = len(buffer)
        size = match.end() if match else len(buffer)
        if self._head_bytes + size > limits.head_bytes:
            self.stop(How.FIN, By.LIMIT, f"response head exceeds {limits.head_bytes} bytes (Limits.head_bytes)")
            return False
        if match is None:
            return False
        raw = bytes(buffer[:size])
        try:
            head = parse_response_head(raw, self._method)
        except BadHead as bad:
            if bad.in_field:
                self.stop(How.BAD_HTTP, By.SERVER, str(bad))
            else:
                self._refuse(str(bad))
            return False
        del buffer[:size]
        self._head_bytes += size
        self._scanned = 0
        if head.status >= 200 or head.status == 101:  # any other 1xx is interim: the final head follows
            self.head = head
            events.append(head)
            framing = head.framing if head.body else Length(0)
            self._body = BodyReader(framing, buffer, most=limits.body_bytes, most_trailers=limits.head_bytes)
        return True

    def _refuse(self, problem: str) -> None:
        self.ended = Ending(By.SERVER, How.BAD_HTTP, At.BEFORE_HEADERS, detail=problem)
