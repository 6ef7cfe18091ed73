"""One server for a whole pytest session, which gives each test its own service.

Each test's URL has a unique path prefix, so that a client that outlives its test cannot reach another test's
interactions. A client that found the URL in the environment reaches the test that is running.
"""

from __future__ import annotations

import re
import select
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from harness.outcome import UsageFault
from harness.plugin.environment_variables import EnvironmentVariables, bind_socket, refuse_forbidden
from harness.wire import Clock, LogicalClock, Request, Response, Service
from harness.wire.addresses import readdress, stand_in_url

if TYPE_CHECKING:
    from concurrent.futures import Future

    from harness.benches.server.page_guard import PageGuard
    from harness.kit.api import Api
    from harness.transport.server.server import InThread, WaitingServer

_PREFIX = re.compile(r"/t(\d+)(?=/|$)")
_NO_TEST = (
    "this is the server of interactions-harness in pytest, and no test that uses one of its fixtures is running: "
    "request `interactions_emulator` in this test, or remove `interactions_early` from the pytest configuration"
)
_OVER = "this URL belonged to a finished test: build a new client in each test"


IsLive: TypeAlias = Callable[[str, "int | None"], bool]
"""Whether a host and a port are those of the live service."""


class Tenant(Struct, frozen=True):
    """The service of a test; if it `waits`, it is called on threads, so that it does not block others."""

    service: Service
    clock: Clock
    waits: bool = False


SERVER_THREAD = "harness-server"
"""The threads of our server, whose clock is the machine's: a skipped hour would end its connections as idle."""


