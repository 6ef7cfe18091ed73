"""A run that was put together from its shards, ready to be reported like any other. Layer 6, a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from harness.engine.capabilities import Capabilities
from harness.engine.events import RunEvent
from harness.report.commands.presentation import Presentation


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRun:
    """The words of the command that the shards ran, and the events of the whole run, all at once.

    `started` is when the first shard began, None if no report says it.
    """

    presentation: Presentation
    events: tuple[RunEvent, ...]
    started: datetime | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
