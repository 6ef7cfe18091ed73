"""Converts exchanges of the `requests` library into our own.

Layer 4.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from harness.wire import COMPLETE, At, By, Ending, Exchange, ExchangeBuilder, Headers, How, Length, Request
from harness.wire.pieces import Chunk

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
