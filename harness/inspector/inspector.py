"""The inspector of one server: serves the page, and observes the other traffic while a page is open.

Knows the routes; the parts do the work. The page itself is always the same and is served to every client that may
call the server. Calls that return traffic or change anything are control calls, and need the same rights
(`benches/server/page_guard.py`).
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.benches.server.fault_control import Faulty
from harness.benches.server.page_guard import PageGuard
from harness.cassette import CassetteError, Provenance, Recording, Redactor, save
from harness.faults.service import FaultyBody
from harness.inspector.evidence import Evidence
from harness.inspector.feed import Feed, News, TrafficJudge
from harness.inspector.seen_exchange import Change, SeenExchange
from harness.inspector.traffic import SeenTraffic
from harness.kit.api import ApiContract, TrafficApi
from harness.look import read_script, read_sheet
from harness.outcome import UsageFault
from harness.transport import WallClock
from harness.wire import Chunk, Chunked, Exchange, Headers, Request, Response, Service
from harness.wire.addresses import CONTROL, is_control
from harness.wire.mask import Mask
from harness.wire.message import EVENT_STREAM, observe

ROOT = "/__harness__/inspector/"
_ICON = "/favicon.ico"
"""A browser asks for it beside each page, also beside the refusal of one: it uses up no recording."""
_ROOTS = ("/", _ICON)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FIELDS = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-cache"),
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
_SHARED: dict[str, Callable[[], str]] = {
    "tokens.css": partial(read_sheet, "tokens"),
    "picture.css": partial(read_sheet, "picture"),
    "theme.js": partial(read_script, "theme"),
}
_EXCHANGE = re.compile("[0-9]{1,18}(/([0-9]{1,18}|curl|pytest|scenario|raw))?")
"""The number of an exchange and, perhaps, of an event or the form of a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """The actions of a page on its server: the control calls that it has, and the state that they change.

    `drop`: faults can be set. `script`: responses can be queued, runs held and all of it reset. `state` has the
    current values: `plan`, `counted` and `planned` connections, `queued`, `refusals`, `holding`.
    """

    drop: bool = False
    script: bool = False
    state: Callable[[], Change] = field(default=dict)


