"""Adds the project's own judgement to schemathesis as a check, and our time limit as a hook.

Layer 4. The tool keeps checks and hooks in global registries. Ours are registered once; while an engine runs,
`judging` tells them the place to use.
"""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from harness.engine.search.rules import SeenDefect
from harness.engine.search.search_target import SearchTarget, judge_exchange
from harness.engine.traffic.deadline import MIN_TIMEOUT, Timer
from harness.wire import COMPLETE, At, By, Ending, Exchange, ExchangeBuilder, Headers, How, Length, Request
from harness.wire.message import EVENT_STREAM
from harness.wire.pieces import Chunk

OURS = "harness_contract"

MOST_SECONDS = 30.0
"""Longest timeout of one call in seconds."""

_PIECE = 65_536

_places: list[SearchTarget] = []
_kinds: dict[str, type] = {}


@contextmanager
def judging(place: SearchTarget) -> Iterator[None]:
    """Within this context, judge the tool's calls by the contract and bound them by the place's timer."""
    import schemathesis
    from schemathesis.checks import CHECKS

    if OURS not in CHECKS.get_all_names():
        schemathesis.check(harness_contract)
        schemathesis.hook(before_call)
        schemathesis.deserializer("application/json")(read_json)
    _places.append(place)
    try:
        with timing_heads():
            yield
    finally:
        _places.pop()


def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Bound each call by the time left, and by what such calls took before; send uploads to their own address."""
    if _places:
        place = _places[-1]
        _correct_address(case.operation, place.resolved.info.version)
        bounds = [MOST_SECONDS, place.resolved.target.wait, place.timer.left]
        if place.patience is not None:
            bounds.append(place.patience.timeout(case.operation.label.replace(" /", " ")))
        kwargs["timeout"] = max(MIN_TIMEOUT, min(bounds))
        kwargs["hooks"] = {"response": partial(_read_in_time, kwargs["timeout"], Timer(kwargs["timeout"]))}


def _read_in_time(seconds: float, timer: Timer, response: Any, **_: Any) -> None:
    """Read a body within the time of its call: `requests` bounds only the wait for each piece of it.

    Raises what `requests` does. Streams of events are left to the tool, which bounds them.
    """
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    if response.headers.get("content-type", "").startswith(EVENT_STREAM):
        return
    pieces = []
    try:
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            if timer.over():
                raise ReadTimeoutError(response.raw, response.url, "the response did not end")
    except HTTPError as wrong:
        response.close()
        raise _to_requests_error(wrong, seconds, response.request) from None
    response._content = b"".join(pieces)


def _to_requests_error(wrong: Exception, seconds: float, request: Any) -> Exception:
    """The error that `requests` raises for one of urllib3; the tool takes the words of a timeout apart."""
    import requests
    from urllib3 import exceptions

    if isinstance(wrong, exceptions.ReadTimeoutError):
        told = exceptions.HTTPError(f"the response did not end (read timeout={seconds})")
        return requests.ReadTimeout(told, request=request)
    kinds: dict[type[Exception], type[requests.RequestException]] = {
        exceptions.ProtocolError: requests.exceptions.ChunkedEncodingError,
        exceptions.DecodeError: requests.exceptions.ContentDecodingError,
    }
    kind = next((kind for cause, kind in kinds.items() if isinstance(wrong, cause)), requests.ConnectionError)
    return kind(wrong, request=request)


def _correct_address(operation: Any, version: str) -> None:
    """Honour a server of the operation's own, which the tool does not: `{origin}/upload/{version}`."""
    servers = operation.definition.raw.get("servers")
    below = f"/upload/{version}"
    if servers and servers[0]["url"].endswith("/upload/{version}") and not operation.base_url.endswith(below):
        operation.base_url = operation.base_url.removesuffix(f"/{version}") + below


def read_json(context: Any, response: Any) -> Any:
    """Decode JSON for the tool; nesting that is too deep is invalid, as a RecursionError would end its threads."""
    try:
        return response.json()
    except RecursionError:
        raise json.JSONDecodeError("nested too deep to be read", "", 0) from None


