"""Keeps track of what the exercises created at the target and still have to delete.

Layer 4. Reads this from the exchanges; checks never clean up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from harness.kit.api import Api
from harness.wire import Decoder, Driver, Exchange, Headers, Request, StreamProtocol
from harness.wire.json_value import object_or_none
from harness.wire.message import segment

_HEAD = 65_536
"""Number of bytes of a stream searched for its id, which is in the first events."""

_GONE = frozenset({404, 410})


class CreatedResources:
    """Created resources by path; several threads may note exchanges at once."""

    def __init__(self, api: Api) -> None:
        self._api = api
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
            elif request.method == "POST" and exchange.succeeded and request.segments[-1] in self._api.collections:
                self._owed.update(dict.fromkeys(self._find_created(exchange), request))

    def clean(self, driver: Driver) -> list[str]:
        """Delete what is owed, newest first, and return the paths that could not be deleted.

        A run in progress may refuse its deletion, so it is cancelled before a second attempt. If the driver ends
        the run, what is left is still owed.
        """
        with self._lock:
            owed = list(reversed(self._owed.items()))
        left = []
        for path, created in owed:
            if not self._delete(driver, path, created.headers):
                left.append("/" + "/".join(path))
            with self._lock:
                self._owed.pop(path, None)
        return left

    def _delete(self, driver: Driver, segments: tuple[str, ...], headers: Headers) -> bool:
        path = "/" + "/".join(map(segment, segments))
        fields = headers.without("content-type", "content-length")
        if _is_gone(driver.send(Request("DELETE", path, fields))):
            return True
        stop = self._api.new_stop_request(segments, fields)
        if stop is None:
            return False
        driver.send(stop)
        return _is_gone(driver.send(Request("DELETE", path, fields)))

    def _find_created(self, exchange: Exchange) -> Iterator[tuple[str, ...]]:
        if exchange.is_stream:  # judged by the body if the label is wrong: what it created must be deleted too
            created = _stream_id(exchange.body[:_HEAD], self._api.load_protocol())
        else:
            created = _resource_id(object_or_none(exchange.body) or {})
        if created:
            prefix, *rest = exchange.request.segments
            yield (*([] if prefix == self._api.upload_prefix else [prefix]), *rest, created)


def _is_gone(deleted: Exchange) -> bool:
    return deleted.succeeded or deleted.status in _GONE


def _resource_id(value: dict[str, Any]) -> str | None:
    """`id`, or the last segment of a `name` such as `webhooks/w1`; a resource may come as the only member."""
    if len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):
        value = inner
    if isinstance(value.get("id"), str) and value["id"]:
        return str(value["id"])
    name = value.get("name")
    return name.rpartition("/")[2] if isinstance(name, str) and "/" in name else None


def _stream_id(body: bytes, protocol: StreamProtocol) -> str | None:
    for frame in Decoder().feed(body):
        event = object_or_none(frame.data)
        if event is not None and (found := protocol.stream_id(event)):
            return found
    return None
