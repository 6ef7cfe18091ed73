"""Keeps track of what the exercises created at the target and still have to delete.

Reads this from the exchanges; checks never clean up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from harness.kit.api import ApiContract, TargetApi
from harness.wire import Driver, Exchange, Request
from harness.wire.json_value import object_or_none

_GONE = frozenset({404, 410})


class CreatedResources:
    """Created resources by path; several threads may note exchanges at once.

    Unless it `deletes` them at all, no interrupt has to wait for the response that names one.
    """

    def __init__(self, api: TargetApi, *, deletes: bool = True) -> None:
        self.deletes = deletes
        self._api = api
        self._owed: dict[tuple[str, ...], Request] = {}
        self._open: dict[tuple[str, ...], tuple[Request, Request]] = {}
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()
        self._sent: list[Exchange] = []

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

    def list_closing_looks(self, trail: Sequence[Exchange]) -> list[Request]:
        """The reads of all that an exercise created and left, but of what several looks have shown as settled.

        A run that was only created, or read once, is compared with nothing else; one that should not be kept must
        not be found. Where an answer did not end in time, no other one is waited for.
        """
        if any(exchange.hung for exchange in trail):
            return []
        looks: dict[tuple[str, ...], Request] = {}
        settled: Counter[tuple[str, ...]] = Counter()
        for exchange in trail:
            request = exchange.request
            if request.method == "GET" and not request.query and self._shows_settled(exchange):
                settled[request.segments] += 1
            for delete in self._api.list_deletes(exchange):
                target = delete.target.partition("?")[0]
                looks[delete.segments] = Request("GET", target, delete.headers)
        with self._lock:
            owed = self._owed.keys()
            # After two looks at a settled run a third one would tell nothing new: these were compared.
            return [look for path, look in looks.items() if path in owed and settled[path] < 2]

    def _shows_settled(self, exchange: Exchange) -> bool:
        if not self._is_run(exchange.request):  # what is no run does not go on
            return exchange.succeeded
        found = self._api.read_status(object_or_none(exchange.body) or {}) if exchange.succeeded else None
        return found is not None and self._api.is_settled(found[1])

    def clean(self, driver: Driver) -> list[str]:
        """Delete what is owed, newest first, and return the paths that could not be deleted.

        A run in progress may refuse its deletion, so it is cancelled before a second attempt. If the driver ends
        the run, what is left is still owed.
        """
        self._sent = []
        self._look(driver)
        with self._lock:
            # Nothing needs a run, and a run may need anything else: runs come first, then what is newest.
            newest = list(self._owed.values())[::-1]
        left = []
        for delete in sorted(newest, key=lambda delete: not self._is_run(delete)):
            self._sent.append(sent := driver.send(delete))
            if not _is_gone(sent) and not self._stop_and_delete(driver, delete):
                left.append("/" + "/".join(delete.segments))
            with self._lock:
                self._owed.pop(delete.segments, None)
        return left

    def _is_run(self, request: Request) -> bool:
        return self._api.collection in request.segments

    def read_cleanup(self, contract: ApiContract) -> list[Exchange]:
        """The deletions of the last clean-up, each read by the contract, for the judges."""
        for exchange in self._sent:
            self._api.read(exchange, contract)
        return self._sent

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

    def _stop_and_delete(self, driver: Driver, delete: Request) -> bool:
        """Stop what refused its deletion, and delete it; whether it is gone."""
        stop = self._api.new_stop_request(delete.segments, delete.headers)
        if stop is None:
            return False
        driver.send(stop)
        return _is_gone(driver.send(delete))


def _is_gone(deleted: Exchange) -> bool:
    return deleted.succeeded or deleted.status in _GONE
