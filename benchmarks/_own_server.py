"""An own server: the emulator without its control API, and with responses that take their time.

It counts its requests by kind, and how many of them are the same request again. What is left without those is the
least that these rules can be judged by, however exercises share their runs.
"""

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
        self.again: Counter[str] = Counter()
        """Those of each kind whose method, target, fields and body a request before had, too."""
        self._asked: set[Request] = set()

    def __call__(self, request: Request) -> Response:
        """Count a request, and answer it late."""
        if "/__harness__/" in request.target:
            return Response.whole(404, Headers([("content-type", "text/plain")]), b"404 page not found\n")
        response = self.emulator(request)
        kind = _name_kind(request, response.status)
        self.counts[kind] += 1
        self.again[kind] += request in self._asked
        self._asked.add(request)
        return Response(response.status, response.headers, response.framing, _Late(response.body, self.latency))

    def describe(self) -> str:
        """The counts by kind, and the least: a run that is created again would have a look and a DELETE, too."""
        kinds = [f"{count} {kind} ({self.again[kind]} again)" for kind, count in self.counts.most_common()]
        least = self.counts.total() - self.again.total() - 2 * self.again[_CREATES]
        return f"{', '.join(kinds)}; each request once: {least}"


_CREATES = "creates"


def _name_kind(request: Request, status: int) -> str:
    """What a request is for."""
    of_runs = "/interactions" in request.target
    if status >= 400:
        return "refused"
    if of_runs and request.method == "POST" and not request.path.endswith("/cancel"):
        return _CREATES
    return f"{request.method}s of {'runs' if of_runs else 'the rest'}"


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
