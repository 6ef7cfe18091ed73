"""Requests for the live service, answered by the test's own while a fixture is in use.

Layer 7. A client that was built before the test, at import time or in `conftest.py`, knows only the live URL. Its
transport is one of httpx or httpx2, whose classes are patched for as long as the test runs, and nothing else.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_LIBRARIES = ("httpx", "httpx2")
_METHODS = (("HTTPTransport", "handle_request"), ("AsyncHTTPTransport", "handle_async_request"))


@contextmanager
def redirect(transport: Callable[[], Any], hosts: Collection[str]) -> Iterator[None]:
    """Answer requests for `hosts` (`name`, or `name:port`) with `transport()`, whichever client sends them.

    A library that nobody has imported yet is not imported for this, which would take longer than all the rest: it
    is patched when it is imported.
    """
    patched: list[tuple[Any, str, Any]] = []

    def patch(library: ModuleType) -> None:
        for kind, method in _METHODS:
            owner = getattr(library, kind)
            original = getattr(owner, method)
            setattr(owner, method, _redirecting(original, getattr(transport(), method), frozenset(hosts)))
            patched.append((owner, method, original))

    later = _Later(patch)
    if hosts:
        for library in filter(None, map(sys.modules.get, _LIBRARIES)):
            patch(library)
        sys.meta_path.insert(0, later)
    try:
        yield
    finally:
        if later in sys.meta_path:
            sys.meta_path.remove(later)
        for owner, method, original in reversed(patched):
            setattr(owner, method, original)


class _Later(MetaPathFinder):
    """Patches each library right after it is imported."""

    def __init__(self, patch: Callable[[ModuleType], None]) -> None:
        self._patch = patch
        self._looking = False

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders return, with a loader that patches, too."""
        if name not in _LIBRARIES or self._looking:
            return None
        self._looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking = False
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            self._patch(module)

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec


def _redirecting(original: Callable[..., Any], ours: Callable[[Any], Any], hosts: Collection[str]) -> Any:
    def handle(self: Any, request: Any) -> Any:
        """Send a request, or a coroutine that sends it: both methods take a request and return what they made."""
        url = request.url
        asked = {url.host, f"{url.host}:{url.port}"}
        return original(self, request) if asked.isdisjoint(hosts) else ours(request)

    return handle
