"""One server for a whole pytest session, behind which each test has a service of its own.

Layer 6. A test's own URL has a path prefix that no other test has, so that a client that outlives its test reaches
nobody else's interactions; a client that found the URL in the environment reaches the test that is running.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.outcome import UsageFault
from harness.plugin.environment import Environment
from harness.wire import Clock, Request, Response, Service

_PREFIX = re.compile(r"/t(\d+)(?=/|$)")
_NO_TEST = (
    "no test that uses an interactions fixture is running: request `interactions_emulator` in this test, or "
    "switch the redirection off with `interactions_environment =` in the pytest configuration"
)
_OVER = "this URL belonged to a test that is over: build the client anew in each test"


@dataclass(frozen=True, slots=True)
class Tenant:
    """What answers for a test; one that `waits` is called on threads, so that nobody else waits with it."""

    service: Service
    clock: Clock
    waits: bool = False


class Session:
    """`serving(tenant)` while a test runs; the socket listens from the first use until `close`."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._router = _Router()
        self._server: Any = None
        self._failure: Exception | None = None

    @contextmanager
    def serving(self, tenant: Tenant) -> Iterator[str]:
        """The path prefix under which `tenant` answers; without a prefix it is the one that answers meanwhile."""
        number = self._router.enter(tenant)
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
            self._server = self._listening()
        except Exception as error:
            # Whatever forbids sockets (pytest-socket raises a RuntimeError) must not keep in-process use away.
            self._failure = error

    def _listening(self) -> Any:
        from harness.transport.in_thread import InThread
        from harness.transport.proxy import WaitingServer

        router, environment = self._router, self.environment
        server = WaitingServer(router, waits=router.waits, sock=environment.reserved)
        thread = InThread(server)
        thread.start()
        environment.taken(server.port)
        return thread

    def close(self) -> None:
        """Stop listening; no thread and no socket is left."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


class _Router:
    """A service: the tests' services by prefix, the latest without one."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[int, Tenant] = {}

    def enter(self, tenant: Tenant) -> int:
        self._count += 1
        self._open[self._count] = tenant
        return self._count

    def leave(self, number: int) -> None:
        del self._open[number]

    @property
    def current(self) -> Tenant | None:
        """What the running test opened last."""
        return next(reversed(self._open.values()), None)

    def waits(self, request: Request) -> bool:
        """Whether who answers a request may take its time."""
        tenant, _ = self._found(request)
        return isinstance(tenant, Tenant) and tenant.waits

    def __call__(self, request: Request) -> Response:
        tenant, target = self._found(request)
        if isinstance(tenant, str):
            return _refused(tenant)
        response = tenant.service(Request(request.method, target, request.headers, request.body))
        response.clock = tenant.clock  # also when another test is current by the time it pauses
        return response

    def _found(self, request: Request) -> tuple[Tenant | str, str]:
        """Who answers, or why nobody does, and the target without a prefix."""
        found = _PREFIX.match(request.target)
        if found is None:
            return self.current or _NO_TEST, request.target
        return self._open.get(int(found[1])) or _OVER, request.target[found.end() :] or "/"


def _refused(message: str) -> Response:
    from harness.contract import PROTOCOL

    return Response.json(400, PROTOCOL.error_body(400, "no_test", message))
