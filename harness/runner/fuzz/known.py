"""What a client knows: of each interaction it created, and of each stream it opened.

Layer 4, values only. Nothing here is believed of the target: it is what the target said, to be held against what
it says next.
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

    `status` is the last one told, `steps` the output of the settled run and `told_by` how it was learned.
    `cancelled`: a cancel was accepted while it ran. `read_on`: a stream of it was read since the last look,
    which may have moved it. `timeline` holds its events from the first, as far as seen, and `pieced_from` says
    from which on they were first seen in a resumed reading, so that nothing but that reading vouches for them.
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
        """Whether a resumed reading alone vouches for the event at `position`."""
        return self.pieced_from is not None and position >= self.pieced_from

    @property
    def there(self) -> bool:
        """Whether it can be asked for."""
        return self.stored and not self.gone and bool(self.id)

    @property
    def running(self) -> bool:
        """Whether it was going on at the last look."""
        return self.status in RUNNING

    @property
    def settled(self) -> bool:
        """Whether it was over at the last look."""
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
        """It was deleted: nothing that was known of it can be held against anything any more."""
        self.gone, self.status, self.steps, self.usage, self.told_by = True, "", None, None, ""
        self.timeline, self.whole, self.cancelled, self.read_on, self.pieced_from = [], False, False, False, None

    def position_after(self, cursor: str) -> int | None:
        """How many events of the timeline come before the one after `cursor`."""
        for number, event in enumerate(self.timeline):
            if event.get("event_id") == cursor:
                return number + 1
        return None


@dataclass(eq=False, slots=True)
class Reader:
    """One stream that was opened and is read in parts.

    `position` counts the events of the timeline before the next one; None when that cannot be known any more.
    `after` is the cursor it was opened with, `cursor` the last one it saw; `fresh` until its first events.
    """

    of: Known
    stream: LiveStream
    position: int | None
    after: str | None = None
    cursor: str | None = None
    closed: bool = False
    fresh: bool = True
