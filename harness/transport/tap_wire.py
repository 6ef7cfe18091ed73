"""Both directions of one connection that is listened to, turned into exchanges.

Layer 3, sans-IO: bytes and moments in, finished exchanges out. Knows which answer belongs to which request; must
not know sockets, nor what is done with an exchange. A piece of a chunked body is one HTTP chunk, in however many
reads it came; of any other body, one read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.transport.body_reader import Data
from harness.transport.heads import ResponseHead
from harness.transport.limits import Limits
from harness.transport.response_reader import Event, ResponseReader
from harness.transport.tap_requests import Asked, RequestFollower
from harness.wire import By, Chunk, Ending, Exchange, How, Recorder

_UNBOUND = 1 << 60
_LIMITS = Limits(head_bytes=1024 * 1024, head_fields=10_000, body_bytes=_UNBOUND)
"""What passes is not ours to refuse: bodies have no bound here, and `wire.Recorder` bounds the record."""

_OPEN_CHUNK_BYTES = 8 * 1024 * 1024


class Passed(NamedTuple):
    """What an arrival finished; of its bytes, `safe` may go on before the first of `finished` is kept."""

    finished: tuple[Exchange, ...]
    safe: int


class _Answer:
    """The answer to one request, while it passes."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.reader = ResponseReader(asked.head.method, _LIMITS)
        self._recorder = Recorder(asked.request)
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._last = 0.0

    def _moment(self, now: float) -> float:
        """Seconds since the request was whole; an answer that comes sooner comes at once."""
        sent = self.asked.sent
        return 0.0 if sent is None else max(now - sent, 0.0)

    def feed(self, data: bytes, now: float) -> None:
        """Bytes of the answer, possibly of the next one as well (`reader.excess`)."""
        self._last = self._moment(now)
        for event in self.reader.feed(data):
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseHead):
            self._recorder.head(event.status, event.headers, event.framing)
        elif isinstance(event, Data):
            self._open.append(event.data)
            self._open_bytes += len(event.data)
            if event.ends_chunk or self._open_bytes > _OPEN_CHUNK_BYTES:
                self._flush()

    def _flush(self) -> None:
        if self._open_bytes:
            self._recorder.chunk(Chunk(b"".join(self._open)), self._last)
        self._open.clear()
        self._open_bytes = 0

    def exchange(self, ending: Ending, now: float) -> Exchange:
        """The record of what passed."""
        self._flush()
        record = self._recorder.finish(ending, self._moment(now))
        head = self.reader.head
        return replace(record, request=self.asked.request, notes={"reason": head.reason if head else ""})


class Wiretap:
    """Listens to one connection.

    `lost` says why it no longer understands what passes, which it lets pass all the same; "" while it does.
    """

    def __init__(self, authority: str, *, encoding: str | None = None) -> None:
        self._requests = RequestFollower(authority, encoding=encoding)
        self._answer: _Answer | None = None
        self._lost = ""

    @property
    def lost(self) -> str:
        """Why it no longer understands what passes."""
        return self._lost or self._requests.lost

    @property
    def _asked(self) -> deque[Asked]:
        return self._requests.asked

    @property
    def waiting(self) -> int:
        """How many whole requests have no whole answer yet."""
        return sum(asked.sent is not None for asked in self._asked)

    def upward(self, data: bytes, now: float) -> bytes:
        """Bytes from the client; gives those that go upstream."""
        return data if self._lost else self._requests.feed(data, now)

    def downward(self, data: bytes, now: float) -> Passed:
        """Bytes from upstream, which go to the client as they are."""
        finished: list[Exchange] = []
        safe, rest = len(data), data
        while rest and self._asked and not self._lost:
            answer = self._current()
            answer.feed(rest, now)
            ending = answer.reader.ended
            if ending is None:
                break
            excess = answer.reader.excess
            if not finished:
                safe = max(len(data) - excess - 1, 0)
            finished.append(self._finish(answer, ending, now))
            rest = rest[len(rest) - excess :] if excess else b""
        return Passed(tuple(finished), safe)

    def _current(self) -> _Answer:
        if self._answer is None:
            self._answer = _Answer(self._asked[0])
        return self._answer

    def _finish(self, answer: _Answer, ending: Ending, now: float) -> Exchange:
        self._asked.popleft()
        self._answer = None
        head = answer.reader.head
        if ending.how is How.BAD_HTTP:
            self._lost = ending.detail
        elif head is not None and (
            head.status == 101 or (answer.asked.head.method == "CONNECT" and head.status < 300)
        ):
            self._lost = f"status {head.status}: another protocol takes over"
        return answer.exchange(ending, now)

    def ended(self, by: By, how: How, now: float, detail: str = "") -> Sequence[Exchange]:
        """The connection is over on one side: what it leaves of every request that was whole."""
        finished: list[Exchange] = []
        while self._asked and not self._lost:
            answer = self._current()
            begun = answer.reader.begun
            if answer.asked.sent is None and not begun:
                break
            fin = by is By.SERVER and how is How.FIN
            ending = answer.reader.fin() if fin else answer.reader.stop(how, by, detail)
            finished.append(self._finish(answer, ending, now))
        return finished
