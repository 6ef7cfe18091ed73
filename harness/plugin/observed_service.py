"""The stand-in for the API in one test: a service whose requests are logged, limited, and can be made to fail.

Layer 7. `ObservedService` wraps any service (also the player of a recording), `InteractionsEmulator` the emulator.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.emulator.http.request_log import RequestLog
from harness.faults import FaultyService, Plan, cut
from harness.outcome import UsageFault
from harness.outcome.words import format_count
from harness.plugin.environment_variables import PLACEHOLDER_KEY
from harness.plugin.request_limit import RequestLimit, stop
from harness.plugin.sent_requests import SentRequests
from harness.plugin.session_server import SessionServer, Tenant
from harness.plugin.traffic_log import TrafficLog, name_call
from harness.transport import ServiceDriver
from harness.wire import Clock, Headers, Request, Response, Service

if TYPE_CHECKING:
    from harness.transport import Transport

MOST_REQUESTS = 1000
"""Maximum requests of one test before it is stopped: a client that loops for ever must not hang the session."""

_TRANSIENT = frozenset({408, 409, 429})
_KINDS = ("any", "create", "get", "stream", "cancel", "delete")
_KEY = ("x-goog-api-key", PLACEHOLDER_KEY)


class ObservedService:
    """A `Service` under observation. Use it as `with ObservedService(…).open(session):` for a base URL."""

    def __init__(self, service: Service, clock: Clock, *, max_requests: int | None = None) -> None:
        if max_requests is not None and max_requests < 1:
            raise UsageFault(f"max_requests={max_requests!r} must be at least 1: it ends tests that never would")
        self.service = self._whole = service
        self.clock = clock
        self.before: list[Callable[[Request], None]] = []
        """Called with each request before it is answered."""
        self.limit = max_requests or MOST_REQUESTS
        """How many requests are answered before the test is stopped."""
        self._asked_for = max_requests
        self.waits = False
        """Whether answers may take real time; each is then given on a separate thread."""
        self.explain: Callable[[], str] = str
        """Returns circumstances to add to the message if the test is stopped, and to the report of any failure."""
        self.story = TrafficLog()
        self.was_looked_at = False
        """Whether the test read `requests`."""
        self._count = 0
        self._log = RequestLog(self.limit, body=sys.maxsize)  # whole bodies, because tests assert on them
        self._refusals: list[tuple[str, Response, bytes, int]] = []
        self._lock = threading.Lock()
        self._session: SessionServer | None = None
        self._prefix = ""
        self._thread = threading.get_ident()
        self.runaway: str = ""

    # As a service

    def __call__(self, request: Request) -> Response:
        """Answer an in-process request. Raises RequestLimit above the limit."""
        with self._lock:
            self._count += 1
            self._log.add(request)
            self._enforce_limit(request)
            refusal = self._refusal(request)
        if refusal is None:
            for action in self.before:
                action(request)
        return self.story.note_answer(request, refusal or self.service(request))

    def over_socket(self, request: Request) -> Response:
        """Answer a request from the socket; above the limit, stop the thread of the test instead of raising."""
        try:
            return self(request)
        except RequestLimit as runaway:
            stop(self._thread, runaway)
            return Response.json(400, PROTOCOL.error_body(400, "runaway", str(runaway)))

    def _enforce_limit(self, request: Request) -> None:
        if self._count > self.limit:
            calls = SentRequests(self._log.to_dicts()[-3:]).calls
            self.runaway = (
                f"the code under test sent more than {format_count(self.limit, 'request')} in this test and "
                f"seems to go on for ever; the last ones: {', '.join(calls)}"
            )
            if more := self.explain():
                self.runaway += f"; {more}"
            raise RequestLimit(self.runaway)

    def _refusal(self, request: Request) -> Response | None:
        if not self._refusals:
            return None
        call = name_call(request)
        for index, (kind, head, body, left) in enumerate(self._refusals):
            if kind == "any" or call.startswith(kind):
                if left == 1:
                    del self._refusals[index]
                elif left > 1:
                    self._refusals[index] = (kind, head, body, left - 1)
                return Response.whole(head.status, head.headers, body)
        return None

    # For tests

    @property
    def requests(self) -> SentRequests:
        """What the code under test sent so far."""
        self.was_looked_at = True
        with self._lock:
            return SentRequests(self._log.to_dicts())

    def fail(
        self,
        status: int = 503,
        *,
        on: str = "any",
        times: int = 1,
        code: str | None = None,
        message: str = "This failure was injected by the test.",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse the next `times` requests (0: all) of a kind (any, create, get, stream, cancel, delete).

        Statuses that an SDK retries (408, 409, 429, 5xx) carry `retry-after-ms: 1` unless `headers` is given,
        because otherwise the SDK's back-off makes the test slow.
        """
        if on not in _KINDS:
            raise UsageFault(f"on={on!r} is no kind of request: {', '.join(_KINDS)}")
        if not 400 <= status <= 599:
            raise UsageFault(f"status={status} is no failure: use 400 to 599")
        fields = {"content-type": "application/json"}
        if headers is None and (status in _TRANSIENT or status >= 500):
            fields["retry-after-ms"] = "1"
        fields |= headers or {}
        named = code or ("invalid_request" if status < 500 and status not in _TRANSIENT else "service_unavailable")
        body = PROTOCOL.error_body(status, named, message)
        head = Response.whole(status, Headers(fields.items()), b"")
        with self._lock:
            self._refusals.append((on, head, body, times))

    def drop(self, plan: str | Plan) -> FaultyService:
        """Apply a fault plan to all further streams (`event:5,rst`; see docs/faults.md)."""
        self.service = faulty = cut(self._whole, plan, PROTOCOL)
        return faulty

    def limit_requests(self, requests: int) -> None:
        """Stop the test after `requests` requests, unless the test set `max_requests` itself."""
        self.limit = self._asked_for or requests

    def forget(self) -> None:
        """Forget the requests so far, and restart the count for the limit."""
        with self._lock:
            self._log.clear()
            self._count = 0
            self.story = TrafficLog()

    def note_refusal(self, message: str) -> None:
        """Note a refused connection to another machine."""
        self.story.note_refusal(message)

    def format_context(self) -> str:
        """What to report if this test fails: the circumstances, and the requests and answers."""
        circumstances = self.explain()
        return "\n".join([*([circumstances] if circumstances else []), *self.story.lines()])

    # Ways in

    @property
    def base_url(self) -> str:
        """The URL of this test's service. Raises UsageFault if sockets are forbidden."""
        if self._session is None:
            raise UsageFault("there is no base_url: open it in a session first, as the fixtures do")
        return self._session.url + self._prefix

    @property
    def transport(self) -> Transport:
        """A transport for clients of `httpx` and `httpx2`, sync and async; no socket, no waiting."""
        from harness.transport import transport

        return transport(self, self.clock)

    async_transport = transport
    """The same as `transport`, under the name expected for an async client."""

    def driver(self) -> ServiceDriver:
        """A driver for the test's own requests, which bypass the log and the faults."""
        return ServiceDriver(self._whole, self.clock)

    def open(self, session: SessionServer) -> AbstractContextManager[str]:
        """Serve on the session's socket while the block runs."""
        self._session = session
        return _Open(self, session)