class Inspector:
    """`around(service)` is the service with its page at the root.

    `command` is the command that serves, `facts` further words for the head of the page. `sees_all`: no request
    reaches the target any other way. `ahead`: observe before the first page comes. `to_curl` writes a request as a
    command for the server at a URL. `provenance` is that of a saved cassette; a page offers none without it.
    """

    def __init__(
        self,
        api: TrafficApi,
        contract: ApiContract,
        guard: PageGuard,
        *,
        command: str,
        to_curl: Callable[[Request, str], str],
        actions: Actions | None = None,
        provenance: Callable[[], Provenance] | None = None,
        facts: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        sees_all: bool = False,
        ahead: bool = False,
        scheme: str = "http",
    ) -> None:
        self._api = api
        self._guard = guard
        self._actions = actions or Actions()
        self._provenance = provenance
        self._secrets = dict(secrets or {})
        self._mask = Mask(secrets, api.load_protocol().secret_fields)
        self._hello: Change = {
            "command": command, "title": api.title, "drop": self._actions.drop, "script": self._actions.script,
            "save": provenance is not None, "token": guard.wants_token, **(facts or {}),
        }  # fmt: skip
        self._scheme = scheme
        self._clock = WallClock()
        self.traffic = SeenTraffic(api, ahead=ahead, learn=self._mask.learn)
        self._judge = TrafficJudge(api, contract, self.traffic, sees_all=sees_all)
        self._news = News(self.traffic, self._judge, self._mask, self._actions.state)
        self._evidence = Evidence(self.traffic, self._mask, api, contract, to_curl)

    def show(self, exchanges: Iterable[Exchange]) -> None:
        """Show exchanges of the past, one after the other and as fast as they were."""
        moment = 0.0
        self.traffic.set_clock(lambda: moment)
        for exchange in exchanges:
            began = moment
            seen = self.traffic.begin(exchange.request)
            if exchange.status is not None:
                seen.note_head(exchange.status, exchange.headers, exchange.framing)
                for arrived, data in _split(exchange):
                    moment = began + arrived
                    seen.note_chunks((Chunk(data),))
            moment = began + exchange.seconds
            seen.note_end(exchange.ending)
            self.traffic.catch_up()
        self._judge.judge_ended(math.inf)  # a page begins at the first finding

    def finish(self) -> None:
        """Give open pages what they have not read yet, and end them: the server is about to go.

        A page that does not read is not waited for longer than a second.
        """
        self._news.is_last = True
        self.traffic.wait_for_pages(1.0)

    def claims(self, request: Request) -> bool:
        """Whether a request is not for the target: it is for the page, or came from a page that may not call."""
        return is_for_page(request) or self._guard.refusal_of_caller(request) is not None

    def observe(self, request: Request) -> SeenExchange | None:
        """The observer of the answer to a request that is forwarded; None while no page is open."""
        if not self.traffic.is_open:
            self.traffic.unseen += 1
            return None
        return self.traffic.begin(request)

    def around(self, service: Service) -> Service:
        traffic = self.traffic

        def serve(request: Request) -> Response:
            target = request.target
            if (target in _ROOTS or target.startswith(ROOT)) and is_for_page(request):
                return self.answer(request)
            if CONTROL in target and is_control(request):
                return service(request)
            if not traffic.is_open:  # no page is open: hot, and nothing is attached
                traffic.unseen += 1
                return service(request)
            seen = traffic.begin(request)
            response = service(request)
            if isinstance(response.body, FaultyBody):
                seen.suffered = response.body.suffered
            return observe(response, seen)

        return serve

    def answer(self, request: Request) -> Response:
        """Answer a request that is for the page, or refuse one."""
        if not is_for_page(request):
            closed = self._refuse(404, "not_found", "This connection was opened for the page of the inspector.")
            return self._guard.refusal_of_caller(request) or closed
        if (refusal := self._guard.refusal_of_host(request)) is not None:
            return refusal
        name = request.raw_path.removeprefix(ROOT) if request.raw_path != "/" else ""
        if "/" not in name and ("." in name or not name):
            return self._send_file(request, name or "index.html")
        return self._guard.refusal_of_control(request) or self._tell(request, name)

    def _send_file(self, request: Request, name: str) -> Response:
        kind = _TYPES.get(name.rpartition(".")[2])
        text = None if kind is None else read_file(name)
        if kind is None or text is None:
            return self._refuse(404, "not_found", f"The inspector has no file {name[:100]}.")
        if request.method not in ("GET", "HEAD"):
            return self._refuse(405, "method_not_allowed", f"{request.method}: the page is read with GET.")
        return Response.whole(200, Headers((("content-type", kind), *_FIELDS)), text.encode())

    def _tell(self, request: Request, name: str) -> Response:
        first, *rest = name.split("/")
        if request.method == "POST":
            if name == "clear":
                self.traffic.clear()
                self._judge.begin()
                return _as_json({})
        elif request.method == "GET":
            if name == "feed":
                body = Feed(self.traffic, self._news, self._hello)
                fields = (("content-type", EVENT_STREAM), ("cache-control", "no-store"))
                # A clock of its own: the pauses of a page must not move the time of the service.
                return Response(200, Headers(fields), Chunked(), body, clock=self._clock)
            if name == "cassette":
                return self._send_cassette(request)
            if name == "search":
                # The numbers of the exchanges whose bodies contain a word, for each word of `words`.
                given = request.parameter("words") or ""
                words = list(dict.fromkeys(given.lower().split()))[:20]
                found: dict[str, list[int]] = {word: [] for word in words}
                for seen in self.traffic.all():
                    with self.traffic.lock:  # not for all of them at once: streams wait for it
                        for word in self._evidence.find_words(seen, words):
                            found[word].append(seen.number)
                return _as_json({"found": found})
            if first == "exchanges" and _EXCHANGE.fullmatch("/".join(rest)) is not None:
                return self._show_exchange(request, rest)
        return self._refuse(404, "not_found", f"The inspector has no {request.method} {request.raw_path[:100]}.")

    def _show_exchange(self, request: Request, rest: list[str]) -> Response:
        """`N`: an exchange in full; `N/E`: one of its events; `N/curl` and the like: a copy of it."""
        seen = self.traffic.find(int(rest[0]))
        if seen is None:
            return self._refuse(
                404, "not_found", "This exchange is not kept any more: older ones make room for new."
            )
        with self.traffic.lock:
            if len(rest) == 1:
                return _as_json(self._evidence.exchange(seen))
            if rest[1] == "raw":
                return _as_json(self._evidence.raw(seen))
            if rest[1].isdecimal():
                number = int(rest[1])
                if number >= len(seen.events):
                    return self._refuse(404, "not_found", f"The exchange has {len(seen.events)} events.")
                return _as_json(self._evidence.event(seen, number))
            copied = self._evidence.copy(seen, rest[1], self._find_root(request))
        if copied is None:
            why = f"This exchange has no output that a {rest[1]} could return."
            return self._refuse(409, "failed_precondition", why)
        return _as_json({"text": copied})

    def _find_root(self, request: Request) -> str:
        """The URL by which the page was called."""
        return f"{self._scheme}://{request.headers.get('host')}"

    def _send_cassette(self, request: Request) -> Response:
        """The finished exchanges, without their secrets."""
        if self._provenance is None:
            return self._refuse(404, "not_found", "The traffic of this command is not saved from the page.")
        exchanges = [seen.exchange for seen in self.traffic.all() if seen.exchange is not None]
        origin = self._find_root(request)
        recordings = [Recording.as_received(exchange, origin) for exchange in exchanges if not exchange.truncated]
        redacted: list[Recording] = []
        try:
            redactor = Redactor(self._api.load_protocol(), secrets=self._secrets.values())
            for result, _ in redactor.redact_all(recordings):
                if isinstance(result, CassetteError):
                    raise result
                redacted.append(result)
            if not redacted:
                raise CassetteError("no exchange has ended yet that could be saved")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "seen.yaml"
                save(path, redacted, self._provenance())
                text = path.read_bytes()
        except (CassetteError, UsageFault) as wrong:
            return self._refuse(409, "failed_precondition", str(wrong))
        fields = Headers((("content-type", "application/yaml"), ("cache-control", "no-store")))
        return Response.whole(200, fields, text)

    def _refuse(self, status: int, code: str, message: str) -> Response:
        return Response.json(status, self._api.load_protocol().error_body(status, code, message))


