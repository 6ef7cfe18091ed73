"""The server that one worker's clients connect to: one case at a time, each under a path of its own.

Layer 4.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.runner.drops import Case, Drop, Source
from harness.transport import ServerThread
from harness.wire import LogicalClock, Request, Response

MOST_REQUESTS = 60
"""Requests for one case before its client is stopped: who resumes sensibly needs three."""

_TICK = 0.0002
"""Seconds between two events of a run: a tenth of what is usual, as there are thousands of streams to read."""

_PREFIX = re.compile(r"/case(\d+)(?=/|$)")


class Stage:
    """`with Stage() as stage:` it listens; `begin` puts on a case and gives what its client has to know.

    A client that was stopped may have requests on their way: they reach no later case.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._clock = LogicalClock(tick_seconds=_TICK)
        self._server = ServerThread(self, clock=self._clock)
        self._lock = threading.Lock()
        self._number = 0
        self._count = 0
        self._drop: Drop | None = None
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> Stage:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()

    def begin(self, case: Case, stop: Callable[[], None]) -> tuple[Drop, str]:
        """The case and the base URL for its client; `stop` is called when that asks for ever."""
        emulator = Emulator(clock=self._clock, seed=self._seed)
        drop = Drop(Source(emulator, case), case)
        with self._lock:
            self._number += 1
            self._count = 0
            self._drop = drop
            self._stop = stop
            return drop, f"{self._server.url}/case{self._number}"

    def end(self) -> bool:
        """Take the case off; whether its client had to be stopped."""
        with self._lock:
            self._drop = None
            return self._count > MOST_REQUESTS

    def __call__(self, request: Request) -> Response:
        """Answer the client of the case that is on; one that leaves the path of its URL out is told so."""
        found = _PREFIX.match(request.target)
        if found is None:
            return _refused(f"{request.target}: the path of the base URL is missing before it (/case1, say).")
        with self._lock:
            drop = self._drop if int(found[1]) == self._number else None
            if drop is not None:
                self._count += 1
                runaway = self._count > MOST_REQUESTS
        if drop is None:
            return _refused("This case is over.")
        if runaway:
            self._stop()
            return _refused(f"More than {MOST_REQUESTS} requests for one stream.")
        target = request.target[found.end() :] or "/"
        return drop.service(Request(request.method, target, request.headers, request.body))


def _refused(message: str) -> Response:
    return Response.json(400, PROTOCOL.error_body(400, "invalid_request", message))
