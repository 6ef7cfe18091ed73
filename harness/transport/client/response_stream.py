"""Reads one response from a socket; every wait is bounded, every failure is an `Ending`.

Layer 3. Knows deadlines; must not know HTTP's grammar (`response_reader`), nor who keeps connections.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace

from harness.outcome import HarnessFault
from harness.transport.client.blocking_reader import acknowledge_at_once, receive
from harness.transport.client.last_event import StreamEnds
from harness.transport.http1.body_reader import Data
from harness.transport.http1.content_decoding import ContentDecoder, decoder_for
from harness.transport.http1.heads import ResponseHead
from harness.transport.http1.limits import Limits
from harness.transport.http1.response_reader import Event, ResponseReader
from harness.wire import By, Chunk, Ending, Exchange, ExchangeBuilder, How, Length, Request


class NoReading:
    """The `live_stream.ByteSource` of a request that got no connection."""

    def __init__(self, request: Request, ending: Ending, began: float) -> None:
        self.recorder = ExchangeBuilder(request, began=began)
        self.ended: Ending | None = ending
        self._exchange = self.recorder.finish(ending, time.monotonic() - began)

    def more(self) -> bytes:
        """Always empty."""
        return b""

    def hurry(self, seconds: float) -> None:
        """Do nothing: it ended before it began."""

    def stop(self, by: By, how: How, detail: str) -> None:
        """Do nothing: it ended before it began."""

    def record(self) -> Exchange:
        """The record."""
        return self._exchange


class UrlReading:
    """A response on `sock`, read on demand: a `live_stream.ByteSource`.

    The constructor writes the request and reads the head. Once the response has ended, `release` gets the socket
    back, and whether another request may use it.
    """

    def __init__(
        self,
        sock: socket.socket,
        request: Request,
        wire: bytes,
        *,
        limits: Limits,
        ends: StreamEnds,
        began: float,
        release: Callable[[socket.socket, bool], None],
    ) -> None:
        self._sock = sock
        self._limits = limits
        self._began = began
        self._deadline = began + limits.total_seconds
        self._release = release
        self._reader = ResponseReader(request.method, limits)
        self._coding: ContentDecoder | None = None
        self._last = ends.watch(request, limits.to_close)
        self._ready: list[Event] = []
        self._seconds = 0.0
        self.ended: Ending | None = None
        self.recorder = ExchangeBuilder(request, began=began)
        self._write(wire)
        self._read_head()

    @property
    def deaf(self) -> bool:
        """Whether the connection died before a byte of response, like a kept one that its server had closed."""
        return self.ended is not None and not self._reader.begun and self.ended.how in {How.FIN, How.RST}

    def _write(self, wire: bytes) -> None:
        try:
            self._sock.settimeout(min(self._limits.head_seconds, self._limits.total_seconds))
            self._sock.sendall(wire)
            acknowledge_at_once(self._sock)
        except TimeoutError:
            self.stop(By.LIMIT, How.TIMEOUT, "the request was not read in time (Limits.head_seconds)")
        except OSError:
            pass  # the peer hung up while we were sending: a response it sent before can still be read

    def _read_head(self) -> None:
        until = time.monotonic() + self._limits.head_seconds
        while self.ended is None and self._reader.head is None:
            for event in self._receive(until, "head_seconds"):
                if isinstance(event, ResponseHead):
                    self.recorder.head(event.status, event.headers, event.framing, event.reason)
                    self._coding = decoder_for(event.headers, self._limits)
                elif isinstance(event, Ending) and self._reader.head is None:
                    self._end(event)
                else:
                    self._ready.append(event)

    def more(self) -> bytes:
        """The body bytes that have arrived already, else the next ones."""
        events, self._ready = self._ready, []
        if not events and self.ended is None:
            now = time.monotonic()
            events = self._receive(
                now + min(self._limits.idle_seconds, self._last.measure_patience(now)), "idle_seconds"
            )
        return b"".join([self._take(event) for event in events])

    def _take(self, event: Event) -> bytes:
        if self.ended is not None:
            return b""
        if isinstance(event, Data):
            return self._take_bytes(event.data)
        assert isinstance(event, Ending)
        self._end(event)
        return b""

    def _take_bytes(self, data: bytes) -> bytes:
        if self._coding is not None:
            data = self._coding.feed(data)
        if data:
            self.recorder.chunk(Chunk(data), time.monotonic() - self._began)
            self._last.feed(data, time.monotonic())
        if self._coding is not None and self._coding.breach is not None:
            self.stop(*self._coding.breach)
        return data

    def _receive(self, until: float, name: str) -> list[Event]:
        """The events that arrive before `until`."""
        if self._deadline < until:
            until, name = self._deadline, "total_seconds"
        return receive(self._sock, self._reader, until=until, limit=self._limits.name_wait(name))

    def _end(self, ending: Ending) -> None:
        if ending.complete and self._coding is not None and (breach := self._coding.finish()) is not None:
            ending = replace(ending, by=breach.by, how=breach.how, detail=breach.detail)
        if ending.complete and (excess := self._reader.excess):
            framing = self.recorder.framing
            declared = framing.size if isinstance(framing, Length) else None
            sent = None if declared is None else declared + excess
            detail = f"{excess} bytes follow the end of the response"
            ending = replace(ending, declared=declared, sent=sent, detail=detail)
        self._finish(ending)

    def hurry(self, seconds: float) -> None:
        """Let the rest take at most so many seconds."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def stop(self, by: By, how: How, detail: str) -> None:
        """Hang up, unless the response has ended already."""
        if self.ended is None:
            place = self._reader.ended or self._reader.stop(how, by, detail)
            self._finish(replace(place, by=by, how=how, detail=detail))

    def _finish(self, ending: Ending) -> None:
        self.ended = ending = self._last.conclude(ending, time.monotonic())
        self._seconds = time.monotonic() - self._began
        head = self._reader.head
        clean = ending.complete and head is not None and head.keep and not self._reader.excess
        self._release(self._sock, clean)

    def record(self) -> Exchange:
        """The record, once the response has ended."""
        if self.ended is None:
            raise HarnessFault("record() of a response that is still being read: finish or close it first")
        return self.recorder.finish(self.ended, self._seconds)
