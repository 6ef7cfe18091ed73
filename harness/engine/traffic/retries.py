"""A driver for a service that limits its callers: retries when it is told to come back later, up to a bound.

Layer 4. Knows the statuses that mean "later" and how long to wait for each; must not know checks, scenarios or
files. The caller does not see a refusal that was waited out, only the final answer. To see the refusals
themselves, send through `showing`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from harness.contract import read
from harness.engine.traffic.timeout_budget import NO_TIME, hurried
from harness.resume.errors import retry_after
from harness.wire import By, Driver, Exchange, LiveStream, Request

LATER = frozenset({429, 503})
"""Statuses with which a service asks its callers to retry later."""

LONGEST_WAIT = 70.0
"""The longest single wait in seconds: enough for a quota per minute; a quota per day is not waited for."""

MOST_WAITING = 300.0
"""The default limit, in seconds, for all waits of a run together."""

_LEAST = {
    429: (0.0, 0.0, 4.0, 8.0, 16.0, 30.0),
    503: (0.0, 0.0, 4.0),
}
"""Minimum seconds before each retry if the refusal names a time; they grow, since that time may be too short."""

_GUESS = {
    429: (1.0, 2.0, 4.0, 8.0, 16.0, 30.0),
    503: (1.0, 2.0, 4.0),
}
"""Seconds before each retry if the refusal names no time: in all a quota's minute, or a short overload."""

_SPENT = frozenset({"quota_exceeded"})
"""Error codes of a quota that is not refilled before another day."""

_LIMITED, _NOT_IMPLEMENTED = 429, 501
_CODE = re.compile(r"[a-z_]{1,60}", re.ASCII)

Told = Callable[[float, Exchange], None]
"""Called before each wait with its seconds and the refusal that asked for it."""


@dataclass(frozen=True, slots=True)
class Waited:
    """The number of waits, and their seconds in all."""

    times: int = 0
    seconds: float = 0.0


class Patience:
    """Limits the waiting of all drivers of one run to `most` seconds together.

    If the retries of one request are used up, no request is retried until something is answered again, so a target
    that went down is not waited for at each of the remaining requests. Several threads may share one.
    """

    def __init__(self, most: float = MOST_WAITING, told: Told | None = None) -> None:
        self.waited = Waited()
        self._most = most
        self._told = told
        self._in_vain = False
        self._lock = threading.Lock()

    def pause(self, refusal: Exchange, number: int) -> float | None:
        """Seconds to wait before retry `number` (from 0) of a request, or None to give up."""
        with self._lock:
            seconds = None if self._in_vain else pause_of(refusal, number)
            if seconds is None or self.waited.seconds + seconds > self._most:
                self._in_vain = self._in_vain or number > 0
                return None
            self.waited = Waited(self.waited.times + 1, self.waited.seconds + seconds)
        if self._told is not None:
            self._told(seconds, refusal)
        return seconds

    def served(self) -> None:
        """Note that something was answered: the next refusal is worth waiting for again."""
        self._in_vain = False


class PoliteDriver:
    """A `Driver` around another that waits and retries on the statuses `later`, as long as its patience lasts."""

    def __init__(self, driver: Driver, patience: Patience, later: frozenset[int] = LATER) -> None:
        self.inside = driver
        self.patience = patience
        self.later = later

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """Return the answer; it has a status in `later` only if patience ended."""
        for number in count():
            exchange = self.inside.send(request, timeout=timeout)
            if not self._waited([exchange], number):
                break
        return exchange

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """As `send`, but the body is left to be read."""
        for number in count():
            stream = self.inside.open(request, timeout=timeout)
            if stream.status not in self.later:
                self.patience.served()
                break
            if not self._waited([stream.finish()], number):
                break
        return stream

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """Send all at once; retry only if all were refused, because refusals of only some are an answer."""
        for number in count():
            exchanges = self.inside.together(requests)
            if not self._waited(exchanges, number):
                break
        return exchanges

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.inside.wait(seconds)

    def close(self) -> None:
        """Close the wrapped driver."""
        self.inside.close()

    def _waited(self, exchanges: Sequence[Exchange], number: int) -> bool:
        """Wait if a retry is due, and return whether it is. Several refusals share one pause, the longest."""
        if not exchanges or any(exchange.status not in self.later for exchange in exchanges):
            if any(exchange.status is not None for exchange in exchanges):
                self.patience.served()
            return False
        refusal = max(exchanges, key=lambda exchange: pause_of(exchange, number) or 0.0)
        seconds = self.patience.pause(refusal, number)
        if seconds is None:
            return False
        self.inside.wait(seconds)
        return True


def showing(driver: Driver, statuses: frozenset[int]) -> Driver:
    """The same driver, but it returns answers with these statuses; a driver that is not polite does so anyway."""
    if not statuses or not isinstance(driver, PoliteDriver):
        return driver
    return PoliteDriver(driver.inside, driver.patience, driver.later - statuses)


def pause_of(exchange: Exchange, number: int = 0) -> float | None:
    """Seconds to wait before retry `number` (from 0), or None if a retry is pointless.

    It is pointless if the status is not in `LATER`, if no time is named and the quota is exhausted for long, if
    the time named exceeds `LONGEST_WAIT`, or if all retries are used up.
    """
    if exchange.status not in LATER:
        return None
    asked = retry_after({name.lower(): value for name, value in exchange.headers.items()})
    if asked is None and error_code(exchange) in _SPENT:
        return None
    pauses = (_GUESS if asked is None else _LEAST)[exchange.status]
    if number >= len(pauses) or (asked or 0.0) > LONGEST_WAIT:
        return None
    return max(asked or 0.0, pauses[number])


def unanswered(exchange: Exchange) -> str:
    """What came instead of an answer that can be judged: a status, or how it ended. `""` if such an answer came.

    A limited rate, a crash, a lost connection and our own haste say nothing about what was asked; 501 does.
    """
    if hurried(exchange):
        return NO_TIME
    status, ending = exchange.status, exchange.ending
    if ending.by is not By.CLIENT and not exchange.complete:
        return "no answer" if status is None else "an answer cut short"
    if status == _LIMITED or (status is not None and status >= 500 and status != _NOT_IMPLEMENTED):
        return str(status)
    return ""


def error_code(exchange: Exchange) -> str:
    """The code in an error's body, or `""`; never its message, which may quote a key."""
    body = read(exchange).json
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def said(exchange: Exchange) -> str:
    """A refusal in a few words: the request, and the status and code of the answer."""
    code = error_code(exchange)
    answered = f"{exchange.status} ({code})" if code else f"{exchange.status}"
    return f"{exchange.request.method} {exchange.request.raw_path} was answered {answered}"
