"""Outages: times at which a target gave no response, and mishaps: failures that do not come again.

A refused connection proves nothing about the request that would have been sent on it. The target may have cut a
response short itself, or have ended. So an earlier request is sent once more: a target that lives responds to it.
What an exercise sees in an outage, also that resources are lost, is not held against the target. At the end
`find_deaths` finds out whether a request was its end. Must not know the judges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.engine.traffic.retries import LATER, is_cut, may_be_mishap
from harness.wire import At, Driver, Exchange, How, Request
from harness.wire.message import NOT_READY


class Departure(Struct):
    """A target that stopped responding, so many seconds into the run.

    `suspects` are the requests that it got last, the last one first: those that were cut off, else the last one
    with a response. `back`: it has responded again since.
    """

    seconds: float
    suspects: tuple[Exchange, ...]
    back: bool = False
    looks: int = 0


class Outages(DriverPolicy):
    """Notes, for all drivers of one run, when the target was gone; several threads may share one.

    The first GET with a whole response becomes the control.

    A crash, a limit of requests or a cut response of a target that lives is its own if the same request has it
    `TIMES` in a row. From then on such a response to such a request is taken for the target's at once, as it fails
    anyway. Any other one is a mishap, perhaps of the way to the target.
    """

    TIMES = 4
    """Three may be a front end that starts again; more would take long where each request crashes."""

    def __init__(self) -> None:
        self.seen = 0
        self.mishaps: list[Exchange] = []
        """What the same request did not have when it was sent again."""
        self.silences: list[tuple[Exchange, ...]] = []
        """Requests that got no byte, with each time that they were sent."""
        self._confirmed: set[tuple[object, ...]] = set()
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
            if is_nobody(exchange):
                self._note_departure()
                return exchange.with_excuse(f"connection refused by the target: {exchange.ending.detail}")
            if is_cut(exchange) and exchange.request is not self._control:
                self._cut.append(exchange)
            elif exchange.status is not None and exchange.status not in NOT_READY:
                self._note_life(exchange)
        return exchange

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
        call, ending = f"{lost.request.method} {lost.request.raw_path}", lost.ending
        what = "not sent" if is_nobody(lost) else "no response" if lost.status is None else "truncated"
        return f"the target stopped responding: {call} was {what} ({ending.detail or ending.words})"

    def await_return(self, driver: Driver) -> bool:
        """Whether the target is there; a supervisor gets three seconds to start one that is gone.

        One worker looks, and the others wait for what it sees.
        """
        with self._waiting:
            while (gone := self.gone) is not None and self._control is not None and gone.looks < 12:
                gone.looks += 1
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

        That the end is missing is seen by our limit only, so the control has a tenth of the time that it had.
        """
        control = self.ask_control(driver, hung.seconds / 10)
        return control is None or (not control.hung and control.seconds <= hung.seconds / 10)

    def are_possible(self, exchange: Exchange) -> bool:
        """Whether the request of an exchange has to be sent again before it is judged."""
        return may_be_mishap(exchange) and self.is_new(exchange)

    def is_new(self, exchange: Exchange) -> bool:
        """Whether such a response to such a request is not known to be the target's."""
        return not exchange.excuse and _kind_of(exchange) not in self._confirmed

    @contextmanager
    def doubt(self, *exchanges: Exchange) -> Iterator[None]:
        """While requests are sent again: what no byte answers may be an outage, also for the other workers."""
        doubts = sum(map(_has_no_byte, exchanges))
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
            self.seen += any(map(_has_no_byte, exchanges))

    def confirm(self, *times: Exchange) -> None:
        """Take such responses to such requests for the target's; `times` are those to one request."""
        self._confirmed.add(_kind_of(times[0]))
        if all(map(_has_no_byte, times)):
            self.silences.append(times)

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


def is_nobody(exchange: Exchange) -> bool:
    """Whether no connection came about, so that the request was never sent."""
    ending = exchange.ending
    return exchange.status is None and ending.how is How.REFUSED and ending.at is At.BEFORE_HEADERS


def is_gone(control: Exchange) -> bool:
    """Whether the response to the control shows that the target is gone."""
    return is_nobody(control) or control.status in NOT_READY or _has_no_byte(control)


def _has_no_byte(exchange: Exchange) -> bool:
    """Whether the target ended the connection before the first byte of a response."""
    return exchange.status is None and is_cut(exchange)


def _kind_of(exchange: Exchange) -> tuple[object, ...]:
    return exchange.request.method, len(exchange.request.segments), exchange.status, exchange.ending.how


def _is_after(exchange: Exchange, other: Exchange) -> bool:
    """Whether a request was sent after the answer to another one had ended."""
    if exchange.began is None or other.began is None:
        return True
    return exchange.began >= other.began + other.seconds


# Autopsy: whether a request was the end of a target that went away during a run and came back.
# Another cause may have stopped the target, so only a repeated stop is a defect: its last request
# is sent once more, alone, between two requests that are known to be harmless. Must not know what is judged.


_MOST = 4
"""Most departures that are looked into, and most suspects of each: every one may cost a restart."""


class Death(Struct, frozen=True):
    """A request at which the target stopped in the run, and each time `again`, between harmless requests.

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
        before = outages.ask_control(driver) if outages.await_return(driver) else None
        if before is None or is_gone(before):
            return None
        again = driver.send(suspect.request)
        note(again)
        cut = _has_no_byte(again)
        if not cut:
            driver.wait(0.25)  # it may die after it has answered
        after = outages.ask_control(driver)
        if after is not None and (cut or is_gone(after)):
            return Death(suspect, (before, again, after))
    return None
