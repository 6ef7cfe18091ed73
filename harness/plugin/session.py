"""One server for a whole pytest session, behind which each test has a service of its own.

Layer 6. A test's own URL has a path prefix that no other test has, so that a client that outlives its test reaches
nobody else's interactions; a client that found the URL in the environment reaches the test that is running.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.outcome import UsageFault
from harness.plugin.environment import Environment
from harness.wire import Clock, Headers, LogicalClock, Request, Response, Service

_PREFIX = re.compile(r"/t(\d+)(?=/|$)")
_NO_TEST = (
    "no test that uses an interactions fixture is running: request `interactions_emulator` in this test, or "
    "switch the redirection off with `interactions_environment =` in the pytest configuration"
)
_JSON = Headers([("content-type", "application/json")])


class Session:
    """`serving(service, clock)` while a test runs; the socket listens from the first use until `close`."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._router = _Router()
        self._server: Any = None
        self._failure: Exception | None = None

    @contextmanager
    def serving(self, service: Service, clock: Clock) -> Iterator[str]:
        """The path prefix under which `service` answers; without a prefix it is the one that answers meanwhile."""
        number = self._router.enter(service, clock)
        self._try_to_listen()
        try:
            yield f"/t{number}"
        finally:
            self._router.leave(number)

    @property
    def url(self) -> str:
        """The root of the server. Raises UsageFault where sockets are forbidden."""
        if self._server is None:
            raise UsageFault(
                f"there is no socket to serve on ({self._failure}): sockets seem to be forbidden in this test "
                "(pytest-socket?); allow them for 127.0.0.1, or use `.transport`, which needs none"
            )
        return self.environment.url

    def _try_to_listen(self) -> None:
        if self._server is not None:
            return
        try:
            # First of all: an event loop's library that is imported while sockets are forbidden stays broken.
            socket.socket().close()
            from harness.transport import ServerThread

            self._server = self._listening(ServerThread)
        except Exception as error:
            # Whatever forbids sockets (pytest-socket raises a RuntimeError) must not keep in-process use away.
            self._failure = error

    def _listening(self, server_type: Any) -> Any:
        environment = self.environment

        def start() -> Any:
            server = server_type(self._router, port=environment.port, clock=self._router.clock)
            server.start()
            environment.port = server.port
            return server

        try:
            return start()
        except UsageFault:  # systems where a reserved port cannot be shared for the moment of taking it over
            environment.release_port()
            return start()
        finally:
            environment.release_port()

    def close(self) -> None:
        """Stop listening; no thread and no socket is left."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


class _Router:
    """A service: the tests' services by prefix, the latest without one."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[int, tuple[Service, Clock]] = {}
        self.clock = _CurrentClock(self)

    def enter(self, service: Service, clock: Clock) -> int:
        self._count += 1
        self._open[self._count] = (service, clock)
        return self._count

    def leave(self, number: int) -> None:
        del self._open[number]

    @property
    def current(self) -> tuple[Service, Clock] | None:
        """What the running test opened last."""
        return next(reversed(self._open.values()), None)

    def __call__(self, request: Request) -> Response:
        found = _PREFIX.match(request.target)
        if found is None:
            entry = self.current
            if entry is None:
                return _refused(_NO_TEST)
            return entry[0](request)
        entry = self._open.get(int(found[1]))
        if entry is None:
            return _refused("this URL belonged to a test that is over: build the client anew in each test")
        target = request.target[found.end() :] or "/"
        return entry[0](Request(request.method, target, request.headers, request.body))


class _CurrentClock:
    """The clock of the running test's service: the socket server knows one clock only."""

    def __init__(self, router: _Router) -> None:
        self._router = router
        self._idle = LogicalClock()

    def _clock(self) -> Clock:
        entry = self._router.current
        return entry[1] if entry is not None else self._idle

    @property
    def now(self) -> float:
        return self._clock().now

    @property
    def tick_seconds(self) -> float:
        return self._clock().tick_seconds

    def tick(self) -> None:
        self._clock().tick()

    def reached(self, moment: float) -> None:
        self._clock().reached(moment)


def _refused(message: str) -> Response:
    from harness.contract import PROTOCOL

    return Response.whole(400, _JSON, PROTOCOL.error_body(400, "no_test", message))
