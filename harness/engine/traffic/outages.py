"""Outages: times at which nobody listened at a target that had answered before.

Layer 4. A connection that is refused says nothing about the request that would have been sent on it. An answer
that was cut off may be the target's doing or its end, so what it had answered before is asked once more: a target
that lives answers that. Whatever an exercise saw during an outage, also that what it had created is gone, is not
held against the target. Must not know what is judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy, GovernedDriver
from harness.engine.traffic.retries import LATER
from harness.wire import At, By, Driver, Exchange, How, Request

_CUT = frozenset({How.FIN, How.RST})
_NOBODY = frozenset({502, 503, 504})
"""What a proxy answers in the place of a target that it cannot reach."""


class Outages(DriverPolicy):
    """Counts, for all drivers of one run, the requests that found nobody; several threads may share one.

    The first GET that is answered to its end becomes the control.
    """

    def __init__(self) -> None:
        self.seen = 0
        self._control: Request | None = None

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Note what may be asked again, or a connection that was refused: that proves nothing."""
        if is_nobody(exchange):
            self.seen += 1
            return exchange.with_excuse(f"nobody listened at the target: {exchange.ending.detail}")
        if self._control is None and _is_control(exchange):
            self._control = exchange.request
        return exchange

    def describe(self, since: int, trail: Sequence[Exchange], driver: Driver) -> str:
        """How an exercise met an outage, `""` if it met none; `since` is the number that was `seen` at its begin.

        If an answer was cut off and nothing else tells, the control is asked. Raises TimeUp as any request does.
        """
        lost = next((exchange for exchange in trail if is_nobody(exchange) or _is_cut(exchange)), None)
        if self.seen == since and (lost is None or not self._is_gone(driver)):
            return ""
        if lost is None:
            return "the target was gone for a while"
        call, ending = f"{lost.request.method} {lost.request.raw_path}", lost.ending
        what = "not sent" if is_nobody(lost) else "not answered" if lost.status is None else "answered in part"
        return f"the target was gone: {call} was {what} ({ending.detail or ending.words})"

    def _is_gone(self, driver: Driver) -> bool:
        """Whether the control, which was answered before, is not."""
        if self._control is None:
            return False
        asked = driver.show(LATER) if isinstance(driver, GovernedDriver) else driver
        exchange = asked.send(self._control)
        return is_nobody(exchange) or exchange.status in _NOBODY or (exchange.status is None and _is_cut(exchange))


def is_nobody(exchange: Exchange) -> bool:
    """Whether no connection came about, so that the request was never sent."""
    ending = exchange.ending
    return exchange.status is None and ending.how is How.REFUSED and ending.at is At.BEFORE_HEADERS


def _is_cut(exchange: Exchange) -> bool:
    return exchange.ending.by is By.SERVER and exchange.ending.how in _CUT


def _is_control(exchange: Exchange) -> bool:
    answered = exchange.complete and exchange.status not in _NOBODY
    return answered and exchange.request.method == "GET" and not exchange.is_stream
