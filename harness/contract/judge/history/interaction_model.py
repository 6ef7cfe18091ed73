"""What a client knows of each interaction it has seen: the last status, the output, the events.

Layer 1, values only. Nothing here is taken as true: it is what the target said, to be compared with what it says
next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.contract.judge.agreement import pending_calls
from harness.contract.judge.history.timeline import Timeline
from harness.contract.tables.lifecycle import RUNNING, is_settled

Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class InteractionModel:
    """One interaction.

    `status` is the last one seen. `steps` and `usage` are those of the settled run as last seen, and `source` the
    rule that is broken if the next look shows others; it depends on where these came from. `with_input`: that look
    asked for the input, too. `updated` is the time of the last change as last seen. `cancelled`: a cancel was
    accepted while it ran; `in_time`: for certain, so that no race explains another end. `read_on`: a stream of it
    was read since the last look, which may have advanced the run. `echoed`: some answer named its parent.

    `constant` holds what each view of it must show the same, as first seen. `growing` is what the last look at the
    run in progress showed. `shown_cancelled`: a look showed it as cancelled, not only the answer to the cancel.
    `told`: only a stream said the status. `seen_until` is when the last whole look ended, on the caller's clock.

    `suspicion` is the rule that is broken if the next look shows that it is still running: a request was answered
    as if it had settled.
    """

    id: str
    background: bool = False
    stored: bool = True
    parent: InteractionModel | None = None
    status: str = ""
    steps: list[Json] | None = None
    usage: Any = None
    source: str = ""
    with_input: bool = False
    updated: object = None
    gone: bool = False
    cancelled: bool = False
    in_time: bool = False
    looks_since_cancel: int = 0
    read_on: bool = False
    echoed: bool = False
    suspicion: str = ""
    constant: Json = field(default_factory=dict)
    growing: Json | None = None
    shown_cancelled: bool = False
    told: bool = False
    seen_until: float = float("-inf")
    timeline: Timeline = field(default_factory=Timeline)

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
        return [call for call in pending_calls(self.steps or ()) if isinstance(call.get("id"), str)]

    def forget(self) -> None:
        """Mark it as deleted, and forget all that was known of it."""
        self.gone, self.status, self.steps, self.usage, self.source = True, "", None, None, ""
        self.updated = self.growing = None
        self.cancelled = self.in_time = self.read_on = self.shown_cancelled = self.told = False
        self.suspicion, self.timeline, self.constant = "", Timeline(), {}