class _Open(AbstractContextManager[str]):
    def __init__(self, served: ObservedService, session: SessionServer) -> None:
        self._served = served
        self._serving = session.serving(Tenant(served.over_socket, served.clock, served.waits))

    def __enter__(self) -> str:
        self._served._prefix = self._serving.__enter__()
        return self._served._prefix

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)


class InteractionsEmulator(ObservedService):
    """The emulator of one test. Settings are those of `harness.emulator.Settings`."""

    def __init__(self, *, seed: int = 0, max_requests: int | None = None, **settings: Any) -> None:
        self.emulator = Emulator(Settings().with_values(settings), seed=seed)
        super().__init__(self.emulator, self.emulator.clock, max_requests=max_requests)

    def reply(self, text: str | None = None, **script: Any) -> InteractionsEmulator:
        """Queue an answer for the next create: a text, or any keys of a script (docs/emulator.md)."""
        self.emulator.reply(text, **script)
        return self

    def script(self, script: Mapping[str, Any]) -> InteractionsEmulator:
        """Queue one script."""
        self.emulator.script(script)
        return self

    def change(self, **settings: Any) -> InteractionsEmulator:
        """Change settings by name."""
        self.emulator.change(**settings)
        return self

    def hold(self) -> InteractionsEmulator:
        """Hold background runs until `release`."""
        self.emulator.hold()
        return self

    def release(self, interaction_id: str | None = None) -> int:
        """Let one held run, or all, continue; return how many were held."""
        return self.emulator.release(interaction_id)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request of the test's own, which is not in `requests`; `path` starts after the API version.

        Raises UsageFault if the emulator refuses it.
        """
        import json

        data = b"" if body is None else json.dumps(body).encode()
        headers = Headers([_KEY, ("content-type", "application/json")])
        exchange = self.driver().send(Request(method, f"/v1beta/{path}", headers, data))
        value = json.loads(exchange.body)
        if exchange.status != 200:
            raise UsageFault(f"the emulator refused {method} {path}: {value['error']['message']}")
        found: dict[str, Any] = value
        return found

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create an interaction outside the code under test; model, input and background=True are defaults."""
        author = {} if "agent" in fields else {"model": "gemini-3.5-flash"}
        return self.call("POST", "interactions", {**author, "input": "Go.", "background": True, **fields})

    def look(self, interaction_id: str) -> dict[str, Any] | None:
        """An interaction in its current state, without advancing it as a poll would; None if there is none."""
        return self.emulator.look(interaction_id)
