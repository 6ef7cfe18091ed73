"""A driver for a service that limits its callers: asks again when it is told to come later, up to a bound.

Layer 4. Knows the statuses that mean "come again later" and how long that is; must not know checks, scenarios or
files. A refusal that was waited out is not part of what the caller sees: it asked once and got the answer that
came in the end. Who wants to see a refusal itself sends through `showing`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from harness.contract import read
from harness.resume.faults import retry_after
from harness.runner.endurance import NO_TIME, hurried
from harness.wire import By, Driver, Exchange, LiveStream, Request

LATER = frozenset({429, 503})
"""Statuses with which a service asks to be left alone for a while."""

LONGEST_WAIT = 70.0
"""Seconds of one wait: quotas are counted by the minute or by the day, and nobody waits for the second kind."""

MOST_WAITING = 300.0
"""Seconds that a run spends on waits, all of them together, where nobody said otherwise."""

_LEAST = {
    429: (0.0, 0.0, 4.0, 8.0, 16.0, 30.0),
    503: (0.0, 0.0, 4.0),
}
"""Seconds before each repetition at the least: who is refused again where it was told to come needs more."""

_GUESS = {
    429: (1.0, 2.0, 4.0, 8.0, 16.0, 30.0),
    503: (1.0, 2.0, 4.0),
}
"""Where the refusal names no time: together a quota's minute, or what an overload is given to pass."""

_SPENT = frozenset({"quota_exceeded"})
"""Codes of a quota that comes back another day."""

_LIMITED, _NOT_IMPLEMENTED = 429, 501
_CODE = re.compile(r"[a-z_]{1,60}", re.ASCII)

Told = Callable[[float, Exchange], None]
"""Hears of a wait before it begins: its seconds, and the refusal that asks for it."""


@dataclass(frozen=True, slots=True)
class Waited:
    """How often somebody waited, and for how many seconds in all."""

    times: int = 0
    seconds: float = 0.0


class Patience:
    """What all drivers of one run may spend on waiting: at most `most` seconds.

    A request that was repeated in vain ends the patience with all of them until something is answered again: a
    target that went down is not waited for at each of the requests that are left. Several threads may share one.
    """

    def __init__(self, most: float = MOST_WAITING, told: Told | None = None) -> None:
        self.waited = Waited()
        self._most = most
        self._told = told
        self._in_vain = False
        self._lock = threading.Lock()

    def pause(self, refusal: Exchange, number: int) -> float | None:
        """Seconds to wait before the request is repeated for the `number`-th time (from 0), None to give up."""
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
        """Something was answered: the next refusal is worth waiting again."""
        self._in_vain = False


class PoliteDriver:
    """A `Driver` around another that waits and asks again on the statuses `later`, as far as its patience goes."""

    def __init__(self, driver: Driver, patience: Patience, later: frozenset[int] = LATER) -> None:
        self.inside = driver
        self.patience = patience
        self.later = later

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """The answer; one that says "later" only where patience ended."""
        for number in count():
            exchange = self.inside.send(request, timeout=timeout)
            if not self._waited([exchange], number):
                break
        return exchange

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """As `send`, but for the body, which is left to be pulled."""
        for number in count():
            stream = self.inside.open(request, timeout=timeout)
            if stream.status not in self.later:
                self.patience.served()
                break
            if not self._waited([stream.finish()], number):
                break
        return stream

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """All at the same time, and again only where not one of them was answered: some refusals are an answer."""
        for number in count():
            exchanges = self.inside.together(requests)
            if not self._waited(exchanges, number):
                break
        return exchanges

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.inside.wait(seconds)

    def close(self) -> None:
        """Close the driver inside."""
        self.inside.close()

    def _waited(self, exchanges: Sequence[Exchange], number: int) -> bool:
        """Whether to send again; the pauses of several refusals are one, the longest."""
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
    """The same driver, but that it hands on answers with these statuses; one not polite does so anyway."""
    if not statuses or not isinstance(driver, PoliteDriver):
        return driver
    return PoliteDriver(driver.inside, driver.patience, driver.later - statuses)


def pause_of(exchange: Exchange, number: int = 0) -> float | None:
    """Seconds after which to ask again for the `number`-th time (from 0), None where that is no use.

    No use where nothing was refused for now, the quota is gone for long, or it was repeated often.
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
    """What came instead of an answer that can be judged: a status, or how it ended; `""` where one came.

    A limited rate, a crash, a lost connection and our own haste say nothing of what was asked; 501 does.
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
    """The code in an error's body, `""` where there is none; never its message, which may quote a key."""
    body = read(exchange).json
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def said(exchange: Exchange) -> str:
    """A refusal in a few words: what was asked, and with which status and code it was answered."""
    code = error_code(exchange)
    answered = f"{exchange.status} ({code})" if code else f"{exchange.status}"
    return f"{exchange.request.method} {exchange.request.raw_path} was answered {answered}"
