"""What the answers that passed said about the runs of the API: their statuses, and which run continues which.

Layer 6. Must not know bytes or events: it is handed what was decoded. Callers hold the lock of the `SeenTraffic`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.inspector.changes import Change
from harness.inspector.seen_exchange import SeenExchange
from harness.kit.api import Api

_MOST_STATUSES = 20


class SeenRuns:
    """The last runs that were named, at most `most`."""

    def __init__(self, api: Api, most: int) -> None:
        self._api = api
        self._most = most
        self._runs: dict[str, Change] = {}

    def follow(self, seen: SeenExchange, value: Mapping[str, Any], moment: float) -> Change | None:
        """Keep what an answer or an event says about its run; return the run if that is new."""
        status = self._api.read_status(value)
        if status is None or seen.status is None or seen.status >= 400:
            return None
        seen.run = status[0] or seen.run
        if not seen.run:
            return None
        run = self._find(seen)
        if seen.order is not None and "words" not in run:
            order = seen.order
            run |= {"parent": order.parent, "background": order.background, "words": order.words}
        statuses = run["statuses"]
        if statuses and statuses[-1][0] == status[1]:
            return None
        statuses.append([status[1], moment])
        del statuses[:-_MOST_STATUSES]
        return _copy(run)

    def describe_all(self) -> Iterator[Change]:
        """All runs, for a page that comes late."""
        return (_copy(run) for run in self._runs.values())

    def clear(self) -> None:
        """Forget all runs."""
        self._runs.clear()

    def _find(self, seen: SeenExchange) -> Change:
        run = self._runs.get(seen.run)
        if run is None:
            run = self._runs[seen.run] = {"is": "run", "id": seen.run, "n": seen.number, "statuses": []}
            if len(self._runs) > self._most:
                del self._runs[next(iter(self._runs))]
        return run


def _copy(run: Change) -> Change:
    return {**run, "statuses": list(run["statuses"])}
