"""The server that one worker's clients connect to: one case at a time, each under its own path.

Layer 5.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from harness.benches.client.cases.case import Case
from harness.benches.client.cases.stream_source import StreamSource
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.kit.api import Api
from harness.transport import ServerThread
from harness.wire import LogicalClock, Request, Response

MOST_REQUESTS = 60
"""Limit on requests for one case, after which its client is stopped: a sensible client needs three."""

_PATIENCE = 10
"""How many times as many are allowed where there is nothing to reach, so that a client can end by itself."""

_TICK = 0.0002
"""Seconds between two events of a run: a tenth of the usual, as there are thousands of streams to read."""

_PREFIX = re.compile(r"/case(\d+)(?=/|$)")


def limit_requests(case: Case) -> int:
    """How many requests a client may send for a case."""
    return MOST_REQUESTS * (_PATIENCE if case.hopeless else 1)


class CaseServer:
    """Listens within `with CaseServer(api) as server:`; `begin` starts a case and returns what its client needs.

    Requests of a stopped client that are still on their way do not reach a later case.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._clock = LogicalClock(tick_seconds=_TICK)
        self._server = ServerThread(self, clock=self._clock)
        self._lock = threading.Lock()
        self._number = 0
        self._count = 0
        self._most = MOST_REQUESTS
        self._drop: ClientAttempt | None = None
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> CaseServer:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()

    def begin(self, case: Case, stop: Callable[[], None]) -> tuple[ClientAttempt, str]:
        """Start a case; return its attempt and its base URL. `stop` is called after `limit_requests`."""
        self._clock.speed = case.speed
        scripted = self._api.load_client_model().service
        service = scripted.new(contract=case.contract, clock=self._clock, seed=0)
        drop = ClientAttempt(StreamSource(self._api, service, case), case)
        with self._lock:
            self._number += 1
            self._count = 0
            self._most = limit_requests(case)
            self._drop = drop
            self._stop = stop
            return drop, f"{self._server.url}/case{self._number}"

    def end(self) -> bool:
        """End the case; return whether its client sent too many requests and had to be stopped."""
        with self._lock:
            self._drop = None
            return self._count > self._most

    def __call__(self, request: Request) -> Response:
        """Answer the client of the current case; a request without the path of the base URL is refused."""
        found = _PREFIX.match(request.target)
        if found is None:
            return self._refuse(f"{request.target}: the path of the base URL is missing before it (/case1, say).")
        with self._lock:
            drop = self._drop if int(found[1]) == self._number else None
            if drop is not None:
                self._count += 1
                runaway = self._count > self._most
        if drop is None:
            return self._refuse("This case is over.")
        if runaway:
            self._stop()
            return self._refuse(f"More than {self._most} requests for one stream.")
        target = request.target[found.end() :] or "/"
        return drop.service(Request(request.method, target, request.headers, request.body))

    def _refuse(self, message: str) -> Response:
        return Response.json(400, self._api.load_protocol().error_body(400, "invalid_request", message))
