"""A driver for a target whose answers do not end: after a few of them it shortens the timeout, then stops sending.

Layer 4. An answer that our own limits cut off costs the whole timeout of its request. A run sends hundreds of
requests, so a target that ends no answer would hold it for hours. An answer that ends by itself costs nothing
here, however long it takes, so a slow target loses nothing. Only answers cut off *in a row* count: one that ends
restores the whole timeout. An answer that was cut off before the whole timeout, or whose request was not sent,
says nothing about the target (`hurried`) and must not be judged.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.engine.traffic.governed_driver import StreamAround
from harness.wire import At, By, Driver, Ending, Exchange, Frame, Headers, How, LiveStream, Recorder, Request

PATIENT = 3
"""Number of cut answers in a row after which requests get only one `PART`th of the timeout."""

PART = 6

MOST = 8
"""Number of cut answers in a row after which no request is sent that would wait for another one."""

NO_TIME = "no time"
"""What `unanswered` returns for a hurried answer."""

_NOTE = __name__
_STREAM = re.compile(rb'"stream"\s*:\s*true')


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run lost to answers that did not end.

    `answers` is how many our limits cut off, `seconds` is how long these took, and `hurried` is how many of them
    got less than the whole timeout. `first` describes the first of them. `unsent` requests were not sent at all.
    """

    answers: int = 0
    seconds: float = 0.0
    hurried: int = 0
    unsent: int = 0
    first: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """The timeout granted to a request in seconds, None for the driver's own; `less` means that we shortened it.

    `alike` and `any` are how many cuts each of the two rows had counted when it was granted.
    """

    seconds: float | None
    less: bool
    alike: int
    any: int


class _Row:
    """Counts consecutive answers that did not end; answers awaited at the same time count once."""

    def __init__(self) -> None:
        self.length = 0
        self.counted = 0

    def hear(self, exchange: Exchange, since: int, *, ends: bool) -> None:
        """Count one more answer; `ends`: it shows that such answers end. A drop or our own close changes nothing.

        `since` is the number of cuts that had been counted when its request was sent.
        """
        if ends:
            self.length = 0
        elif _is_cut(exchange) and self.counted == since:
            self.length += 1
            self.counted += 1


class Endurance:
    """Counts for all drivers of one run; `seconds` is the whole timeout of one request.

    There is one row for all answers and one for each kind (the method, and whether a stream was asked for). So a
    target whose streams never end is still asked for everything else. A refusal does not end the row of its kind.
    A deletion is sent as long as deletions end, whatever else does not, because that is how a run cleans up.
    Several threads may share one.
    """

    def __init__(self, seconds: float) -> None:
        self.cut = Cut()
        self._less = seconds / PART
        self._alike: defaultdict[tuple[str, bool], _Row] = defaultdict(_Row)
        self._any = _Row()
        self._lock = threading.Lock()

    def leave(self, request: Request, timeout: float | None) -> Leave | None:
        """Grant a request its timeout, at most `timeout`; None if it must not be sent, which counts as unsent."""
        with self._lock:
            alike = self._alike[_kind(request)]
            longest = max(alike.length, self._any.length)
            if (alike.length if request.method == "DELETE" else longest) >= MOST:
                self.cut = replace(self.cut, unsent=self.cut.unsent + 1)
                return None
            less = longest >= PATIENT and (timeout is None or timeout > self._less)
            return Leave(self._less if less else timeout, less, alike.counted, self._any.counted)

    def hear(self, exchange: Exchange, leave: Leave, *, bounded: bool = True) -> None:
        """Note how an exchange ended; `bounded=False`: it got the whole timeout whatever was granted."""
        with self._lock:
            alike = self._alike[_kind(exchange.request)]
            # A refusal does not end the row of its kind: it would have ended in any case.
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
    """A `Driver` around another that gives each request the timeout that the endurance grants."""

    def __init__(self, driver: Driver, endurance: Endurance) -> None:
        self._driver = driver
        self._endurance = endurance

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """As the wrapped driver does, or return `not_sent`."""
        leave = self._endurance.leave(request, timeout)
        if leave is None:
            return not_sent(request)
        exchange = self._driver.send(request, timeout=leave.seconds)
        self._endurance.hear(exchange, leave)
        return exchange

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """As the wrapped driver does, or return a stream that ended before it began."""
        leave = self._endurance.leave(request, timeout)
        if leave is None:
            return _Unsent(request)
        stream = self._driver.open(request, timeout=leave.seconds)
        return _Heard(stream, lambda exchange: self._endurance.hear(exchange, leave))

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """As the wrapped driver does, each with the whole timeout; send none if one of them must not be sent."""
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
        """Close the wrapped driver."""
        self._driver.close()


class _Heard(StreamAround):
    """A `LiveStream` that reports its finished exchange to `tell`, once."""

    def __init__(self, stream: LiveStream, tell: Callable[[Exchange], None]) -> None:
        super().__init__(stream)
        self._tell: Callable[[Exchange], None] | None = tell

    def finish(self) -> Exchange:
        return self._told(super().finish())

    def close(self) -> Exchange:
        return self._told(super().close())

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
    """The record of a request that we decided not to send: no answer, and no time spent."""
    said = f"not sent: {MOST} answers in a row had not ended in time"
    exchange = Recorder(request).finish(Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS, detail=said), 0.0)
    exchange.notes[_NOTE] = said
    return exchange


def hurried(exchange: Exchange) -> str:
    """Why this exchange says nothing about the target: our haste cut it off, or it was not sent; else `""`."""
    return str(exchange.notes.get(_NOTE, ""))


def _kind(request: Request) -> tuple[str, bool]:
    """The kind of a request; answers to requests of one kind can be expected to end alike."""
    return request.method, request.parameter("stream") == "true" or _STREAM.search(request.body) is not None


def _is_cut(exchange: Exchange) -> bool:
    return exchange.ending.by is By.LIMIT