def read_file(name: str) -> str | None:
    """A file of the page, some of which all pages share; None if it has no such file."""
    if name in _SHARED:
        return _SHARED[name]()
    found = (file for file in files("harness.inspector").joinpath("page").iterdir() if file.name == name)
    return next((file.read_text("utf-8") for file in found if file.is_file()), None)


def is_for_page(request: Request) -> bool:
    """Whether a request is for the inspector: its own paths, and the root and the icon that a browser asks for."""
    target = request.target
    if target.startswith(ROOT) or target == _ICON:
        return True
    return target == "/" and request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept")


def _split(exchange: Exchange) -> Iterator[tuple[float, bytes]]:
    """The pieces of a body with their moments; a body whose pieces are not all known is one piece."""
    sizes, moments = exchange.arrivals.sizes, exchange.arrivals.moments
    if sum(sizes) != len(exchange.body):
        yield exchange.first_byte, exchange.body
        return
    start = 0
    for size, moment in zip(sizes, moments, strict=True):
        yield moment, exchange.body[start : start + size]
        start += size


def _as_json(value: Any) -> Response:
    return Response.json(
        200, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), (("cache-control", "no-store"),)
    )


# What is in force in each session of a server: its fault plan, its queue, its held runs.


def describe_sessions(faulty: Faulty, default: Change, others: Mapping[str, Change]) -> Change:
    """The state of the default session; `sessions` has that of the newest others, by name."""
    newest = list(others.items())[-50:]
    sessions = {
        name: {**faulty.describe_state(f"/__harness__/sessions/{name}"), **state} for name, state in newest
    }
    return {**faulty.describe_state(), **default, "sessions": sessions}