class SessionServer:
    """The session's server. Use `serving(tenant)` while a test runs; it listens from first use until `close`."""

    def __init__(self, environment: EnvironmentVariables, api: Api) -> None:
        self.environment = environment
        self._api = api
        self._count = 0
        self._open: dict[int, Tenant] = {}
        self._server: _Door | None = None
        self._failure: Exception | None = None

    @contextmanager
    def serving(self, tenant: Tenant) -> Iterator[str]:
        """Yield the path prefix of `tenant`; requests without a prefix reach it too meanwhile."""
        self._count = number = self._count + 1
        self._open[number] = tenant
        if self._server is None:  # not for each test
            self.listen()
        try:
            yield f"/t{number}"
        finally:
            del self._open[number]

    def find_live(self) -> IsLive | None:
        """The test whether a host and port are the live service, or named by the variables before.

        None if no variable is taken over: then nothing is redirected.
        """
        named = self.environment.live_hosts
        if not named:
            return None
        return lambda host, port: host in named or f"{host}:{port}" in named or self._api.is_live_host(host)

    @property
    def url(self) -> str:
        """The root URL of the server. Raises UsageFault if sockets are forbidden."""
        if self._server is None:
            raise UsageFault(
                f"there is no socket to serve on ({self._failure}): sockets are forbidden in this test; write "
                "`--allow-hosts=127.0.0.1` in place of `--disable-socket`, or use `.transport`, which needs none"
            )
        return self.environment.url

    def listen(self) -> None:
        """Start the server, unless it runs or sockets are forbidden."""
        if self._server is not None:
            return
        try:
            refuse_forbidden()
            sock = self.environment.reserved or bind_socket()
            self._server = _Door(sock, self._serve)
            self.environment.adopt_port(self._server.port)
            # An event loop library that is imported while sockets are forbidden stays broken: then not later.
            if "pytest_socket" in sys.modules:
                self._server.open()
        except Exception as error:
            # Whatever forbids sockets (pytest-socket raises a RuntimeError) must not prevent in-process use.
            self._failure = error

    def _serve(self, sock: socket.socket) -> InThread[WaitingServer]:
        from harness.benches.server.page_guard import PageGuard, Pages
        from harness.transport.server.server import InThread, WaitingServer

        protocol, names = self._api.load_protocol(), self.environment.live_hosts
        guard = PageGuard(protocol, pages=Pages.LOCAL, program_hosts=names, opened_by="")

        def waits(request: Request) -> bool:
            tenant, _ = self._find_tenant(request)
            return isinstance(tenant, Tenant) and tenant.waits

        thread = InThread(WaitingServer(partial(self._answer, guard), waits=waits, sock=sock))
        thread.start()
        return thread

    def _answer(self, guard: PageGuard, request: Request) -> Response:
        """The answer of the test's service; `guard` keeps web pages of other origins away from it."""
        tenant, target = self._find_tenant(request)
        if isinstance(tenant, str):
            return self._api.load_protocol().refuse(400, "no_test", tenant)
        inner = Request(request.method, target, request.headers, request.body)
        response = guard.around(tenant.service)(inner)
        root = stand_in_url(request)
        response.headers = readdress(response.headers, root, root + request.target.removesuffix(target))
        response.clock = tenant.clock  # even if another test is current when the response pauses
        return response

    def _find_tenant(self, request: Request) -> tuple[Tenant | str, str]:
        """The tenant that answers, or the reason why none does; and the target without a prefix.

        Without a prefix, the tenant that was opened last answers.
        """
        found = _PREFIX.match(request.target)
        if found is None:
            return next(reversed(self._open.values()), None) or _NO_TEST, request.target
        return self._open.get(int(found[1])) or _OVER, request.target[found.end() :] or "/"

    def close(self) -> None:
        """Stop listening, leaving no thread and no socket."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


class _Door:
    """Listens at once on a bound socket; the server begins to `serve` there when the first client knocks.

    Most tests use clients without a socket: they need neither an event loop nor its imports.
    """

    def __init__(self, sock: socket.socket, serve: Callable[[socket.socket], InThread[WaitingServer]]) -> None:
        self._bell, self._rung = socket.socketpair()
        sock.listen(1024)
        self.port: int = sock.getsockname()[1]
        self._sock = sock
        self._serve = serve
        self._server: InThread[WaitingServer] | None = None
        self._knocked = self._opened = False
        self._thread = threading.Thread(target=self._watch, name=SERVER_THREAD, daemon=True)
        self._thread.start()
        _doors.append(self)

    def _watch(self) -> None:
        """Wait for the first client, or until the bell rings."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._sock, selectors.EVENT_READ)
            waiting.register(self._rung, selectors.EVENT_READ)
            self._knocked = any(key.fileobj is self._sock for key, _ in waiting.select())
        if self._knocked or self._opened:
            try:
                self._server = self._serve(self._sock)
            except BaseException:
                self._sock.close()  # who waits in the queue is told
                raise

    def rest(self) -> Future[int] | None:
        """How often bytes have come or gone, once the server waits for its clients; None if none has knocked."""
        if self._server is None and (self._knocked or select.select([self._sock], (), (), 0)[0]):
            self._thread.join()  # it is beginning to serve
        return None if self._server is None else self._server.submit(self._server.server.rest())

    def open(self) -> None:
        """Begin to serve now."""
        self._opened = True
        self._ring()

    def _ring(self) -> None:
        self._bell.send(b"!")
        self._thread.join()

    def stop(self) -> None:
        """Leave no thread and no socket."""
        _doors.remove(self)
        self._ring()
        if self._server is not None:
            self._server.stop()
        for sock in (self._sock, self._bell, self._rung):
            sock.close()


_doors: list[_Door] = []


def rest_servers() -> list[Future[int]]:
    """For each server of this process, how often bytes have come or gone, once it waits for its clients."""
    return [server for door in _doors if (server := door.rest()) is not None]


# --- The clocks of the services that a test uses. A sleep moves each of them to its own end, counted from its own
# begin. So sleeps side by side, and the pauses of a stream meanwhile, are never counted twice.


open_clocks: list[Any] = []
"""The virtual clocks of the blocks in which sleeps are skipped, the latest last."""

_followers: list[LogicalClock] = []


@contextmanager
def moved_by_sleeps(clock: LogicalClock) -> Iterator[None]:
    """While the block runs, skipped sleeps move this clock."""
    _followers.append(clock)
    try:
        yield
    finally:
        _followers.remove(clock)


def begin_sleep() -> Callable[[float], None]:
    """A sleep begins; call what this returns with the seconds of it that are over."""
    begun = [(clock, clock.now) for clock in _followers]

    def pass_time(seconds: float) -> None:
        for clock, begin in begun:
            clock.skip_to(begin + seconds)

    return pass_time
