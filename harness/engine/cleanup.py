"""Keeps track of what the exercises created at the target and still have to delete.

Layer 4. Reads this from the exchanges; checks never clean up.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from harness.kit.api import Api
from harness.wire import Driver, Exchange, Request

_GONE = frozenset({404, 410})


class CreatedResources:
    """Created resources by path; several threads may note exchanges at once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._owed: dict[tuple[str, ...], Request] = {}
        self._open: dict[tuple[str, ...], tuple[Request, Request]] = {}
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()
        self.sent: list[Exchange] = []
        """What the last clean-up sent, for whoever judges it."""

    @property
    def owed(self) -> list[str]:
        """Paths of the resources that were created and not deleted."""
        return ["/" + "/".join(segments) for segments in self._owed]

    def note(self, exchange: Exchange) -> None:
        """Record what one finished exchange created or deleted."""
        request = exchange.request
        with self._lock:
            if key := request.headers.get(self._api.key_header):
                self._keys[request.raw_path] = key
            if request.method == "DELETE" and _is_gone(exchange):
                self._owed.pop(request.segments, None)
            for delete in self._api.list_deletes(exchange):
                self._owed[delete.segments] = self._with_key(delete, request.raw_path)
            if (look := self._api.new_look_request(exchange)) is not None:
                self._open[look.segments] = (look, request)

    def clean(self, driver: Driver) -> list[str]:
        """Delete what is owed, newest first, and return the paths that could not be deleted.

        A run in progress may refuse its deletion, so it is cancelled before a second attempt. If the driver ends
        the run, what is left is still owed.
        """
        self.sent = []
        self._look(driver)
        with self._lock:
            owed = list(reversed(self._owed.items()))
        left = []
        for path, delete in owed:
            if not self._delete(driver, delete):
                left.append("/" + "/".join(path))
            with self._lock:
                self._owed.pop(path, None)
        return left

    def _look(self, driver: Driver) -> None:
        """Ask what else was made by creates whose answers did not tell, as long as they are not deleted."""
        with self._lock:
            looks = [pair for path, pair in self._open.items() if path in self._owed]
            self._open.clear()
        for look, request in looks:
            self.note(replace(driver.send(look), request=request))

    def _with_key(self, delete: Request, path: str) -> Request:
        """The request with a key: the last part of an upload has none, but a request for its path had one."""
        key = self._keys.get(path)
        if key is None or delete.headers.get(self._api.key_header) or "authorization" in delete.headers:
            return delete
        return Request("DELETE", delete.target, delete.headers.having(self._api.key_header, key))

    def _delete(self, driver: Driver, delete: Request) -> bool:
        self.sent.append(driver.send(delete))
        if _is_gone(self.sent[-1]):
            return True
        stop = self._api.new_stop_request(delete.segments, delete.headers)
        if stop is None:
            return False
        driver.send(stop)
        return _is_gone(driver.send(delete))


def _is_gone(deleted: Exchange) -> bool:
    return deleted.succeeded or deleted.status in _GONE
