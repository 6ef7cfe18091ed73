"""Responses that are no answer: a limit to wait for, a mishap, a refusal; and the waits of a run.

`Retries` are for a service that limits its callers: they wait when the target requests a pause, up to a bound. The
caller does not see a rejection that was waited out, only the final response. To see the refusals themselves, name
them in `Send.sees`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.wire import By, Exchange, How
from harness.wire.bodies import object_or_none
from harness.wire.delivery import is_delivery
from harness.wire.message import retry_after

LATER = frozenset({429, 503})
"""Statuses with which a service asks its callers to retry later."""

MAX_WAIT = 70.0
"""The longest single wait in seconds: enough for a quota per minute; a quota per day is not waited for."""

MAX_TOTAL_WAIT = 300.0
"""The default limit, in seconds, for all waits of a run together."""

_LEAST_PAUSES = {429: (0.0, 0.0, 4.0, 8.0, 16.0, 30.0), 503: (0.0, 0.0, 4.0)}
"""Minimum seconds before each retry if the refusal names a time; they grow, since that time may be too short."""

_GUESSED_PAUSES = {429: (1.0, 2.0, 4.0, 8.0, 16.0, 30.0), 503: (1.0, 2.0, 4.0)}
"""Seconds before each retry if the refusal names no time: in all a quota's minute, or a short overload."""

_SPENT = frozenset({"quota_exceeded"})
"""Error codes of a quota that is not refilled before another day."""

NO_TIME = "no time"
"""What `missing_answer` returns for an exchange that our own haste excuses."""

_CODE = re.compile(r"[a-z_]{1,60}", re.ASCII)

ReportWait = Callable[[float, Exchange], None]
"""Called before each wait with its seconds and the refusal that asked for it."""


class Waited(Struct, frozen=True):
    """The number of waits, and their seconds in all."""

    times: int = 0
    seconds: float = 0.0


class Retries(DriverPolicy):
    """Repeats requests after a temporary rejection; all drivers of a run wait at most `limit` seconds together.

    If the retries of one request are used up, no request is retried until the next response, so a target that went
    down is not waited for at each of the remaining requests. Several threads may share one.

    While a request is retried for the first time after 429, no other thread sends: those that all came back at the
    same moment took each other's share, and some never got theirs. If it is rejected again, others are not why.
    """

    retried = LATER

    def __init__(self, limit: float = MAX_TOTAL_WAIT, report_wait: ReportWait | None = None) -> None:
        self.waited = Waited()
        self._limit = limit
        self._report_wait = report_wait
        self._in_vain = False
        self._lock = threading.Lock()
        self._turns = threading.Condition()
        self._holder: int | None = None
        """The thread that keeps others from sending."""
        self._is_over = False

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Wait while another thread has its first retry."""
        if self._holder is not None:
            with self._turns:
                self._turns.wait_for(self._is_free)
        return 0.0

    def release(self) -> None:
        """Let others send again."""
        if self._holder == threading.get_ident():
            with self._turns:
                self._holder = None
                self._turns.notify_all()

    def halt(self) -> None:
        """Let all send again for good: the run is over, and deletes what it created."""
        with self._turns:
            self._is_over = True
            self._turns.notify_all()

    def _is_free(self) -> bool:
        return self._is_over or self._holder in (None, threading.get_ident())

    def _take_turn(self) -> float:
        """Keep others from sending; return the seconds in which one of them kept this thread from it."""
        begun = time.monotonic()
        with self._turns:
            waited = not self._is_free()
            self._turns.wait_for(self._is_free)
            self._holder = threading.get_ident()
        return time.monotonic() - begun if waited else 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """After an answer the next refusal is worth waiting for again."""
        self._in_vain = self._in_vain and (exchange.status is None or exchange.status in LATER)
        return exchange

    def retry_delay(self, refusals: Sequence[Exchange], number: int) -> float | None:
        """Reserve the wait, and report it. Several refusals share one, the longest."""
        refusal = max(refusals, key=lambda exchange: retry_delay(exchange, number) or 0.0)
        self.release()
        passed = self._take_turn() if number == 0 and refusal.status == 429 else 0.0
        with self._lock:
            wanted = None if self._in_vain else retry_delay(refusal, number)
            seconds = None if wanted is None else max(0.0, wanted - passed)
            if seconds is None or self.waited.seconds + seconds > self._limit:
                self._in_vain = self._in_vain or number > 0
                return None
            self.waited = Waited(self.waited.times + 1, self.waited.seconds + seconds)
        if self._report_wait is not None and seconds > 0:
            self._report_wait(seconds, refusal)
        return seconds


def retry_delay(exchange: Exchange, number: int = 0) -> float | None:
    """Seconds to wait before retry `number` (from 0), or None if a retry is pointless.

    It is pointless if the status is not in `LATER`, if no time is named and the quota is exhausted for long, if
    the time named exceeds `MAX_WAIT`, or if all retries are used up.
    """
    if exchange.status not in LATER:
        return None
    named = retry_after(exchange.headers)
    if named is None and error_code(exchange) in _SPENT:
        return None
    pauses = (_GUESSED_PAUSES if named is None else _LEAST_PAUSES)[exchange.status]
    if number >= len(pauses) or (named or 0.0) > MAX_WAIT:
        return None
    return max(named or 0.0, pauses[number])


def is_cut(exchange: Exchange) -> bool:
    """Whether the target ended the connection before the answer had ended."""
    return exchange.ending.by is By.SERVER and exchange.ending.how in (How.FIN, How.RST)


def may_be_mishap(exchange: Exchange) -> bool:
    """Whether something between here and the target may be why a response is a crash, a limit or cut."""
    if exchange.status in (429, *range(500, 600)) and exchange.status != 501:
        return not is_delivery(exchange)
    return is_cut(exchange)


def is_crash(exchange: Exchange) -> bool:
    """Whether it may be a mishap, and is no limit of requests."""
    return may_be_mishap(exchange) and exchange.status not in LATER


def missing_answer(exchange: Exchange) -> str:
    """The event in place of a judgeable response: a status, or how it ended. `""` if there is a response.

    A limited rate, a crash, a lost connection and our own haste prove nothing about the request; 501 does.
    """
    if exchange.excuse and not may_be_mishap(exchange):
        return NO_TIME
    if is_delivery(exchange):
        return ""
    status, ending = exchange.status, exchange.ending
    if ending.by is not By.CLIENT and not exchange.complete:
        return "no response" if status is None else "a truncated response"
    if status == 429 or (status is not None and status >= 500 and status != 501):
        return str(status)
    return ""


def is_refusal(exchange: Exchange) -> bool:
    """Whether the target rejects the request for good: it does not offer the feature, which is its right."""
    status = exchange.status
    if status is None or not exchange.complete or status in (408, 429) or is_delivery(exchange):
        return False
    return 400 <= status < 500 or status == 501


def error_code(exchange: Exchange) -> str:
    """The code in an error's body, or `""`; never its message, which may quote a key."""
    error = (object_or_none(exchange.body) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def format_refusal(exchange: Exchange) -> str:
    """A refusal in a few words: the request, and the status and code of the answer."""
    code = error_code(exchange)
    answer = f"{exchange.status} ({code})" if code else f"{exchange.status}"
    return f"{exchange.request.method} {exchange.request.raw_path} returned {answer}"
