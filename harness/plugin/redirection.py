"""Requests for the live service, answered by the test's own while a fixture is in use.

Layer 7. A client that was built before the test, at import time or in `conftest.py`, knows only the live URL. Its
transport is one of httpx or httpx2, whose classes are patched for as long as the test runs, and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

_LIBRARIES = ("httpx", "httpx2")
_METHODS = (("HTTPTransport", "handle_request"), ("AsyncHTTPTransport", "handle_async_request"))


@contextmanager
def redirect(transport: Any, hosts: Collection[str]) -> Iterator[None]:
    """Answer requests for `hosts` (`name`, or `name:port`) with `transport`, whichever client sends them."""
    patched: list[tuple[Any, str, Any]] = []
    for library in filter(None, map(sys.modules.get, _LIBRARIES)) if hosts else ():
        for kind, method in _METHODS:
            owner = getattr(library, kind)
            original = getattr(owner, method)
            setattr(owner, method, _redirecting(original, getattr(transport, method), frozenset(hosts)))
            patched.append((owner, method, original))
    try:
        yield
    finally:
        for owner, method, original in reversed(patched):
            setattr(owner, method, original)


def _redirecting(original: Callable[..., Any], ours: Callable[[Any], Any], hosts: Collection[str]) -> Any:
    def handle(self: Any, request: Any) -> Any:
        """Send a request, or a coroutine that sends it: both methods take a request and return what they made."""
        url = request.url
        asked = {url.host, f"{url.host}:{url.port}"}
        return original(self, request) if asked.isdisjoint(hosts) else ours(request)

    return handle
