"""What happened on the wire, as the steps of a sequence diagram: messages, chunks, pauses, breaks.

Layer 6, values. A story is drawn as an ordered list and printed into the JSON report, so every step is plain text.
Secrets are hidden. Times are milliseconds since the first request, where they are known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryStep:
    """One line of the diagram.

    `kind`: `request` and `answer` are arrows, `missing` is an answer that never came, `pause` and `break` are
    bands. `lane`: `front` is between the client and what is judged, `back` behind a gateway. `quoted` is of the
    wire: a path, or the beginning of a body. `cells` are the events of one chunk. `at` is in milliseconds, None
    if it is not known. `hot`: a finding speaks of it.
    """

    kind: str
    text: str
    at: int | None = None
    lane: str = "front"
    quoted: str = ""
    detail: str = ""
    cells: tuple[str, ...] = ()
    hot: bool = False

    def record(self) -> dict[str, Any]:
        """The step as plain data, without what it does not have."""
        values = {name: value for name, value in asdict(self).items() if value not in ("", None, (), False)}
        return {**values, **({"cells": list(self.cells)} if self.cells else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The steps of a result and the names of the lanes, two or three; `about` counts in a few words."""

    lanes: tuple[str, ...]
    about: str
    steps: tuple[StoryStep, ...]

    def record(self) -> dict[str, Any]:
        """The story as plain data."""
        return {"lanes": list(self.lanes), "about": self.about, "steps": [step.record() for step in self.steps]}
