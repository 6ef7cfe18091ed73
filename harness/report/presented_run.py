"""A run, and the words in which its command tells of it: what every format is made of.

Layer 6. The words are chosen by the command; a format asks for them and must not know which command it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.report.commands.presentation import Presentation
from harness.report.run_state import RunState


@dataclass(slots=True)
class PresentedRun(RunState):
    """The state of a run, with the presentation of the command that made it."""

    presentation: Presentation = field(default_factory=Presentation, kw_only=True)
