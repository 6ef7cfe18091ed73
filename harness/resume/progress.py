"""Tracks which events of an interaction were yielded, which of a new connection are new, and which still miss.

Sans-IO. Whatever was requested, a connection may begin after the cursor (as documented), with the event of the
cursor (inclusive), or from the start. Known events are skipped: by event id if they have one, otherwise by
position in the sequence of step events and by content. An `error` event is not part of that sequence and its id is
not a cursor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from harness.contract import PROTOCOL, Assembler, Contract
from harness.contract.tables.protocol import COMPLETED_EVENT, CREATED_EVENT, STATUS_EVENT, STEP_EVENTS
from harness.contract.transcript import output_steps, text_of
from harness.errors import Contradiction, Diverged

Event = Mapping[str, Any]

_encode = msgspec.json.Encoder(order="sorted").encode


class Progress:
    """Call `connect` at the start of each connection, then `take` for each of its events."""

    def __init__(self, contract: Contract) -> None:
        self._marks: list[int] = []  # one hash for each step event that was yielded
        self._index_by_id: dict[str, int] = {}  # event id -> its index in _marks
        self._at = 0  # index in _marks that this connection has reached
        self._first = True
        self._created = False
        self._statuses: set[bytes] = set()
        self._unordered: set[tuple[int, int]] = set()
        self._assembler = Assembler(contract)
        self._open: set[int] = set()
        self._bounds: dict[tuple[str, int], int] = {}  # start and stop of each step -> index in _marks
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
        self.interaction_id = self.interaction_id or PROTOCOL.stream_id(event)
        inner = event.get("interaction")
        status = inner.get("status") if isinstance(inner, Mapping) else event.get("status")
        if isinstance(status, str):
            self.status = status
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
        known = self._index_by_id.get(cursor) if cursor is not None else None
        if known is not None:
            self._at = max(self._at, known + 1)
            return False
        index = event.get("index")
        mark = hash(_encode((kind, index, event.get("step"), event.get("delta"))))
        # Go back if this is a start or a stop that has come before: a step has one of each, so it is repeated.
        # That is how a replay within a stream begins if the events that carry no id are at its beginning.
        before = self._bounds.get((kind, index)) if isinstance(index, int) else None
        if before is not None and self._at == len(self._marks):
            self._at = before
        new = self._at == len(self._marks)
        if new:
            self._marks.append(mark)
            self._assembler.event(event)
            if isinstance(index, int):  # a service that departs from the documentation may send anything here
                (self._open.discard if kind == "step.stop" else self._open.add)(index)
                if kind != "step.delta":
                    self._bounds[kind, index] = self._at
        elif self._marks[self._at] != mark:
            raise Diverged
        if cursor is not None:
            self._index_by_id[cursor] = self._at
        self._at += 1
        return new

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
        if self._at < len(self._marks):
            return False
        mark = (self._at, hash(_encode(PROTOCOL.with_cursor(event, None))))
        new = mark not in self._unordered
        self._unordered.add(mark)
        return new


# The rest of a stream that can no longer be read, from the interaction as it is fetched whole: a client sees the
# rest of the text once, and the completion. In a partly seen step only text, a thought and the arguments of a call
# can be continued; the fetched interaction holds everything else.


def remainder(
    seen: Sequence[Mapping[str, Any]], is_open: Callable[[int], bool], interaction: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the events missing after the steps in `seen`, then interaction.completed. Raises Contradiction.

    Steps are matched by type, in order: a step without text that was seen whole, a thought say, may be absent.
    """
    steps = output_steps(interaction)
    known = 0
    for index, step in enumerate(seen):
        found = next((at for at in range(known, len(steps)) if steps[at].get("type") == step.get("type")), None)
        if found is not None:
            yield from _rest(index, step, steps[found], is_open=is_open(index))
            known = found + 1
        elif is_open(index) or text_of(step.get("content")):
            raise Contradiction(f"step {index} of the stream, a {step.get('type')}, is not in the interaction now")
    for index, step in enumerate(steps[known:], start=len(seen)):
        kind = step.get("type")
        if kind == "model_output":
            yield {"index": index, "step": {"type": kind}, "event_type": "step.start"}
            content = step.get("content")
            for part in content if isinstance(content, list) else ():
                if isinstance(part, Mapping):
                    yield {"index": index, "delta": dict(part), "event_type": "step.delta"}
        else:
            yield {"index": index, "step": dict(step), "event_type": "step.start"}
        yield {"index": index, "event_type": "step.stop"}
    yield {"interaction": dict(interaction), "event_type": COMPLETED_EVENT}


def _rest(index: int, seen: Event, step: Event, *, is_open: bool) -> Iterator[dict[str, Any]]:
    had, whole = text_of(seen.get("content")), text_of(step.get("content"))
    if not whole.startswith(had) if is_open else whole != had:
        raise Contradiction(f"step {index} has another text than in the stream")
    if not is_open:
        return
    if len(whole) > len(had):
        delta: dict[str, Any] = {"text": whole[len(had) :], "type": "text"}
        yield {"index": index, "delta": delta, "event_type": "step.delta"}
    if step.get("type") == "thought":  # its signature comes last; one that is another now is left as it is
        had, whole = text_of(seen.get("summary")), text_of(step.get("summary"))
        if whole.startswith(had) and whole != had:
            delta = {"content": {"text": whole[len(had) :], "type": "text"}, "type": "thought_summary"}
            yield {"index": index, "delta": delta, "event_type": "step.delta"}
        begun, signature = (str(one.get("signature") or "") for one in (seen, step))
        if signature.startswith(begun) and signature != begun:
            delta = {"signature": signature[len(begun) :], "type": "thought_signature"}
            yield {"index": index, "delta": delta, "event_type": "step.delta"}
    if step.get("arguments") != seen.get("arguments"):
        yield {"index": index, "delta": _rest_of_arguments(index, seen, step), "event_type": "step.delta"}
    yield {"index": index, "event_type": "step.stop"}


def _rest_of_arguments(index: int, seen: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, str]:
    """The delta that completes the arguments of a call; the received part is incomplete JSON."""
    had = seen.get("arguments")
    begun = had if isinstance(had, str) else ""
    for separators in ((",", ":"), (", ", ": ")):
        whole = json.dumps(step.get("arguments"), ensure_ascii=False, separators=separators)
        if whole.startswith(begun) and not (had and not begun):
            return {"arguments": whole[len(begun) :], "type": "arguments_delta"}
    raise Contradiction(f"step {index} has other arguments than in the stream")
