"""What a page is told: one small JSON object for each thing that happened, and the queue it waits in.

Layer 6. Knows the words between server and page, which `page/model.js` takes; must not know how they travel.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, TypeAlias

from harness.inspector.seen_exchange import SeenExchange
from harness.wire import By, Ending
from harness.wire.pieces import At

Change: TypeAlias = dict[str, Any]
"""One thing that happened; `is` names its kind."""


class Listener:
    """The changes that one page has not got yet. With more than `most` of them it has lost track: see `take`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[Change] = []
        self._lost = False

    def add(self, change: Change) -> None:
        """Add a change."""
        with self._lock:
            if len(self._waiting) >= self._most:
                self._lost = True
                self._waiting.clear()
            if not self._lost:
                self._waiting.append(change)

    def take(self) -> list[Change] | None:
        """The waiting changes; None if some were lost, so that everything has to be told again."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            lost, self._lost = self._lost, False
        return None if lost else taken


def describe_request(seen: SeenExchange) -> Change:
    """A request came."""
    request, order = seen.request, seen.order
    change: Change = {
        "is": "request",
        "n": seen.number,
        "at": seen.began,
        "method": request.method,
        "target": request.target,
        "run": seen.run,
        "words": order.words if order is not None else "",
        "creates": order is not None,
    }
    if seen.cursor is not None:
        change |= {"cursor": seen.cursor, "after": seen.after, "column": seen.column}
    return change


def describe_head(seen: SeenExchange) -> Change:
    """The head of an answer came."""
    return {"is": "head", "n": seen.number, "status": seen.status, "stream": seen.is_stream}


def describe_event(seen: SeenExchange, number: int) -> Change:
    """An event of a stream came; `number` counts within its answer from 0."""
    event = seen.events[number]
    return {
        "is": "event", "n": seen.number, "e": number, "name": event.name, "look": event.look,
        "size": event.end - event.start, "at": event.moment, "cursor": event.cursor or "",
    }  # fmt: skip


def describe_end(seen: SeenExchange) -> Change:
    """An answer ended; `planned` is what a fault plan did to it, `error` what a refusal says."""
    ending, exchange = seen.ending, seen.exchange
    assert ending is not None
    assert exchange is not None
    planned = [str(fault) for fault in seen.suffered.fired] if seen.suffered is not None else []
    return {
        "is": "end",
        "n": seen.number,
        "complete": ending.complete,
        "how": str(ending.how),
        "words": _name_ending(ending),
        "size": exchange.size,
        "seconds": exchange.seconds,
        "more": seen.more_events,
        "planned": ", ".join(planned),
        "error": seen.error,
    }


def describe_all(seen: SeenExchange) -> Iterator[Change]:
    """Everything that is known of an exchange, for a page that comes late."""
    yield describe_request(seen)
    if seen.status is not None:
        yield describe_head(seen)
    for number in range(len(seen.events)):
        yield describe_event(seen, number)
    if seen.ending is not None:
        yield describe_end(seen)
    if seen.findings:
        yield {"is": "findings", "n": seen.number, "findings": list(seen.findings)}


def _name_ending(ending: Ending) -> str:
    if ending.complete:
        return "complete"
    if ending.by is By.CLIENT:
        return "the client hung up"
    where = "" if ending.at is At.IN_BODY else f" {ending.at.replace('_', ' ')}"
    return f"{ending.how}{where}"
