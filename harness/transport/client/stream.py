"""A response that is still being read: its events, the end of a stream after its final event, its coding.

Does not know whether its bytes come from a socket or from a service in this process, which imports no `ssl`.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from harness.outcome import HarnessFault
from harness.transport.http1.reader import Limits
from harness.wire import By, Chunk, Ending, Exchange, ExchangeBuilder, Frame, Headers, How, Request
from harness.wire.bodies import CODINGS, Inflater, coding_of, object_or_none
from harness.wire.sse import Decoder

LINGER_SECONDS = 1.0
"""How long a stream may stay open after the sentinel."""

HURRIED_SECONDS = 0.2
"""How long it may if one like it stayed open for the whole time."""

_NEVER = math.inf


class StreamEnds:
    """How the streams of one target end, learned by all drivers to it.

    `sentinel` is the data of the last event, empty if there is none. `ends` is `StreamProtocol.ends`.
    """

    def __init__(
        self, sentinel: bytes = b"", ends: Callable[[Mapping[str, Any]], bool | None] = lambda event: None
    ) -> None:
        self.sentinel = sentinel
        self.ends = ends
        self.stayed_open: defaultdict[str, float] = defaultdict(float)
        """The longest time for which an answer stayed open, by the method of its request."""

    def watch(self, request: Request, seconds: float) -> LastEvent:
        """Look for the end of one answer, which may stay open for so many seconds after it."""
        return LastEvent(self, request.method, seconds)


class LastEvent:
    """Looks at one body for its last event; comments, and events that say nothing of the run, change nothing."""

    def __init__(self, known: StreamEnds, method: str, seconds: float) -> None:
        self._known = known
        self._method = method
        self._seconds = seconds
        self._decoder = Decoder()
        self._is_sentinel = False
        self._since = _NEVER

    @property
    def seen(self) -> bool:
        """Whether the stream had its final event, and nothing after it."""
        return self._since < _NEVER

    def feed(self, data: bytes, now: float) -> None:
        """Look at the next bytes of a body, which came at the moment `now`."""
        for frame in self._decoder.feed(data) if data else ():
            if self._known.sentinel and frame.data == self._known.sentinel:
                self._since, self._is_sentinel = now, True
                continue
            over = self._known.ends(object_or_none(frame.data) or {})
            if over:
                self._since = now
            elif over is False or self._is_sentinel:
                self._since = _NEVER
            self._is_sentinel = False

    @property
    def _whole(self) -> float:
        return LINGER_SECONDS if self._is_sentinel else self._seconds

    @property
    def _patience(self) -> float:
        known = self._known.stayed_open[self._method]
        return min(self._whole, HURRIED_SECONDS) if known else self._whole

    def measure_patience(self, now: float) -> float:
        """For how many seconds the answer may still stay open; infinite before its last event."""
        return max(self._since + self._patience - now, 0.0) if self.seen else _NEVER

    def conclude(self, ending: Ending, now: float) -> Ending:
        """The ending of the answer: if only the time after the last event was up, the client left."""
        if not (self.seen and ending.by is By.LIMIT and ending.how is How.TIMEOUT):
            return ending
        stayed = now - self._since
        if stayed < self._patience * 0.99 and not self._is_sentinel:
            return ending
        longest = self._known.stayed_open[self._method] = max(stayed, self._known.stayed_open[self._method])
        detail = f"streams stay open for at least {longest:.1f} s after their last event"
        return replace(ending, by=By.CLIENT, how=How.STALL, detail=detail)


# A response that is being read: one implementation for every source of bytes.


class ResponseReading:
    """A response that is read on demand; each source of bytes is a subclass. `now` is the clock of the source.

    The class itself is for a request without a connection, which only `conclude`s.
    """

    def __init__(
        self, request: Request, limits: Limits, ends: StreamEnds, began: float, now: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._began = began
        self._now = now
        self._last = ends.watch(request, limits.to_close)
        self._coding: ContentDecoder | None = None
        self._seconds = 0.0
        self.ended: Ending | None = None
        self.recorder = ExchangeBuilder(request, began=began)

    def more(self) -> bytes:
        """The next bytes of the body, possibly none; sets `ended` once there will be no more."""
        return b""

    def look(self) -> bytes:
        """The bytes that have come, possibly none: nothing is waited for."""
        return b""

    def hurry(self, seconds: float) -> None:
        """Let the rest take at most so many seconds."""

    def stop(self, by: By, how: How, detail: str) -> None:
        """Disconnect, unless the response has ended already."""

    def conclude(self, ending: Ending) -> None:
        """Note how the response ended."""
        now = self._now()
        self.ended = self._last.conclude(ending, now)
        self._seconds = now - self._began

    def record(self) -> Exchange:
        """The record, once the response has ended."""
        if self.ended is None:
            raise HarnessFault("record() of a response that is still being read: finish or close it first")
        return self.recorder.finish(self.ended, self._seconds)

    def _take(self, data: bytes) -> bytes:
        """Decode and record bytes of the body; return them, as far as the bounds allow."""
        coding = self._coding
        if coding is not None:
            data = coding.feed(data)
        if data:
            now = self._now()
            self.recorder.chunk(Chunk(data), now - self._began)
            self._last.feed(data, now)
        if coding is not None and coding.breach is not None:
            self.stop(*coding.breach)
        return data


class LiveStreamReader:
    """A `wire.LiveStream` over any source; `event_bytes` bounds a single event."""

    def __init__(self, source: ResponseReading, event_bytes: int) -> None:
        self._source = source
        self._event_bytes = event_bytes
        self._decoder = Decoder(max_event=event_bytes)
        self._frames: deque[Frame] = deque()

    @property
    def status(self) -> int | None:
        """The response's status; None if no head came."""
        return self._source.recorder.status

    @property
    def headers(self) -> Headers:
        """The response's fields."""
        return self._source.recorder.headers

    @property
    def ended(self) -> bool:
        """Whether the body reached its ending and every frame was read."""
        return self._source.ended is not None and not self._frames

    def read(self, events: int) -> list[Frame]:
        """The next `events` frames; fewer if the body ends or a limit is reached first.

        For none, what has come is taken in nevertheless, so that its arrival is not noted too late.
        """
        if not events:
            self._frames.extend(self._decoder.feed(self._source.look()))
        while len(self._frames) < events and self._source.ended is None:
            self._frames.extend(self._decoder.feed(self._source.more()))
            if self._decoder.oversized:
                detail = f"one event exceeds {self._event_bytes} bytes (Limits.event_bytes)"
                self._source.stop(By.LIMIT, How.FIN, detail)
        return [self._frames.popleft() for _ in range(min(events, len(self._frames)))]

    def hurry(self, seconds: float) -> None:
        """Let the rest of the body take at most so many seconds."""
        self._source.hurry(seconds)

    def finish(self) -> Exchange:
        """Read to the end and return the record, which also holds what was not read as frames."""
        self._frames.clear()
        return read_whole(self._source)

    def close(self) -> Exchange:
        """Disconnect and return the record."""
        self._frames.clear()
        self._source.stop(By.CLIENT, How.FIN, "")
        return self._source.record()


