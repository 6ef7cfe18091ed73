"""A run as its listeners keep it: fills up while events pass, and is whole once the run has finished.

Layer 5. The formats that need the end before they can begin (JSON, JUnit, HTML, Markdown, badge) are functions
of a finished `Story`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.runner.capabilities import Capabilities
from harness.runner.events import Event, Probed, RunFinished, RunStarted, TargetInfo
from harness.wire.mask import Mask
from harness.wire.secrets import SecretFields


@dataclass(slots=True)
class Story:
    """What has been said so far; `target` and `finished` are None until their events came."""

    secret_fields: SecretFields = field(default_factory=SecretFields)
    target: TargetInfo | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    finished: RunFinished | None = None
    mask: Mask = field(default_factory=Mask)

    def hear(self, event: Event) -> None:
        """Take in one event."""
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
        """The two ends of a finished run. Raises RuntimeError before it has finished."""
        if self.target is None or self.finished is None:
            raise RuntimeError("the run has not finished: a report of half a run would look whole")
        return self.target, self.finished
