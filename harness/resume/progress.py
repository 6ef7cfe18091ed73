"""Tracks which events of an interaction were already yielded, and which events of a new connection are new.

Layer 3, sans-IO. Whatever was requested, a connection may begin after the cursor (as documented), with the event
of the cursor (inclusive), or from the start. Known events are skipped: by event id if they have one, otherwise by
position in the sequence of step events and by content. An `error` event is not part of that sequence and its id
is not a cursor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.contract import PROTOCOL, Assembler, Contract
from harness.contract.tables.protocol import CREATED_EVENT, STATUS_EVENT, STEP_EVENTS
from harness.errors import Diverged

Event = Mapping[str, Any]

_encode = msgspec.json.Encoder(order="sorted").encode


class Progress:
    """Call `connect` at the start of each connection, then `take` for each of its events."""

    def __init__(self, contract: Contract) -> None:
        self._row: list[int] = []  # one hash for each step event that was yielded
        self._place: dict[str, int] = {}  # event id -> its index in _row
        self._at = 0  # index in _row that this connection has reached
        self._first = True
        self._created = False
        self._statuses: set[bytes] = set()
        self._told: set[tuple[int, int]] = set()
        self._assembler = Assembler(contract)
        self._open: set[int] = set()
        self._bounds: dict[tuple[str, int], int] = {}  # start and stop of each step -> index in _row
        self._cursor_at = 0
        self.cursor: str | None = None
        self.interaction_id: str | None = None
        self.status: str | None = None
        self.completed: dict[str, Any] | None = None

    def connect(self, cursor: str | None) -> None:
        """Begin a stream that was requested after `cursor`, or from the start for None."""
        self._at = self._cursor_at if cursor is not None else 0
        self._first = True

    def take(self, event: Event) -> bool:
        """Record an event and return whether it is new and should be yielded. Raises Diverged."""
        kind = event.get("event_type")
        if not isinstance(kind, str) or PROTOCOL.is_error(event):
            return self._take_unordered(event)
        if self._first:
            self._first = False
            if kind == CREATED_EVENT:
                self._at = 0
        self._learn(event)
        cursor = PROTOCOL.cursor(event)
        new = self._step(kind, event, cursor) if kind in STEP_EVENTS else self._take_outside_steps(kind, event)
        if cursor is not None and self._at >= self._cursor_at:
            self.cursor, self._cursor_at = cursor, self._at
        return new

    def steps(self) -> list[dict[str, Any]]:
        """Return the steps assembled from the events so far."""
        return self._assembler.steps()

    def is_open(self, index: int) -> bool:
        """Return whether step `index` was started but not stopped."""
        return index in self._open

    def _step(self, kind: str, event: Event, cursor: str | None) -> bool:
        known = self._place.get(cursor) if cursor is not None else None
        if known is not None:
            self._at = max(self._at, known + 1)
            return False
        mark = hash(_encode((kind, event.get("index"), event.get("step"), event.get("delta"))))
        self._rewind(kind, event.get("index"))
        new = self._at == len(self._row)
        if new:
            self._row.append(mark)
            self._assembler.event(event)
            self._note_step(kind, event.get("index"), self._at)
        elif self._row[self._at] != mark:
            raise Diverged
        if cursor is not None:
            self._place[cursor] = self._at
        self._at += 1
        return new

    def _rewind(self, kind: str, index: object) -> None:
        """Go back if this is a start or a stop that has come before: a step has one of each, so it is repeated.

        That is how a replay within a stream begins if the events that carry no id are at its beginning.
        """
        known = self._bounds.get((kind, index)) if isinstance(index, int) else None
        if known is not None and self._at == len(self._row):
            self._at = known

    def _note_step(self, kind: str, index: object, place: int) -> None:
        if not isinstance(index, int):  # a service that departs from the documentation may send anything here
            return
        (self._open.discard if kind == "step.stop" else self._open.add)(index)
        if kind != "step.delta":
            self._bounds[kind, index] = place

    def _take_outside_steps(self, kind: str, event: Event) -> bool:
        """Return whether an event outside the steps is new; each is yielded once."""
        if PROTOCOL.completes(event):
            inner = event.get("interaction")
            self.completed = dict(inner) if isinstance(inner, Mapping) else {}
            return True
        if kind == CREATED_EVENT:
            new, self._created = not self._created, True
            return new
        if kind == STATUS_EVENT:
            status = _encode(event.get("status"))
            new = status not in self._statuses
            self._statuses.add(status)
            return new
        return self._take_unordered(event)

    def _take_unordered(self, event: Event) -> bool:
        """Return whether an error or unknown event is new; an equal one at the same position is yielded once."""
        if self._at < len(self._row):
            return False
        mark = (self._at, hash(_encode(PROTOCOL.with_cursor(event, None))))
        new = mark not in self._told
        self._told.add(mark)
        return new

    def _learn(self, event: Event) -> None:
        self.interaction_id = self.interaction_id or PROTOCOL.stream_id(event)
        inner = event.get("interaction")
        status = inner.get("status") if isinstance(inner, Mapping) else event.get("status")
        if isinstance(status, str):
            self.status = status
