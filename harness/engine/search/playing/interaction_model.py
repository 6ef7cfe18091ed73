"""What a client knows of each interaction it created and of each stream it opened.

Layer 4, values only. Nothing here is taken as true: it is what the target said, to be compared with what it says
next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contract import RUNNING, is_settled
from harness.wire import LiveStream

Json = dict[str, Any]
Event = Mapping[str, Any]


@dataclass(eq=False, slots=True)
class Known:
    """One interaction.

    `status` is the last one seen, `steps` the output of the settled run, and `told_by` the rule that is broken if
    the next look shows other steps; it depends on where these came from. `cancelled`: a cancel was accepted while
    it ran. `read_on`: a stream of it was read since the last look, which may have advanced the run. `timeline`
    holds its events from the first, as far as seen; those from `pieced_from` on were first seen in a resumed
    reading, so that no other reading confirms them.
    """

    id: str
    background: bool = False
    stored: bool = True
    parent: Known | None = None
    status: str = ""
    steps: list[Json] | None = None
    told_by: str = ""
    usage: Json | None = None
    gone: bool = False
    cancelled: bool = False
    looks_since_cancel: int = 0
    read_on: bool = False
    timeline: list[Event] = field(default_factory=list)
    whole: bool = False
    pieced_from: int | None = None

    def pieced(self, position: int) -> bool:
        """Whether the event at `position` was first seen in a resumed reading."""
        return self.pieced_from is not None and position >= self.pieced_from

    @property
    def there(self) -> bool:
        """Whether the target should have it: it is stored, not deleted, and has an id."""
        return self.stored and not self.gone and bool(self.id)

    @property
    def running(self) -> bool:
        """Whether it was in progress at the last look."""
        return self.status in RUNNING

    @property
    def settled(self) -> bool:
        """Whether it had settled at the last look."""
        return is_settled(self.status)

    @property
    def calls(self) -> list[Json]:
        """The function calls that wait for a result."""
        if self.status != "requires_action":
            return []
        answered = {step.get("call_id") for step in self.steps or () if step.get("type") == "function_result"}
        return [
            step for step in self.steps or ()
            if step.get("type") == "function_call" and isinstance(step.get("id"), str) and step["id"] not in
            answered ]  # fmt: skip

    def forget(self) -> None:
        """Mark it as deleted, and forget all that was known of it."""
        self.gone, self.status, self.steps, self.usage, self.told_by = True, "", None, None, ""
        self.timeline, self.whole, self.cancelled, self.read_on, self.pieced_from = [], False, False, False, None

    def position_after(self, cursor: str) -> int | None:
        """The position in the timeline after the event with this cursor; None if there is no such event."""
        for number, event in enumerate(self.timeline):
            if event.get("event_id") == cursor:
                return number + 1
        return None


@dataclass(eq=False, slots=True)
class Reader:
    """One stream that was opened and is read in parts.

    `position` is where its next event belongs in the timeline, None if that is no longer known. `after` is the
    cursor it was opened with, `cursor` the last one it saw. It is `fresh` until its first events arrive.
    """

    of: Known
    stream: LiveStream
    position: int | None
    after: str | None = None
    cursor: str | None = None
    closed: bool = False
    fresh: bool = True
