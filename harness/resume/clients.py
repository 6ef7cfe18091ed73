"""Adapters for google-genai and httpx(2) clients, sync and async: open a stream as bytes, fetch JSON.

Knows the calls of google-genai (`client.interactions`) and of httpx and httpx2 clients; must not know why it is
called. Streams are always read as bytes, because google-genai's own events turn a broken frame into a string.
Every call may raise the library's own exceptions, `ErrorResponse` or `NotAStream`. `open` returns the streamed
response of httpx or httpx2, which is also beneath a stream of google-genai. With a sync client, no coroutine here
ever suspends.
"""

from __future__ import annotations

from inspect import isawaitable, iscoroutinefunction
from typing import Any
from urllib.parse import quote, urlencode

from harness.errors import ConnectionLost, ErrorResponse, NotAStream
from harness.outcome import UsageFault
from harness.resume.state_machine import Create, OpenStream
from harness.wire.message import retry_after

_EVENTS = {"accept": "text/event-stream"}


def client_of(client: Any, path: str, *, is_async: bool) -> _Genai | _Httpx:
    """Return the adapter; for an async `genai.Client`, its `aio` is used. Raises UsageFault for another client."""
    genai = getattr(client, "aio", client) if is_async else client
    if hasattr(client, "interactions") and iscoroutinefunction(genai.interactions.get) is is_async:
        return _Genai(client, genai.interactions)
    if hasattr(client, "build_request") and hasattr(client, "aclose" if is_async else "close"):
        return _Httpx(client, path)
    kind = f"{type(client).__module__}.{type(client).__qualname__}"
    wanted, other = ("AsyncClient", "follow") if is_async else ("Client", "follow_async")
    raise UsageFault(
        f"a {kind} cannot be followed with: pass a google.genai.Client or httpx.{wanted}, or use `{other}` for "
        "the other kind"
    )


async def settle(value: Any) -> Any:
    """The value, which an async client returns later."""
    return await value if isawaitable(value) else value


class OpenedStream:
    """A stream of bytes that a client has opened."""

    def __init__(self, response: Any, *, is_async: bool) -> None:
        self._response = response
        self._is_async = is_async
        self._chunks = response.aiter_bytes() if is_async else response.iter_bytes()

    async def read(self) -> bytes | None:
        """The next bytes; None at the end."""
        found: bytes | None = await anext(self._chunks, None) if self._is_async else next(self._chunks, None)
        return found

    async def close(self) -> None:
        """Close the connection."""
        await settle(self._response.aclose() if self._is_async else self._response.close())


# httpx and httpx2


class _Httpx:
    def __init__(self, client: Any, path: str) -> None:
        self._client = client
        self._is_async = not hasattr(client, "close")
        self._path = path.rstrip("/")

    async def open(self, move: Create | OpenStream) -> OpenedStream:
        response = await settle(self._client.send(self.request(move), stream=True))
        opened = OpenedStream(response, is_async=self._is_async)
        media_type = str(response.headers.get("content-type", "")).lower()
        if response.status_code < 400 and media_type.startswith("text/event-stream"):
            return opened
        try:
            await settle(response.aread() if self._is_async else response.read())
        finally:
            await opened.close()
        raise _read_refusal(response)

    async def get(self, interaction_id: str) -> dict[str, Any]:
        return _read_interaction(await settle(self._client.send(self.poll(interaction_id))))

    def request(self, move: Create | OpenStream) -> Any:
        if isinstance(move, Create):
            return self._client.build_request(
                "POST", self._path, json={**move.body, "stream": True}, headers=_EVENTS
            )
        query = {"stream": "true", **({"last_event_id": move.cursor} if move.cursor is not None else {})}
        return self._client.build_request("GET", self._at(move.id, f"?{urlencode(query)}"), headers=_EVENTS)

    def poll(self, interaction_id: str) -> Any:
        return self._client.build_request("GET", self._at(interaction_id))

    def _at(self, interaction_id: str, query: str = "") -> Any:
        segment = quote(interaction_id, safe="", errors="surrogatepass")  # a JSON string may hold a lone surrogate
        path = f"{self._path}/{segment}{query}"
        base = self._client.base_url
        if not self._path.startswith("/") or base.is_relative_url:
            return path
        # As the client would do it, but the path is parsed once instead of twice.
        return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + path.encode("ascii"))


def _read_interaction(response: Any) -> dict[str, Any]:
    """Return the JSON object of a response whose body was read. Raises ErrorResponse."""
    if response.status_code >= 400:
        raise _read_refusal(response)
    try:
        value = response.json()
    except (ValueError, RecursionError):
        value = None
    return _read_object(value)


def _read_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ErrorResponse(502, "the response to GET is not a JSON object")
    return value


def _read_refusal(response: Any) -> ErrorResponse | NotAStream:
    if response.status_code < 400:
        return NotAStream("the response is not an event stream")
    return ErrorResponse(response.status_code, response.text[:500], retry_after(response.headers))


# google-genai


def _build_arguments(move: Create | OpenStream) -> dict[str, Any]:
    if isinstance(move, OpenStream):
        return {"stream": True, **({"last_event_id": move.cursor} if move.cursor is not None else {})}
    plain = not move.body.get("background") and "agent" not in move.body
    # Follow this one interaction only: by default the SDK may silently continue with the next one.
    return {**move.body, "stream": True, **({"automatic_continuation": False} if plain else {})}


class _Genai:
    def __init__(self, client: Any, interactions: Any) -> None:
        self._client = client  # google-genai closes its connections once the client is unreferenced
        self._interactions = interactions

    async def open(self, move: Create | OpenStream) -> OpenedStream:
        words = (move.id,) if isinstance(move, OpenStream) else ()
        call = self._interactions.get if isinstance(move, OpenStream) else self._interactions.create
        answer = await settle(call(*words, **_build_arguments(move)))
        response = getattr(answer, "response", None)
        if response is None:
            raise NotAStream("the response is not an event stream")
        return OpenedStream(response, is_async=iscoroutinefunction(self._interactions.get))

    async def get(self, interaction_id: str) -> dict[str, Any]:
        found = await settle(self._interactions.get(interaction_id))
        dump = getattr(found, "model_dump", lambda **_: None)
        return _read_object(dump(mode="json", exclude_unset=True, warnings=False))  # it warns of unexpected fields


# How their exceptions map to those of this package


_DROPS = frozenset(
    {"TransportError", "StreamError", "DecodingError", "APIConnectionError", "NoResponseError", "OSError"}
)
"""Names of base classes that mean a dropped connection: httpx and httpx2, google-genai, the standard library."""


def as_drop(error: Exception) -> ConnectionLost:
    """Map a client library's exception to a `ConnectionLost`; re-raises `error` if it does not mean one."""
    if isinstance(error, ConnectionLost):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status < 400:
        return ConnectionLost(f"a response that cannot be read: {error}")
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", {})
        return ErrorResponse(status, str(error), retry_after(headers))
    if any(base.__name__ in _DROPS for base in type(error).__mro__):
        return ConnectionLost(f"{type(error).__name__}: {error}")
    raise error
