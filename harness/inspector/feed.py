"""The stream of changes for one page, as server-sent events: first all that is kept, then what happens.

Layer 6. A body: it looks, pauses, and looks again, so it costs a carrier nothing but a timer. Many changes share
one event. Everything is masked here, on its way out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from harness.inspector.changes import Change, Listener
from harness.inspector.judging import TrafficJudge
from harness.inspector.traffic import SeenTraffic
from harness.wire import Chunk, Pause, Piece, encode
from harness.wire.mask import Mask

LOOK_SECONDS = 0.05
"""How long the feed waits at least before it looks again."""

_WORK_SECONDS = 0.01
"""About how long it takes apart, and then judges, what has passed, before it tells the page."""
_RESTS = 4
"""It rests so many times as long as it worked, so that a page takes no more than a fifth of a server's time."""
_LONGEST_REST = 1.0

_BATCH = 500
_QUIET_LOOKS = 200
"""Looks without news after which a comment is sent, so that a page notices a dead connection."""


class Feed:
    """The body of the answer to one page. `state` is what can be acted on, told whenever it changes."""

    def __init__(
        self, traffic: SeenTraffic, judge: TrafficJudge, mask: Mask, hello: Change, state: Callable[[], Change]
    ) -> None:
        self._traffic = traffic
        self._judge = judge
        self._masker = MaskedChanges(mask)
        self._hello = hello
        self._state = state
        self._told: Change | None = None
        self._listener: Listener | None = traffic.listen()
        self._waiting: list[Change] = self._tell_all()
        self._rest_due = False
        self._spent = 0.0
        self._quiet = 0

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        if self._rest_due:
            self._rest_due = False
            rest, self._spent = _RESTS * self._spent, 0.0
            return Pause(min(max(LOOK_SECONDS, rest), _LONGEST_REST))
        began = monotonic()
        news = self._tell()
        self._spent += monotonic() - began
        return next(self) if news is None else news

    def _tell(self) -> Chunk | None:
        """The next changes; None if there is nothing to say."""
        if not self._waiting:
            self._waiting = self._look()
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        self._rest_due = not self._waiting
        self._quiet = 0 if batch else (self._quiet + 1) % _QUIET_LOOKS
        if batch:
            return Chunk(encode(None, self._masker.encode(batch)))
        return None if self._quiet else Chunk(b": quiet\n\n")

    def _look(self) -> list[Change]:
        if self._listener is None:
            return []
        self._traffic.catch_up(_WORK_SECONDS)
        self._judge.judge_ended(_WORK_SECONDS)
        changes = self._listener.take()
        if changes is None:
            return self._tell_all()
        return [*changes, *self._tell_changed_state()]

    def _tell_all(self) -> list[Change]:
        traffic = self._traffic
        with traffic.lock:
            hello = {
                **self._hello, "is": "hello", "unseen": traffic.unseen, "dropped": traffic.dropped,
                "now": traffic.seconds,
            }  # fmt: skip
            if self._listener is not None:
                self._listener.take()  # it is in what follows
            changes = traffic.describe()
        self._told = None
        return [hello, *changes, *self._tell_changed_state(), {"is": "ready"}]

    def _tell_changed_state(self) -> list[Change]:
        state = self._state()
        if state == self._told:
            return []
        self._told = state
        return [{"is": "state", **state}]

    def close(self) -> None:
        """The page is gone: nobody listens any more."""
        if self._listener is not None:
            self._traffic.leave(self._listener)
            self._listener = None


class MaskedChanges:
    """Writes changes as JSON in which no secret is left; remembers the texts of events, which repeat."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._names: dict[str, str] = {}

    def encode(self, changes: list[Change]) -> bytes:
        """The changes as one JSON array."""
        return json.dumps([self._mask_change(change) for change in changes], ensure_ascii=False).encode(
            "utf-8", "replace"
        )

    def _mask_change(self, change: Change) -> Any:
        if change["is"] == "event":
            return {**change, "name": self._name(change["name"]), "cursor": self._mask.text(change["cursor"])}
        return self._mask.tree(change)

    def _name(self, name: str) -> str:
        masked = self._names.get(name)
        if masked is None:
            masked = self._mask.text(name)
            if len(self._names) < 1000:
                self._names[name] = masked
        return masked
