"""The stand-in for the API in one test: a service whose requests are logged, limited, and can be made to fail.

`ObservedService` wraps any service: the emulator of a test, or the player of a recording.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from math import nan
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias, get_args

from msgspec import Struct

from harness.benches.client.judgement.received_responses import (
    ReceivedResponse,
    RepeatedReads,
    describe_turns,
    describe_unresumed,
    watch,
)
from harness.errors import LeftBehindWarning
from harness.kit.api import ClientApi
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean, format_count
from harness.plugin.blocking_calls import LeftTasks, find_asyncio_loop, note_blocking
from harness.plugin.late_patches import Patch, patched_modules
from harness.plugin.sent_requests import ObservedCall, SentRequest, SentRequests, call_of, describe_calls
from harness.plugin.session_server import IsLive, SessionServer, Tenant, open_clocks
from harness.wire import Clock, Headers, Request, Response, Service, UntilClose
from harness.wire.request_log import RequestLog

if TYPE_CHECKING:
    from _pytest.outcomes import Failed

    from harness.faults import FaultyService, Plan
    from harness.transport import ServiceDriver, Transport
else:
    try:
        from _pytest.outcomes import Failed  # raised by `pytest.fail`; its public alias is not a type
    except ImportError:  # `harness serve` judges tests in other languages where no pytest is installed
        Failed = BaseException


Kind: TypeAlias = Literal["any", "create", "get", "stream", "cancel", "delete"]
"""The kinds of requests that `fail` can refuse."""

KINDS: tuple[Kind, ...] = get_args(Kind)

ALLOWED = (
    "If that is meant, write optional=True there, or mark the test interactions_emulator(assert_all_used=False)"
)
"""How to allow what was planned and never happened."""

_USE_ASYNC = "Use the async client (`client.aio`, `httpx.AsyncClient`), or `await asyncio.to_thread(…)`."

WAITS_FOR_EVER = "would wait for ever for a connection that fell silent: no read timeout ended the silence"
SET_TIMEOUT = "give the request or its client a timeout, such as `timeout=60`, and resume the stream after it"

MOST_REQUESTS = 1000
"""Maximum requests of one test before it is stopped: a client that loops for ever must not hang the session."""

MOST_SETTLED_READS = 50
"""Maximum equal reads of a settled interaction: a poller that really sleeps would need hours for 1000 requests."""


class PlannedRefusal(Struct):
    """Requests of a kind that are refused; `left` is how many more, None for all."""

    status: int
    on: str
    left: int | None
    optional: bool
    head: Headers
    body: bytes
    origin: str
    met: bool = False

    def __str__(self) -> str:
        return f"fail({self.status}, on={self.on!r})" if self.on != "any" else f"fail({self.status})"


class ObservedService:
    """A `Service` under observation. Use it as `with ObservedService(…).open(session):` for a base URL."""

    def __init__(
        self,
        service: Service,
        clock: Clock,
        api: ClientApi,
        *,
        max_requests: int | None = None,
        max_settled_reads: int | None = None,
    ) -> None:
        for name, most in (("max_requests", max_requests), ("max_settled_reads", max_settled_reads)):
            if most is not None and most < 1:
                raise UsageFault(f"{name}={most!r} must be at least 1: it ends tests that never would")
        self.service = self._whole = service
        self._api = api
        self._protocol = api.load_protocol()
        self.clock = clock
        self.before: list[Callable[[Request], None]] = []
        """Called with each request before it is answered."""
        self.limit = max_requests or MOST_REQUESTS
        """How many requests are answered before the test is stopped."""
        self._asked_for = max_requests
        self._reads = RepeatedReads(max_settled_reads or MOST_SETTLED_READS)
        self._sleeps: ExitStack | None = None
        self.more_settled_reads = "call forget() in between"
        """How to allow more reads of a settled interaction."""
        self.more_requests = "give it a greater max_requests"
        """How to allow more requests, and more equal rounds of a tool loop."""
        self.waits = False
        """Whether answers may take real time; each is then given on a separate thread."""
        self.explain: Callable[[], str] = str
        """Returns circumstances to add to the message if the test is stopped, and to the report of any failure."""
        self._refused: dict[str, None] = {}
        """The refused connections to other machines, each once."""
        self.was_looked_at = False
        """Whether the test read `requests`."""
        self._count = 0
        self._begun = clock.now
        # Whole bodies, because tests assert on them.
        fields = self._protocol.secret_fields
        self._log = RequestLog(self.limit, fields, body=sys.maxsize, most_bytes=sys.maxsize)
        self._calls: deque[ObservedCall] = deque(maxlen=self.limit)
        self._refusals: list[PlannedRefusal] = []
        self._drops: list[tuple[FaultyService, str]] = []
        self.assert_all_used = True
        """Whether a refusal or a fault plan that never took effect makes the test fail."""
        self.allowed = ALLOWED
        """How to allow what was planned and never happened."""
        self.shared_as = ""
        """The fixture, if several tests share it: complaints name it, and the test that planned what failed."""
        self._lock = threading.Lock()
        self._session: SessionServer | None = None
        self._prefix = ""
        self.runaway: str = ""
        self.endless: list[bool] = []
        """Each silence without an end that no timeout ended, and whether the client was one of a fixture."""
        self._tasks = LeftTasks(self._note_open)

    # As a service

    def __call__(self, request: Request, *, by_socket: bool = False) -> Response:
        """Answer a request. Raises RequestLimit above a limit."""
        loop = None if by_socket else find_asyncio_loop()
        skipped = self.clock.now if open_clocks else nan
        call = ObservedCall(request, by_socket=by_socket, loop=loop, skipped=skipped)
        if loop is not None:
            self._tasks.add_loop(loop)
        with self._lock:
            self._count += 1
            self._log.add(request)
            self._calls.append(call)
            self._enforce_limit(request)
            refusal = self._find_refusal(call.name)
        if refusal is None:
            for action in self.before:
                action(request)
            response = self.service(request)
        else:
            response = Response.whole(refusal.status, refusal.head, refusal.body)
        call.received = watch(self._api, request, response)
        if call.is_of_run:
            self._reads.add(call.received)
        return response

    def _find_refusal(self, call: str) -> PlannedRefusal | None:
        """The planned refusal of a call, which counts as met; None if it is not to be refused."""
        for planned in self._refusals:
            if planned.left != 0 and (planned.on == "any" or call.startswith(planned.on)):
                planned.left = planned.left and planned.left - 1
                planned.met = True
                return planned
        return None

    def over_socket(self, request: Request) -> Response:
        """Return the response to a request from the socket; above the limit, refuse it and close the connection.

        The client has to connect again, and `refuse_runaway` raises there, in its own call.
        """
        try:
            return self(request, by_socket=True)
        except RequestLimit as runaway:
            refused = self._protocol.refuse(400, "runaway", str(runaway))
            refused.framing = UntilClose()
            refused.headers = refused.headers.without("content-length")
            return refused

    def refuse_runaway(self) -> None:
        """Raise RequestLimit if the limit was exceeded, in the thread that connects once more."""
        if self.runaway:
            raise RequestLimit(self.runaway)

    def _enforce_limit(self, request: Request) -> None:
        if self._count > self.limit:
            last = self._log.to_dicts()[-3:]
            dead = self._reads.find_polled(request.target)
            is_same = last[0]["body"] is not None and all(one["body"] == last[0]["body"] for one in last)
            self.runaway = (
                f"the code under test sent more than {format_count(self.limit, 'request')} in this test and "
                f"seems to go on for ever; {self.clock.now - self._begun:.0f} s of virtual time went by; "
                f"the last ones: {', '.join(map(call_of, last))}{', each with the same body' if is_same else ''}; "
                f"{f'{dead.why}: {dead.advice}; ' if dead else ''}"
                f"if so many are meant, {self.more_requests}"
            )
        elif request.method == "GET" and (end := self._reads.describe_end(request.target)):
            self.runaway = f"{end}; if so many reads are meant, {self.more_settled_reads}"
        else:
            polls = request.method == "GET" and self._reads.begin_sleeps(request.target)
            if polls and self._sleeps is not None:
                # Only a test that polls in vain hears of real sleeps: it costs milliseconds.
                from harness.plugin.virtual_time import reporting_sleeps

                self._sleeps.enter_context(reporting_sleeps(self.note_sleep))
                self._sleeps = None
            return
        self._stop()

    def _stop(self) -> NoReturn:
        for more in (self.explain(), self.explain_waiting()):
            self.runaway += f"; {more}" if more else ""
        raise RequestLimit(self.runaway)

    def note_sleep(self, seconds: float) -> None:
        """Note that the code under test sleeps in real time. Raises RequestLimit if it polls without an end."""
        with self._lock:
            if end := self._reads.note_sleep(seconds):
                self.runaway = f"{end}; if so many reads are meant, {self.more_settled_reads}"
                self._stop()

    # For tests

    @property
    def requests(self) -> SentRequests:
        """The requests that the code under test has sent."""
        self.was_looked_at = True
        return self.list_requests()

    def list_requests(self) -> SentRequests:
        """The requests so far, for the harness itself: it does not count as looking."""
        with self._lock:
            logged, calls = self._log.to_dicts(), list(self._calls)
        return SentRequests(
            SentRequest(
                **request,
                interaction=self.look(found) if (found := call.find_id()) else None,
                refusal=call.find_refusal(),
            )
            for request, call in zip(logged, calls, strict=True)
        )

    def look(self, interaction_id: str) -> Mapping[str, Any] | None:
        """An interaction as it is now; None if this service does not know it."""
        return None

    def fail(
        self,
        status: int = 503,
        *,
        on: Kind = "any",
        times: int = 1,
        code: str | None = None,
        message: str = "This failure was injected by the test.",
        headers: Mapping[str, str] | None = None,
        optional: bool = False,
    ) -> None:
        """Refuse the next `times` requests (0: all) of a kind (any, create, get, stream, cancel, delete).

        Statuses that an SDK retries (408, 409, 429, 5xx) carry `retry-after-ms: 1` unless `headers` is given,
        because otherwise the SDK's back-off makes the test slow. If no such request comes, the test fails, unless
        the refusal is `optional`.
        """
        if on not in KINDS:
            raise UsageFault(f"on={on!r} is not a kind of request{did_you_mean(on, KINDS)}")
        given: object = status  # from a test, which no type checker need have read
        if not isinstance(given, int) or isinstance(given, bool) or not 400 <= given <= 599:
            raise UsageFault(f"status={given!r} is not a failure: write a whole number from 400 to 599")
        if times < 0:
            raise UsageFault(f"times={times} must not be negative: 0 refuses all")
        fields = {"content-type": "application/json"}
        if headers is None and (status in (408, 409, 429) or status >= 500):
            fields["retry-after-ms"] = "1"
        head = Headers({**fields, **(headers or {})}.items())
        body = self._protocol.error_body(status, code or "", message)
        planned = PlannedRefusal(status, on, times or None, optional, head, body, self.find_origin())
        with self._lock:
            self._refusals.append(planned)

    def drop(self, plan: str | Plan, *, optional: bool = False) -> FaultyService:
        """Apply a fault plan to all further streams (`event:5,rst`; see docs/faults.md).

        If a part of the plan never takes effect, the test fails, unless the plan is `optional`.
        """
        from harness.faults import cut

        self.service = faulty = cut(self._whole, plan, self._protocol)
        self._reads.drops_on = faulty.plan.length is None
        if not optional:
            self._drops.append((faulty, self.find_origin()))
        return faulty

    def explain_waiting(self) -> str:
        """The event that an endless loop may wait for; "" if nothing takes time."""
        return ""

    def find_complaints(self) -> Iterator[str | Warning]:
        """The reasons, in sentences, to fail a test that passed: planned events that never happened.

        A warning names what the code under test left open or running.
        """
        if self.runaway:
            yield self.runaway
        elif False in self.endless:
            yield f"the code under test {WAITS_FOR_EVER}; {SET_TIMEOUT}"
        elif self.assert_all_used:
            with self._lock:
                yield from (f"{unmet}. {self.allowed}" for unmet in self._find_unmet())
        yield from map(LeftBehindWarning, self._find_left_behind())

    def _find_unmet(self) -> Iterator[str]:
        """Each plan that never took effect, in a phrase with the reason: such a test has tested nothing."""
        for planned in self._refusals:
            if not (planned.met or planned.optional):
                what = "no request" if planned.on == "any" else f"no {planned.on}"
                yield f"{planned}{planned.origin} was never met: {what} came after it"
        for faulty, origin in self._drops:
            from harness.faults.service import find_unmet  # late: few tests drop streams

            if why := find_unmet(faulty):
                yield f"drop({str(faulty.plan)!r}){origin} never took effect: {why}"

    def _find_left_behind(self) -> Iterator[str]:
        """The streams of in-process clients and the tasks that the code under test left open or running."""
        for stream in self.list_received(by_socket=False):
            if stream.left_open:
                events = format_count(len(stream.events()), "event")
                yield (
                    f"the code under test stopped reading a stream after {events} and never closed it, "
                    "so that its connection stays open: read it in a `with` block (`async with`), or close it"
                )
        if True in self.endless:
            yield (
                f"the code under test {WAITS_FOR_EVER}, and the client of the fixture has none, like the one that "
                f"google-genai makes: {SET_TIMEOUT}"
            )
        yield from self._tasks.describe()

    def _note_open(self, loop: object) -> None:
        """Note the streams that are open when their event loop ends, which closes them."""
        with self._lock:
            of_loop = [call.received for call in self._calls if call.loop is loop]
        for received in of_loop:
            if received is not None and received.left_open:
                received.outlived_loop = True

    def find_origin(self) -> str:
        """The author of a plan: the fixture and the test that is running; "" if only one test can be."""
        if not self.shared_as:
            return ""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        return f" ({self.shared_as}, planned in {test or 'no test'})"

    def limit_requests(self, requests: int) -> None:
        """Stop the test after `requests` requests, unless the test set `max_requests` itself."""
        self.limit = self._asked_for or requests

    def forget(self) -> None:
        """Forget the requests so far, and restart the count for the limit."""
        with self._lock:
            self._log.clear()
            self._calls.clear()
            self._reads.forget()
            self._count = 0
            self._begun = self.clock.now
            self._refused.clear()

    def note_refusal(self, message: str) -> None:
        """Note a refused connection to another machine."""
        self._refused[message] = None

    def list_refusals(self) -> list[str]:
        """The refused connections, each once."""
        return list(self._refused)

    def list_calls(self) -> list[str]:
        """The latest requests and what became of each, and all refused connections, in a line each."""
        with self._lock:
            calls = list(self._calls)
        return [*describe_calls(calls, self._protocol.secret_fields), *self._refused]

    def list_received(self, *, by_socket: bool = True) -> list[ReceivedResponse]:
        """The responses to creates and reads; without those on a socket, if not `by_socket`."""
        with self._lock:
            calls = [one for one in self._calls if one.is_of_run and (by_socket or not one.by_socket)]
        return [one.received for one in calls if one.received is not None]

    def format_context(self) -> str:
        """The context of a failure of this test: the circumstances, and the requests and responses."""
        circumstances = self.runaway or self.explain()
        polled = "" if self.runaway else self._reads.describe_last()
        causes = [self.describe_unresumed(), *self._describe_turns()]
        parts = [circumstances, polled, *self.list_calls(), *causes, *self._tasks.describe()]
        return "\n".join(filter(None, parts))

    def _describe_turns(self) -> Iterator[str]:
        """The turns that the creates of one test leave out, and a call that they leave without a result."""
        if self.shared_as:
            return
        received = self.list_received()
        model = self._api.load_client_model()
        yield from describe_turns(received, model.words.run)
        yield model.find_split_call([one.exchange for one in received])

    def describe_unresumed(self) -> str:
        """The end of a dropped stream that the code under test did not resume; "" if there is none."""
        return describe_unresumed(self.list_received())

    def assert_resumed(self) -> None:
        """Assert that the code under test continued each dropped stream.

        It has resumed the stream, or requested the interaction. A test without a dropped stream fails, too.
        """
        __tracebackhide__ = True
        if problem := self.describe_unresumed():
            raise AssertionError(f"{problem}\n  " + "\n  ".join(self.list_calls()))

    # Ways in

    @property
    def base_url(self) -> str:
        """The URL of this test's service. Raises UsageFault if sockets are forbidden."""
        if self._session is None:
            raise UsageFault(
                "there is no base_url outside of a block: write `with InteractionsEmulator() as emulator:`, or "
                "take the fixture interactions_emulator"
            )
        return self._session.url + self._prefix

    @property
    def transport(self) -> Transport:
        """A transport for clients of `httpx` and `httpx2`, sync and async; no socket, no waiting."""
        return self.new_transport()

    def new_transport(self, *, of_fixture: bool = False) -> Transport:
        """A transport; `of_fixture` for a client that no user built, whose missing timeout is not theirs."""
        from harness.transport import transport

        return transport(
            self._answer_without_socket,
            self.clock,
            wait=_pass_silence,
            before_sync=lambda: note_blocking("a request of a synchronous client", _USE_ASYNC),
            note_endless=partial(self.endless.append, of_fixture),
        )

    def _answer_without_socket(self, request: Request) -> Response:
        """Answer a client that may have `base_url`, too, whose path only the socket needs."""
        if not self._prefix or not request.target.startswith(f"{self._prefix}/"):
            return self(request)
        target = request.target[len(self._prefix) :]
        return self(Request(request.method, target, request.headers, request.body))

    def driver(self) -> ServiceDriver:
        """A driver for the test's own requests, which bypass the log and the faults."""
        from harness.transport import ServiceDriver  # late: few tests send requests of their own

        return ServiceDriver(self._whole, self.clock)

    @contextmanager
    def open(self, session: SessionServer, *, redirects: bool = True) -> Iterator[str]:
        """Serve on the session's socket while the block runs; if it `redirects`, it is `in_use`."""
        self._session = session
        with self._tasks.watch(), ExitStack() as stack:
            tenant = Tenant(self.over_socket, self.clock, self.waits)
            self._prefix = stack.enter_context(session.serving(tenant))
            if redirects:
                stack.enter_context(self.in_use())
            yield self._prefix

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Respond to clients that were built for the live service, while the block runs."""
        if self.shared_as:
            self._reads.forget()  # those of another test
        is_live = self._session.find_live() if self._session is not None else None
        with ExitStack() as sleeps, redirect(lambda: self.transport, is_live):
            self._sleeps = sleeps
            try:
                yield
            finally:
                self._sleeps = None


async def _pass_silence(seconds: float) -> None:
    from harness.plugin.virtual_clock import pass_silence  # late: it brings asyncio, which most tests do without

    await pass_silence(seconds)


# Requests for the live service, redirected to the test's own while a fixture is in use.
# A client that was built before the test, at import time or in `conftest.py`, knows only the live URL. Its
# transport is one of httpx or httpx2, whose classes are patched for as long as the test runs, and nothing else.


_LIBRARIES = frozenset({"httpx", "httpx2"})
_METHODS = (("HTTPTransport", "handle_request"), ("AsyncHTTPTransport", "handle_async_request"))


def redirect(transport: Callable[[], Any], is_live: IsLive | None) -> AbstractContextManager[None]:
    """Serve requests for the hosts that are the live service with `transport()`, from any client.

    A library that is not imported yet is not imported for this, which would take longer than all the rest: it is
    patched when it is imported.
    """
    if is_live is None:
        return nullcontext()

    def patch(owner: Any, method: str) -> Patch:
        original = getattr(owner, method)

        def handle(self: Any, request: Any) -> Any:
            """Send a request, or return a coroutine that does: both methods take and return the same."""
            live = is_live(request.url.host, request.url.port)  # only then: a transport imports httpx
            return getattr(transport(), method)(request) if live else original(self, request)

        return owner, method, handle

    return patched_modules(
        _LIBRARIES, lambda library: [patch(getattr(library, kind), method) for kind, method in _METHODS]
    )


class RequestLimit(Failed):
    """The code under test exceeded the bound on requests."""