def harness_contract(ctx: Any, response: Any, case: Any) -> None:
    """Judge one response by the contract: shape, order, errors, leaks. Raises the tool's own kind of failure."""
    place = _places[-1]
    exchange = exchange_of(response.request, response, "")
    place.resolved.api.read(exchange, place.requests.contract)
    model = place.model
    call = model.name_call(exchange.request)
    echoed = model.document.echoed if model.document is not None and call != model.create else frozenset()
    if place.patience is not None:
        place.patience.note(call, response.elapsed, hung=False)
    for finding in judge_exchange(exchange, place.requests.key, model):
        defect = SeenDefect(finding, call)
        if place.judged(defect) and finding.rule not in echoed:
            raise _make_failure(defect, case)


def _make_failure(defect: SeenDefect, case: Any) -> AssertionError:
    from schemathesis.core.failures import Failure as ToolFailure

    key = defect.key
    kind = _kinds.get(key)
    if kind is None:  # the tool distinguishes failures only by their class
        kind = _kinds[key] = type(f"Broken[{key}]", (ToolFailure,), {})
    message = defect.finding.message
    failure: Any = kind(operation=case.operation.label, title=defect.rule, message=message, case_id=case.id)
    failure.defect = defect
    assert isinstance(failure, AssertionError)
    return failure


# Converts exchanges of the `requests` library into our own.


_THE_TOOLS = frozenset({"user-agent", "accept", "accept-encoding", "connection", "x-schemathesis-testcaseid"})
"""Header fields that the library and the tool add, on which no response depends."""


def exchange_of(request: Any, response: Any, root: str) -> Exchange:
    """The exchange of one call, its URL without `root`. A stream that was cut short was ended by us."""
    recorder = ExchangeBuilder(request_of(request, root))
    headers = Headers((name, value) for name, values in response.headers.items() for value in values)
    content = response.content or b""
    recorder.head(response.status_code, headers, Length(len(content)))
    recorder.chunk(Chunk(content), response.elapsed)
    ending = Ending(by=By.CLIENT, how=How.FIN) if response.stream_cut_short else COMPLETE
    return recorder.finish(ending, response.elapsed)


def build_unanswered(request: Any, root: str) -> Exchange:
    """The exchange of a call that got no response."""
    recorder = ExchangeBuilder(request_of(request, root))
    return recorder.finish(Ending(by=By.SERVER, how=How.FIN, at=At.BEFORE_HEADERS), 0.0)


def request_of(request: Any, root: str) -> Request:
    """The request, with its target relative to `root`."""
    headers = Headers(
        (str(name), _decode(value)) for name, value in request.headers.items() if name.lower() not in _THE_TOOLS
    )
    body = request.body or b""
    data = body.encode() if isinstance(body, str) else bytes(body)
    return Request(str(request.method), target_of(str(request.url), root), headers, data)


def target_of(url: str, root: str) -> str:
    """Path and query as sent, relative to `root`."""
    parts = urlsplit(url)
    path = parts.path.removeprefix(urlsplit(root).path.rstrip("/")) if root else parts.path
    return path + (f"?{parts.query}" if parts.query else "")


def _decode(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


# Bounds the head of an answer as a whole for the tool, whose `requests` bounds only the wait for each byte of
# it.


@contextmanager
def timing_heads() -> Iterator[None]:
    """Within this context, a head that urllib3 reads takes no longer than its timeout in all."""
    from urllib3.connection import HTTPConnection

    usual = HTTPConnection.response_class
    HTTPConnection.response_class = _TimedResponse
    try:
        yield
    finally:
        HTTPConnection.response_class = usual


class _TimedResponse(HTTPResponse):
    """Raises `TimeoutError` as the socket does, when the head has not ended within the socket's timeout."""

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp.close()
        self._source = _TimedReader(sock)
        self.fp = io.BufferedReader(self._source)

    def begin(self) -> None:
        super().begin()
        self._source.timer = None


class _TimedReader(io.RawIOBase):
    """What a socket receives, until the time is up; without a timer, for as long as it takes."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._bytes = sock.makefile("rb", buffering=0)
        self.timer: Timer | None = Timer(sock.gettimeout())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.timer is not None and self.timer.over():
            raise TimeoutError("the response head did not end")
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._bytes.close()
        super().close()
