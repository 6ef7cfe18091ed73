"""Watches that the events of a run come in an order that the contract allows.

Layer 2. Walks the table of `contract.tables.stream_order` beside the writer, and decides by itself those guards
that depend on indices; what a script fixes (statuses, usage, arguments) is the script's own affair. An illegal
event is our fault, never a target's: HarnessFault. Mutants are not watched, because breaking the order is their
purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.contract.tables.stream_order import COMPLETED, CREATED, DELTA, START, STOP, Row, State
from harness.emulator.run.event_writer import SharedDeltas
from harness.outcome import HarnessFault

Json = dict[str, Any]


class OrderWatch:
    """The state of one stream; pass its events to `see` in order."""

    def __init__(self, order: Mapping[State, Mapping[str, Row]]) -> None:
        self._order = order
        self._state = State.EXPECT_CREATED
        self._open: int | None = None
        self._steps = 0
        self._created = False
        row = order[State.IN_STEP][DELTA]
        decided = [guard for guard in row.guards if guard in _GUARDS]
        self._deltas_stay = row.next is State.IN_STEP and not row.breaks and decided == ["delta-index"]

    def see(self, events: list[Json]) -> None:
        """Advance by these events. Raises HarnessFault for one that may not come now."""
        at = 0
        while at < len(events):
            event = events[at]
            at += 1
            kind = event["event_type"]
            # Hot: nearly all events are deltas of the open step, which by the table change nothing.
            if (
                kind == DELTA
                and self._state is State.IN_STEP
                and self._deltas_stay
                and event["index"] == self._open
            ):
                if (deltas := SharedDeltas.at(events, at - 1)) is not None:  # all are of one step
                    at += len(deltas) - 1
                continue
            self._advance(kind, event)

    def _advance(self, kind: str, event: Json) -> None:
        row = self._order[self._state][kind]
        broken = row.breaks or next((guard for guard in row.guards if not self._holds(guard, event)), "")
        if broken:
            raise HarnessFault(f"the emulator wrote {kind} in the state {self._state}, against {broken}: {event}")
        self._state = row.next
        if kind == START:
            self._open, self._steps = event["index"], self._steps + 1
        elif kind in (STOP, COMPLETED):
            self._open = None
        self._created = self._created or kind == CREATED

    def _holds(self, guard: str, event: Json) -> bool:
        decide = _GUARDS.get(guard)
        return decide is None or decide(self, event)

    def _created_once(self, event: Json) -> bool:
        return not self._created

    def _index_next(self, event: Json) -> bool:
        return bool(event["index"] == self._steps)

    def _none_open(self, event: Json) -> bool:
        return self._open is None

    def _index_open(self, event: Json) -> bool:
        return bool(event["index"] == self._open)

    def _all_stopped(self, event: Json) -> bool:
        return self._open is None or event["interaction"]["status"] in ("failed", "cancelled")


_GUARDS: dict[str, Callable[[OrderWatch, Json], bool]] = {
    "created-once": OrderWatch._created_once,
    "index-next": OrderWatch._index_next,
    "none-open": OrderWatch._none_open,
    "delta-index": OrderWatch._index_open,
    "stop-index": OrderWatch._index_open,
    "all-stopped": OrderWatch._all_stopped,
}
