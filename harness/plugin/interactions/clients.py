"""Ready-made in-process clients of a test's service: google-genai if it is installed, otherwise plain httpx.

No socket and no waiting; code that needs a real connection uses `base_url`. An in-process client has no connection
that only its own event loop could close, and no use for the certificates of authorities, whose loading takes
longer than most tests. It waits as long as the client that google-genai makes for itself: for ever.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.plugin.environment_variables import PLACEHOLDER_KEY
from harness.plugin.observed_service import ObservedService

if TYPE_CHECKING:  # a type checker shows the SDK's types where it is installed, and Any where it is not
    import ssl

    from google.genai import Client
    from google.genai.client import AsyncClient

BASE_URL = "http://interactions.test"
"""A placeholder for the host, which an in-process transport ignores."""

_KEY = {"x-goog-api-key": PLACEHOLDER_KEY}


def client(served: ObservedService, *, timeout: float | None = None) -> AbstractContextManager[Client]:
    """A `google.genai.Client`, or an `httpx.Client` if google-genai is not installed."""
    return _open(served, timeout, is_async=False)


class AsyncClientContext(AbstractContextManager["AsyncClient"], AbstractAsyncContextManager["AsyncClient"]):
    """An async client for a block: `with` is enough, and `async with` is what people write around one."""

    def __init__(self, opened: AbstractContextManager[AsyncClient]) -> None:
        self._opened = opened

    def __enter__(self) -> AsyncClient:
        return self._opened.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    async def __aenter__(self) -> AsyncClient:
        return self.__enter__()

    async def __aexit__(self, *error: Any) -> None:
        self.__exit__(*error)


def async_client(served: ObservedService, *, timeout: float | None = None) -> AsyncClientContext:
    """The `aio` of a `google.genai.Client`, or an `httpx.AsyncClient` if google-genai is not installed."""
    return AsyncClientContext(_open(served, timeout, is_async=True))


@contextmanager
def _open(served: ObservedService, timeout: float | None, *, is_async: bool) -> Iterator[Any]:
    if not has_genai():
        httpx: Any = importlib.import_module("httpx")
        kind = httpx.AsyncClient if is_async else httpx.Client
        kind = type(kind.__name__, (kind,), {"__getattr__": _explain_missing})
        plain = kind(base_url=BASE_URL, headers=_KEY, **_build_sdk_options(served, timeout))
        with _closing(plain) if is_async else plain:
            yield plain
        return
    from google import genai

    own = "httpx" if genai.__version__.startswith(("1.", "2.")) else "httpx2"  # that of its own clients
    library: Any = importlib.import_module(own if importlib.util.find_spec(own) else "httpx")
    asynchronous = library.AsyncClient(**_build_sdk_options(served, timeout))
    with library.Client(**_build_sdk_options(served, timeout)) as sync, _closing(asynchronous):
        options = genai.types.HttpOptions(
            base_url=BASE_URL,
            timeout=None if timeout is None else round(timeout * 1000),
            httpx_client=sync,  # google-genai does not close the clients it is given
            httpx_async_client=asynchronous,
            async_client_args={"ssl": _trust_nobody()},
        )
        made = genai.Client(api_key=PLACEHOLDER_KEY, http_options=options)
        try:
            yield made.aio if is_async else made
        finally:
            made.close()


def _explain_missing(client: Any, name: str) -> Any:
    """Raise for what a test wants of google-genai, such as `client.interactions`."""
    step = "pip install 'interactions-harness[sdk]', or call client.post('/v1beta/interactions', json=…)"
    raise AttributeError(f"httpx.{type(client).__name__} has no {name!r}: google-genai is not installed: {step}")


def has_genai() -> bool:
    """Whether google-genai is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("google", "google.genai"))


def _build_sdk_options(served: ObservedService, timeout: float | None) -> dict[str, Any]:
    """The options that google-genai gives to the HTTP clients it makes; httpx would time out after 5 s."""
    return {"transport": served.new_transport(of_fixture=True), "timeout": timeout, "follow_redirects": True}


@cache
def _trust_nobody() -> ssl.SSLContext:
    """A context without authorities, shared by all clients: google-genai would load them again for each client."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def _closing(client: Any) -> Iterator[None]:
    """Close our async client without an event loop, which works because its transport never awaits anything."""
    try:
        yield
    finally:
        with suppress(StopIteration):
            client.aclose().send(None)
