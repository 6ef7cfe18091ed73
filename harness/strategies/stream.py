"""A generated stream as a value: its events, how it was requested, and the rule it breaks, if any.

Layer 2. Knows how events become frames; must not know how they are generated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.wire import encode

DONE = b"[DONE]"
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """Events in order; a `bytes` item is a payload that is not a JSON object, or a misplaced sentinel.

    `start` and `background` are the arguments a `StreamJudge` needs for it. `breaks` is the id of the rule that an
    illegal stream breaks, "" for a legal one. `done`: a [DONE] frame ends the stream.
    """

    events: tuple[Event | bytes, ...]
    done: bool = True
    start: str = "fresh"
    background: bool = False
    breaks: str = ""

    def payloads(self) -> list[tuple[str, bytes]]:
        """Return the name and data of each frame, including the closing one."""
        named = [(_name(event), event if isinstance(event, bytes) else compact(event)) for event in self.events]
        return [*named, ("done", DONE)] if self.done else named

    def frames(self) -> list[bytes]:
        """Return the frames in the usual form: LF line ends, one data line each."""
        return [encode(name, data) for name, data in self.payloads()]

    def data(self) -> bytes:
        """Return the whole stream as bytes."""
        return b"".join(self.frames())

    def having(self, *events: Event | bytes, breaks: str, done: bool = True) -> EventStream:
        """Return the same stream with other events, which break a rule."""
        return replace(self, events=events, breaks=breaks, done=done)


def compact(event: Event) -> bytes:
    """Encode an event the way a service does."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _name(event: Event | bytes) -> str:
    return "done" if isinstance(event, bytes) else str(event.get("event_type", "message"))
