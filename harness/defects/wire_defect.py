"""One generated defect as a value: what is changed, in which scene, and when.

Layer 2, values only; `wrapped_service` puts them on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.defects.scenes import Scene

EVERY, FIRST, RANDOM = WHENS = ("every time", "first time", "at random")

BODY, EVENT, STREAM, STATUS, REQUEST, ROUTE, ODDITY = (
    "field", "event field", "event", "status", "request field", "route", "oddity",
)  # fmt: skip
"""What a defect changes; an oddity changes what a legal server may write in another way."""


@dataclass(frozen=True, slots=True)
class WireDefect:
    """One defect; hashable, so that it can be sent between processes.

    `field` is what the operator changes: the path of a member, `type: path` for a member of an event, the type of
    an event, an HTTP status, or a query parameter. `value` is what replaces it, as JSON.
    """

    part: str
    operator: str
    scene: Scene
    field: str = ""
    value: str = ""
    when: str = EVERY
    seed: int = 0

    @property
    def id(self) -> str:
        """Everything that tells it from others, in one line."""
        what = " ".join(filter(None, (self.operator, self.part, self.field)))
        given = f" to {self.value}" if self.value else ""
        place = " | ".join((self.scene.call or "all calls", self.scene.mode, self.scene.moment))
        return f"{what}{given} | {place} | {self.when}"

    @property
    def target(self) -> str:
        """The field that a score is kept for."""
        return f"{self.part} {self.field}".strip()

    def to_record(self) -> dict[str, Any]:
        """The defect as members of a report."""
        call, mode, moment = self.scene
        return {
            "operator": self.operator,
            "part": self.part,
            "field": self.field,
            "value": self.value,
            "call": call,
            "mode": mode,
            "moment": moment,
            "when": self.when,
        }
