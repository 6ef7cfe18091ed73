"""Reads a response from bytes as they arrive, up to its exact ending.

Layer 3, sans-IO: the client uses it, and so does whatever records traffic. Knows where a response begins and ends;
must not know sockets, content codings or what the body means.
"""

from __future__ import annotations

from typing import TypeAlias

from harness.errors import BadHead
from harness.transport.http1.body_reader import BodyReader, Data, has_no_last_chunk
from harness.transport.http1.heads import END_OF_HEAD, ResponseHead, parse_response_head
from harness.transport.http1.limits import Limits
from harness.wire import COMPLETE, At, By, Ending, How, Length, UntilClose

Event: TypeAlias = ResponseHead | Data | Ending

_BODILESS = frozenset({"HEAD", "CONNECT"})
_PROTOCOL = b"HTTP/1."
_TLS_ALERT = b"\x15\x03"
_OK = b"HTTP/1.1 200 "
_IN_CHUNKS = b"\r\ntransfer-encoding: chunked\r\n"


def begins_a_stream(method: str, data: bytes) -> bool:
    """Whether these bytes begin a response to `method` and more is sure to follow, as far as a quick look tells.

    That is so if the response is a 200 that says, in the usual spelling, that it is chunked.
    """
    if method in _BODILESS or not data.startswith(_OK) or not has_no_last_chunk(data):
        return False
    return _IN_CHUNKS in data[: data.find(b"\r\n\r\n") + 2].lower()


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

    def outlasts(self, data: bytes) -> bool:
        """Whether more is sure to follow these bytes; False if that cannot be told without parsing them."""
        return self._body is not None and self.ended is None and self._body.outlasts(data)

    def fin(self) -> Ending:
        """The peer closed: return the ending, complete if the close delimits the body, else cut off here."""
        if self.ended is None and self.head is not None and isinstance(self.head.framing, UntilClose):
            self.ended = COMPLETE
        return self.ended or self.stop(How.FIN)

    def stop(self, how: How, by: By = By.SERVER, detail: str = "") -> Ending:
        """Stop reading for an external reason; the ending says where. An earlier ending stays."""
        if self.ended is None:
            self.ended = self._body.place(how, by, detail) if self._body else self._end_in_head(how, by, detail)
        return self.ended

    def _end_in_head(self, how: How, by: By, detail: str) -> Ending:
        received = self._head_bytes + len(self._buffer)
        if received == 0:
            return Ending(by, how, At.BEFORE_HEADERS, detail=detail)
        return Ending(by, how, At.IN_HEADERS, sent=received, detail=detail)

    def _advance_head(self, events: list[Event]) -> bool:
        """Read one head; return whether there was one."""
        buffer, limits = self._buffer, self._limits
        if not _PROTOCOL.startswith(buffer[: len(_PROTOCOL)]):
            spoken = "a TLS alert and not HTTP: write https://" if buffer.startswith(_TLS_ALERT) else ""
            self._refuse(spoken or f"{bytes(buffer[:40])!r} is not HTTP/1")
            return False
        match = END_OF_HEAD.search(buffer, max(self._scanned - 3, 0))
        self._scanned = len(buffer)
        size = match.end() if match else len(buffer)
        if self._head_bytes + size > limits.head_bytes:
            self.stop(How.FIN, By.LIMIT, f"response head exceeds {limits.head_bytes} bytes (Limits.head_bytes)")
            return False
        if match is None:
            return False
        return self._parse_head(bytes(buffer[:size]), events)

    def _refuse(self, problem: str) -> None:
        self.ended = Ending(By.SERVER, How.BAD_HTTP, At.BEFORE_HEADERS, detail=problem)

    def _parse_head(self, raw: bytes, events: list[Event]) -> bool:
        limits = self._limits
        if raw.count(b"\n") - 2 > limits.head_fields:
            detail = f"response head has more than {limits.head_fields} fields (Limits.head_fields)"
            self.stop(How.FIN, By.LIMIT, detail)
            return False
        try:
            head = parse_response_head(raw, self._method)
        except BadHead as bad:
            if bad.in_field:
                self.stop(How.BAD_HTTP, By.SERVER, str(bad))
            else:
                self._refuse(str(bad))
            return False
        del self._buffer[: len(raw)]
        self._head_bytes += len(raw)
        self._scanned = 0
        if head.status >= 200 or head.status == 101:  # any other 1xx is interim: the final head follows
            self.head = head
            events.append(head)
            framing = head.framing if head.body else Length(0)
            self._body = BodyReader(framing, self._buffer, most=limits.body_bytes, most_trailers=limits.head_bytes)
        return True
