"""The requests a session received, masked and bounded, for tests to look at.

Layer 2. Knows where secrets stand in a request; must not know what a request means.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import msgspec

from harness.wire import Request

KEPT_BODY = 64 * 1024
"""Bytes kept of each body."""

_MASK = "***"
_SECRET_HEADERS = frozenset({"x-goog-api-key", "authorization", "proxy-authorization", "cookie", "x-api-key"})
_SECRET_QUERY = re.compile(r"([?&](?:key|access_token|upload_id)=)[^&]*")
_SECRET_FIELDS = frozenset({
    "token", "access_token", "refresh_token", "client_secret", "api_key", "password", "headers",
})  # fmt: skip
_SECRET_IN_CREDENTIALS = _SECRET_FIELDS | {"value"}


class RequestLog:
    """The last requests, oldest first; masking happens when somebody looks."""

    def __init__(self, most: int) -> None:
        self._kept: deque[Request] = deque(maxlen=most)

    def add(self, request: Request) -> None:
        """Keep one request; a long body is cut, so that memory stays bounded."""
        if len(request.body) > KEPT_BODY:
            request = Request(request.method, request.target, request.headers, request.body[:KEPT_BODY])
        self._kept.append(request)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def shown(self) -> list[dict[str, Any]]:
        """`{"method", "target", "headers", "body"}` of each; a JSON body is decoded, another one is text."""
        return [_shown(request) for request in self._kept]


def _shown(request: Request) -> dict[str, Any]:
    headers = {
        name: _MASK if name.lower() in _SECRET_HEADERS else value for name, value in request.headers.items()
    }
    return {
        "method": request.method,
        "target": _SECRET_QUERY.sub(rf"\1{_MASK}", request.target),
        "headers": headers,
        "body": _body(
            request.body, _SECRET_IN_CREDENTIALS if "/credentials" in request.target else _SECRET_FIELDS
        ),
    }


def _body(data: bytes, secret: frozenset[str]) -> Any:
    if not data:
        return None
    try:
        return _masked(msgspec.json.decode(data), secret)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")


def _masked(value: Any, secret: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_masked(item, secret) for item in value]
    if isinstance(value, dict):
        return {name: _MASK if name in secret else _masked(inner, secret) for name, inner in value.items()}
    return value
