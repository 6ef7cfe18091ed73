"""Keeps track of what the exercises created at the target and still have to delete.

Layer 4. Reads this from the exchanges; checks never clean up. Knows which collections of the API hold resources.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from harness.contract import read
from harness.contract.requests import segment
from harness.wire import Driver, Exchange, Headers, Request
from harness.wire.json_value import object_or_none

COLLECTIONS = frozenset({"interactions", "agents", "environments", "webhooks", "credentials", "triggers"})
"""Last path segments for which POST creates something that DELETE removes."""

_HEAD = 65_536
"""Number of bytes of a stream searched for its id, which is in the first events."""

_GONE = frozenset({404, 410})


class CreatedResources:
    """Created resources by path; several threads may note exchanges at once."""

    def __init__(self) -> None:
        self._owed: dict[tuple[str, ...], Request] = {}
        self._lock = threading.Lock()

    @property
    def owed(self) -> list[str]:
        """Paths of the resources that were created and not deleted."""
        return ["/" + "/".join(segments) for segments in self._owed]

    def note(self, exchange: Exchange) -> None:
        """Record what one finished exchange created or deleted."""
        request = exchange.request
        with self._lock:
            if request.method == "DELETE" and _is_gone(exchange):
                self._owed.pop(request.segments, None)
            elif request.method == "POST" and exchange.succeeded and request.segments[-1] in COLLECTIONS:
                self._owed.update(dict.fromkeys(_find_created(exchange), request))

    def clean(self, driver: Driver) -> list[str]:
        """Delete what is owed, newest first, and return the paths that could not be deleted.

        A run in progress may refuse its deletion, so it is cancelled before a second attempt. If the driver ends
        the run, what is left is still owed.
        """
        with self._lock:
            owed = list(reversed(self._owed.items()))
        left = []
        for path, created in owed:
            if not _delete(driver, path, created.headers):
                left.append("/" + "/".join(path))
            with self._lock:
                self._owed.pop(path, None)
        return left


def _delete(driver: Driver, segments: tuple[str, ...], headers: Headers) -> bool:
    path = "/" + "/".join(map(segment, segments))
    fields = headers.without("content-type", "content-length")
    if _is_gone(driver.send(Request("DELETE", path, fields))):
        return True
    if "interactions" not in segments:
        return False
    driver.send(Request("POST", f"{path}/cancel", fields))
    return _is_gone(driver.send(Request("DELETE", path, fields)))


def _is_gone(deleted: Exchange) -> bool:
    return deleted.succeeded or deleted.status in _GONE


def _find_created(exchange: Exchange) -> Iterator[tuple[str, ...]]:
    if read(exchange).is_stream:  # judged by the body if the label is wrong: what it created must be deleted too
        found = _stream_id(exchange.body[:_HEAD])
    else:
        found = _resource_id(object_or_none(exchange.body) or {})
    if found:
        yield (*exchange.request.segments, found)


def _resource_id(value: dict[str, Any]) -> str | None:
    """`id`, or the last segment of a `name` such as `webhooks/w1`."""
    if isinstance(value.get("id"), str) and value["id"]:
        return str(value["id"])
    name = value.get("name")
    return name.rpartition("/")[2] if isinstance(name, str) and "/" in name else None


def _stream_id(body: bytes) -> str | None:
    from harness.contract.tables.protocol import PROTOCOL
    from harness.wire.sse import Decoder

    for frame in Decoder().feed(body):
        event = object_or_none(frame.data)
        if event is not None and (found := PROTOCOL.stream_id(event)):
            return found
    return None
