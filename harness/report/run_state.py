"""The state of a run, collected from its events; it is complete once the run has finished.

Layer 6. The formats that can only be written after the end (JSON, JUnit, HTML, Markdown, badge) are functions of
a finished `Story`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.engine.capabilities import Capabilities
from harness.engine.events import Event, Probed, RunFinished, RunStarted, TargetInfo
from harness.wire.mask import Mask
from harness.wire.secret_patterns import SecretFields


@dataclass(slots=True)
class Story:
    """What the events have said so far; `target` and `finished` are None until their events come."""

    secret_fields: SecretFields = field(default_factory=SecretFields)
    target: TargetInfo | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    finished: RunFinished | None = None
    mask: Mask = field(default_factory=Mask)

    def hear(self, event: Event) -> None:
        """Record one event."""
        match event:
            case RunStarted(target):
                self.target = target
                self.mask = Mask(target.secrets, self.secret_fields)
            case Probed(capabilities):
                self.capabilities = capabilities
            case RunFinished():
                self.finished = event
            case _:
                pass

    def whole(self) -> tuple[TargetInfo, RunFinished]:
        """The target and the final event of a finished run. Raises RuntimeError before the run has finished."""
        if self.target is None or self.finished is None:
            raise RuntimeError("the run has not finished: a report of half a run would look whole")
        return self.target, self.finished