def read_whole(source: ResponseReading) -> Exchange:
    """Read a response to its ending and return the record."""
    while source.ended is None:
        source.more()
    return source.record()


# Content codings are decoded as bytes arrive, with bounds that no compression bomb can exceed. Codings other than
# gzip and deflate are left alone.


class Breach(NamedTuple):
    """Why decoding stopped: one of our bounds, or broken data."""

    by: By
    how: How
    detail: str


class ContentDecoder:
    """Decodes one body; once `breach` is set it returns no more bytes."""

    def __init__(self, coding: str, limits: Limits) -> None:
        self._coding = coding
        self._limits = limits
        self._inflater = Inflater(coding)
        self._came = 0
        self._went = 0
        self.breach: Breach | None = None

    def feed(self, data: bytes) -> bytes:
        """Decode these bytes, as far as the bounds allow."""
        if self.breach is not None:
            return b""
        self._came += len(data)
        most = self._limits.decoded_bytes
        try:
            part = self._inflater.feed(data, max(most - self._went, 0))
        except ValueError as error:
            self.breach = Breach(By.SERVER, How.BAD_HTTP, f"content-encoding {self._coding} is broken: {error}")
            return b""
        self._went += len(part)
        if self._went > most:
            detail = f"{self._came} bytes of {self._coding} hold more than {most} (Limits.decoded_bytes)"
            self.breach = Breach(By.LIMIT, How.FIN, detail)
            return b""
        return part

    def finish(self) -> Breach | None:
        """The defect of a body that ends here; None if there is none."""
        if self.breach is None and self._came and not self._inflater.whole:
            detail = f"content-encoding {self._coding} is cut: its end never came"
            self.breach = Breach(By.SERVER, How.BAD_HTTP, detail)
        return self.breach


def decoder_for(headers: Headers, limits: Limits) -> ContentDecoder | None:
    """The decoder that a response with these fields needs; None if its bytes are used as they are."""
    coding = coding_of(headers)
    return ContentDecoder(coding.removeprefix("x-"), limits) if coding in CODINGS else None
