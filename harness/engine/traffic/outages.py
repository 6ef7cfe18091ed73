"""Responses that are no answer: refusals to wait for, mishaps, losses, and the times when a target was gone.

`Retries` are for a service that limits its callers: they wait when the target requests a pause, up to a bound. The
caller does not see a rejection that was waited out, only the final response. To see the refusals themselves, name
them in `Send.sees`.

`Outages` notes the times at which a target gave no response, and mishaps: failures that do not come again. A
refused connection proves nothing about the request that would have been sent on it. The target may have cut a
response short itself, or have ended. So an earlier request is sent once more: a target that lives responds to it.
What an exercise sees in an outage, also that resources are lost, is not held against the target. At the end
`find_deaths` finds out whether a request was its end. Must not know what is judged.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from harness.engine.events import Waited, error_code
from harness.engine.traffic.governed_driver import Attempt, DriverPolicy, Form, TimeoutBudget, classify
from harness.engine.traffic.ledger import CreatedResources
from harness.kit.check import Together
from harness.outcome.words import format_count, quote_body
from harness.wire import At, By, Driver, Exchange, How, Request
from harness.wire.delivery import is_delivery
from harness.wire.message import NOT_READY, retry_after

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


def is_nobody(exchange: Exchange) -> bool:
    """Whether no connection came about, so that the request was never sent."""
    ending = exchange.ending
    return exchange.status is None and ending.how is How.REFUSED and ending.at is At.BEFORE_HEADERS


def is_gone(control: Exchange) -> bool:
    """Whether the response to the control shows that the target is gone."""
    return is_nobody(control) or control.status in NOT_READY or has_no_byte(control)


def has_no_byte(exchange: Exchange) -> bool:
    """Whether the target ended the connection before the first byte of a response."""
    return exchange.status is None and is_cut(exchange)


def describe_loss(exchange: Exchange) -> str:
    """How a response was lost."""
    how = f"returned {exchange.status}" if exchange.complete else f"was cut ({exchange.ending.words})"
    return "did not end" if exchange.hung else how


ReportWait = Callable[[float, Exchange], None]
"""Called before each wait with its seconds and the refusal that asked for it."""


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


CROWDED = "the target, or a proxy before it, limits connections: harmless requests at once are cut, too"


class Departure(Struct):
    """A target that stopped responding, so many seconds into the run.

    `suspects` are the requests that it got last, the last one first: those that were cut off, else the last one
    with a response. `back`: it has responded again since. It was `asked` so often for the control.
    """

    seconds: float
    suspects: tuple[Exchange, ...]
    back: bool = False
    asked: int = 0


class Outages(DriverPolicy):
    """Notes, for all drivers of one run, when the target was gone; several threads may share one.

    The first GET with a whole response that is no stream becomes the control.

    A crash, a limit of requests or a cut response of a target that lives is its own if the same request has it
    `TIMES` in a row, or `LOSSES` if it is cut. Another request of its form, which succeeded before, is sent in
    between: if that is lost, too, the request is not the reason. From then on such a response to such a request
    is taken for the target's at once, as it fails anyway. Any other one is a mishap, perhaps of the way.

    If a request that was rejected for now is accepted later, the target, or a proxy before it, rejects by rate.
    From then on no rejection with that status is the target's: other requests may be why one never got through.
    But a call that never succeeds is down by itself, if what was accepted later is so just after it, each time.
    """

    TIMES = 4
    """Three may be a front end that starts again; more would take long where each request crashes."""

    LOSSES = 8
    """A way that lost five of six resumes once lost the same one four times in a row."""

    QUIET = 1.0
    """Seconds to wait before what is lost each time is held against the target: some count a connection for a
    while after its end, so that each of several in a row was refused, whatever it asked."""

    def __init__(self) -> None:
        self.timeouts = TimeoutBudget()
        self.seen = 0
        self.mishaps: list[Exchange] = []
        """What the same request did not have when it was sent again."""
        self.silences: list[tuple[Exchange, ...]] = []
        """Requests that got no byte, with each time that they were sent."""
        self.limited: list[Exchange] = []
        """Rejections that a limit of the rate explains."""
        self._is_full = False
        """Whether the target limits its connections."""
        self._stuck: dict[Form, tuple[Exchange, int, Exchange | None]] = {}
        """The forms of requests that fail each time: a loss, and the streams left and the last response before."""
        self._left = 0
        self._last: dict[tuple[object, ...], Exchange] = {}
        self._rejected: dict[tuple[str, str, bytes], tuple[int, Request | None]] = {}
        """The statuses of requests that were rejected for now, and those requests that were accepted later."""
        self._confirmed: set[tuple[object, ...]] = set()
        self.heard: dict[Form, dict[tuple[str, bytes], tuple[Request, int]]] = defaultdict(dict)
        """The requests of each form that succeeded, the last one last, with the bytes that they got."""
        self._quickest, self._times = float("inf"), [0.0]
        """Seconds of the quickest rejection, and of each success: a time limit separates them."""
        self.departures: list[Departure] = []
        self._begun = time.perf_counter()
        self._control: Request | None = None
        self._answered: Exchange | None = None
        self._cut: list[Exchange] = []
        self._lock = threading.Lock()
        self._waiting = threading.Lock()
        self._doubts = 0
        self._decided = threading.Condition()

    @property
    def gone(self) -> Departure | None:
        """How the target went away, if it has not come back."""
        return self.departures[-1] if self.departures and not self.departures[-1].back else None

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Note what may be asked again, or a connection that was refused: that proves nothing."""
        with self._lock:
            self._left += exchange.ending.by is By.CLIENT
            if is_nobody(exchange):
                self._note_departure()
                return exchange.with_excuse(f"connection refused by the target: {exchange.ending.detail}")
            if is_cut(exchange) and exchange.request is not self._control:
                self._cut.append(exchange)
            elif exchange.status is not None and exchange.status not in NOT_READY:
                self._note_life(exchange)
                form = classify(exchange.request)
                self._last[form[:3]] = exchange
                if exchange.complete and exchange.succeeded:
                    self._times.append(exchange.seconds)
                    heard = self.heard[form]
                    heard.pop(key := (exchange.request.target, exchange.request.body), None)
                    heard[key] = exchange.request, len(exchange.body)
                    self._stuck.pop(form, None)
            sent = exchange.request.method, exchange.request.target, exchange.request.body
            if exchange.status in LATER:
                self._rejected[sent] = exchange.status, self._rejected.get(sent, (0, None))[1]
                self._quickest = min(self._quickest, exchange.seconds)
            elif sent in self._rejected and exchange.succeeded:
                self._rejected[sent] = self._rejected[sent][0], exchange.request
        return exchange

    def describe_rejections(self) -> Iterator[str]:
        """Clauses about calls that are down, and about a limit of the rate that kept others from being judged."""
        for form, (lost, number, last) in self._stuck.items():
            call = f"{'the stream of ' * form[3]}{lost.request.method} {lost.request.raw_path}"
            since = " since" if form in self.heard else ""
            left = f"; the client had left {format_count(number, 'stream')} before" if form[3] and number else ""
            if lost.hung and last is not None and not last.succeeded:  # it may have kept a lock
                left += f"; the last response before was {last.status}, to {quote_body(last.request.body, 100)}"
            yield f"{call} {describe_loss(lost)}, and no request like it succeeded{since}{left}"
        for first in self.limited[:1]:
            rejected = [status for status, _ in self._rejected.values()].count(first.status or 0)
            yield (
                f"{self.describe_limit()}: of {rejected} that it rejected with {first.status}, "
                f"{len(self.list_accepted(first))} were accepted later, some never (first {first.request.method} "
                f"{first.request.raw_path}); run with `-j 1` and `--rate N`, or raise the limit for this run"
            )
        if self._is_full:
            yield f"{CROWDED}; run with `-j 1`, or raise the limit for this run"

    def describe_limit(self) -> str:
        """Name what a limit bounds: the time, if no rejection was quicker than the successes (but a few)."""
        is_timed = self._quickest > max(0.1, 0.9 * sorted(self._times)[-1 - len(self._times) // 20])
        timed = f"the time of a response, or of its queue, to {self._quickest:.2g} s" if is_timed else ""
        return f"the target, or a proxy before it, limits {timed or 'the rate or number of requests'}"

    def list_accepted(self, exchange: Exchange) -> list[Request]:
        """The requests that were accepted after they had been rejected like this one: by a limit of the rate."""
        return [request for status, request in [*self._rejected.values()] if request and status == exchange.status]

    def describe(self, since: int, trail: Sequence[Exchange], driver: Driver) -> str:
        """A sentence about an outage in an exercise, `""` without one; `since` is the number `seen` at its begin.

        If a response was cut off and nothing else decides, the control is sent. A target that is gone is given
        some seconds to come back, once. Raises TimeUp as any request does.
        """
        with self._decided:  # another worker may be about to find that the target was gone for a moment
            self._decided.wait_for(lambda: not self._doubts)
        lost = next((exchange for exchange in trail if is_nobody(exchange) or is_cut(exchange)), None)
        if self.seen == since and (lost is None or not self.is_gone_since(lost, driver)):
            return ""
        self.await_return(driver)
        if lost is None:
            return "the target was down for some time"
        how = f"was not sent ({lost.ending.detail})" if is_nobody(lost) else describe_loss(lost)
        return f"the target stopped responding: {lost.request.method} {lost.request.raw_path} {how}"

    def await_return(self, driver: Driver) -> bool:
        """Whether the target is there; a supervisor gets three seconds to start one that is gone.

        One worker asks, and the others wait for what it sees.
        """
        with self._waiting:
            while (gone := self.gone) is not None and self._control is not None and gone.asked < 12:
                gone.asked += 1
                driver.wait(0.25)
                self.ask_control(driver)
            return gone is None

    def ask_control(self, driver: Driver, timeout: float | None = None) -> Exchange | None:
        """Repeat an earlier request with a response; None if there is none."""
        if self._control is None:
            return None
        exchange = driver.send(self._control, timeout=timeout, sees=LATER)
        if is_gone(exchange):
            with self._lock:
                self._note_departure()
        return exchange

    def is_gone_since(self, exchange: Exchange, driver: Driver) -> bool:
        """Whether the target that cut an exchange answers nothing else, either: then that proves nothing."""
        control = self.ask_control(driver) if is_cut(exchange) else None
        return control is not None and is_gone(control)

    def is_awake(self, driver: Driver, hung: Exchange) -> bool:
        """Whether the target answers something else while a response has no end: else it is stopped, or too busy.

        That the end is missing is seen by our limit only, so the control has a tenth of the time that it had, or
        the second that an answer may take on a busy machine.
        """
        control = self.ask_control(driver, within := max(1.0, hung.seconds / 10))
        return control is None or (not control.hung and control.seconds <= within)

    def is_crowded(self, driver: Driver, number: int) -> bool:
        """Whether so many harmless requests at once are cut, too: the target, or a proxy, limits connections."""
        if self._control is None or self._is_full or not self.await_return(driver):
            return self._is_full
        crowd = Together((self._control,) * (2 * number))  # on a busy machine fewer of them are open at once
        self._is_full = any(any(map(is_cut, driver.perform(crowd))) for _ in range(self.TIMES))
        return self._is_full

    def is_new(self, exchange: Exchange) -> bool:
        """Whether such a response to such a request is not known to be the target's."""
        is_down = classify(exchange.request) in self._stuck
        is_known = _kind_of(exchange) in self._confirmed and (is_down or not self.list_accepted(exchange))
        return not exchange.excuse and not is_known

    def find_sibling(self, request: Request, ledger: CreatedResources, size: int = 0) -> Request:
        """The sibling of a request: the last other one of its form that succeeded; itself if none did.

        It is about what only the owner of the ledger deletes, if one is: a control that another exercise had
        deleted meanwhile was rejected, and so a crash that came each time was taken for a chance. If one got more
        than `size` bytes, it did: the rest of another stream once ended before the place where this one was cut.
        """
        known = [*self.heard.get(classify(request), {}).values()]  # a copy: other workers add to it
        others = [(one, length) for one, length in known if one != request] or [(request, 0)]
        heard = [one for one, length in others if length > size] or [one for one, _ in others]
        return next(filter(ledger.owes_all_of, reversed(heard)), heard[-1])

    @contextmanager
    def doubt(self, *exchanges: Exchange) -> Iterator[None]:
        """While requests are sent again: what no byte answers may be an outage, also for the other workers."""
        doubts = sum(map(has_no_byte, exchanges))
        with self._decided:
            self._doubts += doubts
        try:
            yield
        finally:
            with self._decided:
                self._doubts -= doubts
                self._decided.notify_all()

    def note_mishaps(self, *exchanges: Exchange) -> None:
        """Keep responses that repeated requests did not get again; without a byte, they count as an outage."""
        with self._lock:
            self.mishaps += exchanges
            self.seen += any(map(has_no_byte, exchanges))

    def confirm(self, *times: Exchange) -> None:
        """Take such responses to such requests for the target's; `times` are those to one request."""
        self._confirmed.add(_kind_of(times[0]))
        if times[0].status in LATER:
            self.note_stuck(times[0])
        if all(map(has_no_byte, times)) or (len(times) == self.LOSSES and not any(one.status for one in times)):
            self.silences.append(times)

    def note_stuck(self, exchange: Exchange) -> None:
        """Note that a request fails, and so does one of its form that succeeded before, if there is one."""
        if exchange.hung:
            self.timeouts.shorten(exchange)
        form = classify(exchange.request)
        self._stuck.setdefault(form, (exchange, self._left, self._last.get(form[:3])))

    def _note_departure(self) -> None:
        """Note that the target is gone, and if it just went, the last requests that it got before."""
        self.seen += 1
        if self.gone is not None:
            return
        # What was sent after another one had been cut off found a target that was dying already.
        first = [cut for cut in self._cut if not any(_is_after(cut, one) for one in self._cut if one is not cut)]
        answered = () if self._answered is None else (self._answered,)
        suspects = tuple(reversed(first or self._cut)) or answered
        if suspects:
            self.departures.append(Departure(time.perf_counter() - self._begun, suspects))

    def _note_life(self, exchange: Exchange) -> None:
        """Note a response: its process has outlived the requests that were cut off before it was sent."""
        self._answered = exchange
        whole = exchange.complete and exchange.status not in NOT_READY and not exchange.is_stream
        if self._control is None and whole and exchange.request.method == "GET":
            self._control = exchange.request
        self._cut = [cut for cut in self._cut if not _is_after(exchange, cut)]
        if (gone := self.gone) is not None and all(_is_after(exchange, cut) for cut in gone.suspects):
            gone.back = True


def _kind_of(exchange: Exchange) -> tuple[object, ...]:
    return exchange.request.method, len(exchange.request.segments), exchange.status, exchange.ending.how


def _is_after(exchange: Exchange, other: Exchange) -> bool:
    """Whether a request was sent after the answer to another one had ended."""
    if exchange.began is None or other.began is None:
        return True
    return exchange.began >= other.began + other.seconds


# Another cause may have stopped a target that went away and came back, so only a repeated stop is a defect: the
# last request before it is sent once more, alone, between two requests that are known to be harmless.

_MOST = 4
"""Most departures that are looked into, and most suspects of each: every one may cost a restart."""


class Death(Struct, frozen=True):
    """A request at which the target stopped in the run, and what was sent `again`: it, between two harmless ones.

    If the target `lives`, only the worker that got the request may have ended: where a supervisor owns the socket,
    no connection is refused.
    """

    first: Exchange
    again: tuple[Exchange, ...]
    lives: bool = False

    @property
    def story(self) -> tuple[Exchange, ...]:
        """The exchanges that a person needs, in their order."""
        return self.first, *self.again


def find_deaths(outages: Outages, driver: Driver, note: Callable[[Exchange], object]) -> Iterator[Death]:
    """The deaths that come again, one for each time that the target went away. Raises TimeUp as any request does.

    What is sent again may create something: `note` gets each answer.
    """
    for departure in outages.departures[:_MOST]:
        death = _find_death(departure, outages, driver, note)
        outages.await_return(driver)
        if death is not None:
            yield death


def _find_death(
    departure: Departure, outages: Outages, driver: Driver, note: Callable[[Exchange], object]
) -> Death | None:
    for suspect in departure.suspects[:_MOST]:
        death = None
        while True:
            before = outages.ask_control(driver) if outages.await_return(driver) else None
            if before is None or is_gone(before):
                return death
            again = driver.send(suspect.request)
            note(again)
            cut = has_no_byte(again)
            if not cut:
                driver.wait(0.25)  # it may die after it has answered
            after = outages.ask_control(driver)
            if after is None or not (cut or is_gone(after)):
                break
            if death is not None:
                return death
            death = Death(suspect, (before, again, after))
            driver.wait(Outages.QUIET)
    return None
