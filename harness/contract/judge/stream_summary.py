"""The values that describe one judged stream. Layer 1.

A cursor is opaque: only its presence, its order of arrival and its uniqueness can be judged. Uniqueness is judged
by 64-bit hashes, at most `CURSORS` of them; beyond that the rule counts as not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.judge.errors import UnframedError
from harness.contract.schema.validator import UnknownPart
from harness.outcome import Finding

CURSORS = 262_144


@dataclass(frozen=True, slots=True)
class Cursors:
    """What is known of a stream's cursors. `judged` is False if there were too many to rule out a repeat."""

    first: str | None = None
    last: str | None = None
    count: int = 0
    judged: bool = True


class CursorLog:
    """Records the event ids of a stream; takes each of them once, in order."""

    __slots__ = ("_first", "_last", "_repeats", "_seen", "_unjudged")

    def __init__(self) -> None:
        self._first: str | None = None
        self._last: str | None = None
        self._seen: set[int] = set()
        self._repeats = 0  # ids that were seen before
        self._unjudged = 0  # ids beyond `CURSORS`

    def repeats(self, cursor: str) -> bool:
        """Record `cursor` and return whether it was seen before, as far as that is judged."""
        if self._last is None:
            self._first = cursor
        self._last = cursor
        seen = self._seen
        key = hash(cursor)
        if key in seen:
            self._repeats += 1
            return True
        if len(seen) < CURSORS:
            seen.add(key)
        else:
            self._unjudged += 1
        return False

    def summary(self) -> Cursors:
        """What is known of all cursors so far."""
        count = len(self._seen) + self._repeats + self._unjudged
        return Cursors(self._first, self._last, count, not self._unjudged)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReading:
    """The summary of a stream, in bounded space however long the stream was.

    `frames` counts dispatched events, `events` the JSON ones among them, `deltas` the step.delta events and
    `deltas_with_cursor` those of them that carry a cursor.
    `created` and `completed` are the interactions in those events, `errors` the `error` values of error events.
    `bare_error` is the error body that ended the stream outside its framing; `errors` holds it too.
    `suppressed` counts, by rule, findings beyond those kept. `unknowns` pairs the number of an event with
    something in it that the schemas do not name. `whole` means that the body ended in order; if not, nothing
    is claimed about its end. `unjudged` names what was not judged because of a limit. `framed`: the framing was
    recorded. `background`: the run was created in the background. `arguments` and `signatures` say whether deltas
    brought some, and `stop_usages` how many step.stop events had token counts.
    """

    start: str
    framed: bool
    background: bool
    arguments: bool
    signatures: bool
    stop_usages: int
    findings: tuple[Finding, ...]
    suppressed: Mapping[str, int]
    frames: int
    events: int
    deltas: int
    deltas_with_cursor: int
    counts: Mapping[str, int]
    interaction_id: str | None
    statuses: tuple[str, ...]
    created: dict[str, Any] | None
    completed: dict[str, Any] | None
    done: bool
    errors: tuple[dict[str, Any], ...]
    bare_error: UnframedError | None
    cursors: Cursors
    unknowns: tuple[tuple[int, UnknownPart], ...]
    unjudged: tuple[str, ...]
    whole: bool

    @property
    def status(self) -> str | None:
        """The last status in the stream."""
        return self.statuses[-1] if self.statuses else None
