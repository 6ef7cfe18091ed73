"""Waits until a target is ready, and reports the requests that a service left without a response.

A server that was just started needs a moment. Without the report of a silent service, any part between client and
service could be taken for the cause.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from harness.engine.targets import ResolvedTarget
from harness.outcome import TargetFault
from harness.wire import At, Body, By, Ending, Exchange, How, Piece, Request, Response, Service
from harness.wire.message import NOT_READY, WrappedBody

_PAUSE = 0.2
_SPEAKS_OTHERWISE = frozenset({How.TLS, How.BAD_HTTP})
"""Somebody is there, and no time makes HTTP of what they speak: whoever asks next says what is wrong."""


def wait_until_up(
    target: ResolvedTarget, seconds: float, *, has_ended: Callable[[], object] = lambda: False
) -> None:
    """Return once the target returns any response. Raises TargetFault if it does not within `seconds`.

    A request that is late is sent again with twice the time: the first may have reached what never responds, such
    as the port of a container that is still starting, and a slow target needs more. One that `has_ended` never
    responds.

    A 502, 503 or 504 is waited out, too; if it stays, the next request reports the problem. With 0 seconds nothing
    is sent; the probe then finds out whether the target is there.
    """
    if seconds <= 0 or target.throwaway:
        return
    deadline, patience = time.monotonic() + seconds, 1.0
    with closing(target.connect()) as driver:
        while True:
            left = deadline - time.monotonic()
            exchange = driver.send(target.target.control("GET", ""), timeout=max(min(left, patience), _PAUSE))
            if exchange.ending.how is How.TIMEOUT:
                patience *= 2
            is_late = bool(has_ended()) or time.monotonic() + _PAUSE > deadline
            if _is_up(exchange) or (is_late and exchange.status is not None):
                return
            if is_late:
                raise TargetFault(
                    f"{target.info.url} returned no response within {seconds:g} s ({exchange.ending.words}): "
                    "check the URL and that the server runs, or wait longer with --wait S"
                )
            driver.wait(_PAUSE)


def is_responding(target: ResolvedTarget) -> bool:
    """Whether the target returns a response now, other than a 502, 503 or 504."""
    with closing(target.connect()) as driver:
        return _is_up(driver.send(target.target.control("GET", ""), timeout=1.0))


def _is_up(exchange: Exchange) -> bool:
    if exchange.status is not None:
        return exchange.status not in NOT_READY
    by, how = exchange.ending.by, exchange.ending.how  # what cannot be read is no HTTP, or exceeds a limit
    return how in _SPEAKS_OTHERWISE or (by is By.LIMIT and how is not How.TIMEOUT)


def report_silent_requests(service: Service, report: Callable[[Request, Ending], object]) -> Service:
    """The same service; calls `report` for a response that ends before its headers, unless the client left."""

    def watch(request: Request) -> Response:
        response = service(request)
        response.body = _Watched(response.body, lambda ending: report(request, ending))
        return response

    return watch


class _Watched(WrappedBody):
    """A body that forwards its pieces unchanged and watches for the ending."""

    __slots__ = ("_told",)

    def __init__(self, body: Body, report: Callable[[Ending], object]) -> None:
        super().__init__(body)
        self._told = report

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Ending) and piece.at is At.BEFORE_HEADERS and piece.by is not By.CLIENT:
            self._told(piece)
        return piece
