"""A driver for a target whose answers do not end: after a few of them it gives less time, then sends no more.

Layer 4. An answer that our own limits end costs all of a request's time, and a run sends hundreds: a target that
ends none would hold it for hours. What ends by itself costs nothing here, however long it takes, so a slow target
loses nothing. Only answers that were cut *in a row* count: one that ends gives the whole time back. What was cut
in less than the whole time, or never asked for, says nothing of the target (`hurried`) and must not be judged.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.wire import At, By, Driver, Ending, Exchange, Frame, Headers, How, LiveStream, Recorder, Request

PATIENT = 3
"""Answers in a row that are waited for as long as ever; those after them get a part of that."""

PART = 6

MOST = 8
"""Answers in a row that did not end, after which nothing is sent that would wait for one more."""

NO_TIME = "no time"
"""What `unanswered` says of a hurried answer."""

_NOTE = __name__
_STREAM = re.compile(rb'"stream"\s*:\s*true')


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run lost to answers without an end.

    `answers` is how many our limits ended, `seconds` what these took, `hurried` how many of them got less than the
    whole time, `unsent` how many requests were not sent at all; `first` is the first of them in a few words.
    """

    answers: int = 0
    seconds: float = 0.0
    hurried: int = 0
    unsent: int = 0
    first: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """What a request may take in seconds, None for all that the driver gives; `less` is our haste.

    `alike` and `any` are how many cuts had been counted when it was given.
    """

    seconds: float | None
    less: bool
    alike: int
    any: int


class _Row:
    """The length of a row of answers without an end; those that were waited for at the same time count once."""

    def __init__(self) -> None:
        self.length = 0
        self.counted = 0

    def hear(self, exchange: Exchange, since: int, *, ends: bool) -> None:
        """One more; `ends`: such answers do end. A drop, or a stream that we left ourselves, tells nothing."""
        if ends:
            self.length = 0
        elif _is_cut(exchange) and self.counted == since:
            self.length += 1
            self.counted += 1


class Endurance:
    """What all drivers of one run bear together; `seconds` is the whole time of one request.

    Counted are answers alike (method, and whether a stream was asked for; a refusal is not like them), and all of
    them: a target whose streams never end is asked for everything else as before. A deletion is sent as long as
    deletions end, whatever else does not: it is how a run cleans up. Several threads may share one.
    """

    def __init__(self, seconds: float) -> None:
        self.cut = Cut()
        self._less = seconds / PART
        self._alike: defaultdict[tuple[str, bool], _Row] = defaultdict(_Row)
        self._any = _Row()
        self._lock = threading.Lock()

    def leave(self, request: Request, timeout: float | None) -> Leave | None:
        """What it may take, at most `timeout`; None where it is not to be sent, which is counted then."""
        with self._lock:
            alike = self._alike[_kind(request)]
            longest = max(alike.length, self._any.length)
            if (alike.length if request.method == "DELETE" else longest) >= MOST:
                self.cut = replace(self.cut, unsent=self.cut.unsent + 1)
                return None
            less = longest >= PATIENT and (timeout is None or timeout > self._less)
            return Leave(self._less if less else timeout, less, alike.counted, self._any.counted)

    def hear(self, exchange: Exchange, leave: Leave, *, bounded: bool = True) -> None:
        """How it ended; not `bounded`: it was given its whole time all the same."""
        with self._lock:
            alike = self._alike[_kind(exchange.request)]
            # A refusal is not alike: it would have ended in any case.
            alike.hear(exchange, leave.alike, ends=exchange.complete and exchange.succeeded)
            self._any.hear(exchange, leave.any, ends=exchange.complete)
            if _is_cut(exchange):
                self._add(exchange, hurried=leave.less and bounded)

    def _add(self, exchange: Exchange, *, hurried: bool) -> None:
        if hurried and exchange.ending.how is How.TIMEOUT:
            exchange.notes[_NOTE] = f"after {PATIENT} in a row that did not end it got only {self._less:g} s"
        first = f"{exchange.request.method} {exchange.request.raw_path}, after {exchange.seconds:.1f} s"
        self.cut = replace(
            self.cut,
            answers=self.cut.answers + 1,
            seconds=self.cut.seconds + exchange.seconds,
            hurried=self.cut.hurried + (_NOTE in exchange.notes),
            first=self.cut.first or first,
        )


class EnduringDriver:
    """A `Driver` around another that gives its requests the time that the endurance has left for them."""

    def __init__(self, driver: Driver, endurance: Endurance) -> None:
        self._driver = driver
        self._endurance = endurance

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """As the driver inside, or `not_sent`."""
        leave = self._endurance.leave(request, timeout)
        if leave is None:
            return not_sent(request)
        exchange = self._driver.send(request, timeout=leave.seconds)
        self._endurance.hear(exchange, leave)
        return exchange

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """As the driver inside, or a stream that ended before it began."""
        leave = self._endurance.leave(request, timeout)
        if leave is None:
            return _Unsent(request)
        stream = self._driver.open(request, timeout=leave.seconds)
        return _Heard(stream, lambda exchange: self._endurance.hear(exchange, leave))

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """As the driver inside, each with its whole time; none is sent where one of them would not be."""
        leaves = [leave for request in requests if (leave := self._endurance.leave(request, None)) is not None]
        if len(leaves) < len(requests):
            return [not_sent(request) for request in requests]
        exchanges = self._driver.together(requests)
        for exchange, leave in zip(exchanges, leaves, strict=True):
            self._endurance.hear(exchange, leave, bounded=False)
        return exchanges

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._driver.wait(seconds)

    def close(self) -> None:
        """Close the driver inside."""
        self._driver.close()


class _Heard:
    """A `LiveStream` whose end is told, once."""

    def __init__(self, stream: LiveStream, tell: Callable[[Exchange], None]) -> None:
        self._stream = stream
        self._tell: Callable[[Exchange], None] | None = tell

    @property
    def status(self) -> int | None:
        return self._stream.status

    @property
    def headers(self) -> Headers:
        return self._stream.headers

    @property
    def ended(self) -> bool:
        return self._stream.ended

    def read(self, events: int) -> list[Frame]:
        return self._stream.read(events)

    def finish(self) -> Exchange:
        return self._told(self._stream.finish())

    def close(self) -> Exchange:
        return self._told(self._stream.close())

    def _told(self, exchange: Exchange) -> Exchange:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(exchange)
        return exchange


class _Unsent:
    """The `LiveStream` of a request that was not sent."""

    status = None
    ended = True

    def __init__(self, request: Request) -> None:
        self.headers = Headers()
        self._exchange = not_sent(request)

    def read(self, events: int) -> list[Frame]:
        return []

    def finish(self) -> Exchange:
        return self._exchange

    def close(self) -> Exchange:
        return self._exchange


def not_sent(request: Request) -> Exchange:
    """The record of a request that was given up: no answer, by our own decision, and in no time."""
    said = f"not sent: {MOST} answers in a row had not ended in time"
    exchange = Recorder(request).finish(Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS, detail=said), 0.0)
    exchange.notes[_NOTE] = said
    return exchange


def hurried(exchange: Exchange) -> str:
    """Why an answer that has no end says nothing of the target: it was our haste; `""` where it was not."""
    return str(exchange.notes.get(_NOTE, ""))


def _kind(request: Request) -> tuple[str, bool]:
    """Requests whose answers may be expected to end alike."""
    return request.method, request.parameter("stream") == "true" or _STREAM.search(request.body) is not None


def _is_cut(exchange: Exchange) -> bool:
    return exchange.ending.by is By.LIMIT
