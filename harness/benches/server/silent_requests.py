"""Wraps a service and reports the requests that it left without an answer.

Layer 5. Knows endings; must not know how a request travels. Without the report, whatever stands between client and
service would be taken for the cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from harness.wire import At, Body, By, Ending, Piece, Request, Response, Service
from harness.wire.message import WrappedBody


class Died(Protocol):
    """Called with a request, and how the connection that should have answered it ended."""

    def __call__(self, request: Request, ending: Ending) -> object: ...


def report_silent_requests(service: Service, told: Died) -> Service:
    """The same service; calls `told` for each response that ends before its headers, unless the client left."""

    def watch(request: Request) -> Response:
        response = service(request)
        response.body = _Watched(response.body, lambda ending: told(request, ending))
        return response

    return watch


class _Watched(WrappedBody):
    """A body that forwards its pieces unchanged and watches for the ending."""

    __slots__ = ("_told",)

    def __init__(self, body: Body, told: Callable[[Ending], object]) -> None:
        super().__init__(body)
        self._told = told

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Ending) and piece.at is At.BEFORE_HEADERS and piece.by is not By.CLIENT:
            self._told(piece)
        return piece
