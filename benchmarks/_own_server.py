"""An own server: the emulator without its control API, and with responses that take their time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._against import KEYS
from harness.emulator import Emulator, Settings
from harness.transport import ServerThread, WallClock
from harness.transport.client.courier import Courier
from harness.wire import Headers, Pause, Piece, Request, Response
from harness.wire.message import WrappedBody


class Walled:
    """The emulator as a server of somebody else."""

    def __init__(self, latency: float, lasts: float) -> None:
        self.clock = WallClock()
        keys = {key: name for name, key in KEYS.items()}
        settings = Settings(platform="any", keys=keys, ticks=0, lasts=lasts or None)
        self.emulator = Emulator(settings, clock=self.clock)
        self.latency = latency
        self.counts: Counter[str] = Counter()

    def __call__(self, request: Request) -> Response:
        """Count a request, and answer it late."""
        if "/__harness__/" in request.target:
            return Response.whole(404, Headers([("content-type", "text/plain")]), b"404 page not found\n")
        self.counts[request.method] += 1
        response = self.emulator(request)
        return Response(response.status, response.headers, response.framing, _Late(response.body, self.latency))


class _Late(WrappedBody):
    """A body that begins after a pause."""

    def __init__(self, inner: Any, latency: float) -> None:
        super().__init__(inner)
        self._pieces = self._delay(inner, latency)

    def _delay(self, inner: Any, latency: float) -> Iterator[Piece]:
        yield Pause(latency)
        yield from inner

    def __next__(self) -> Piece:
        return next(self._pieces)


@contextmanager
def walled_server(walled: Walled) -> Iterator[tuple[str, Walled]]:
    """Serve it, and deliver its webhooks; its URL, and itself."""
    with (
        ServerThread(walled, clock=walled.clock) as server,
        Courier(walled.emulator.outbox, is_allowed=True),
    ):
        yield server.url, walled
