"""A shields.io endpoint badge: how many of the checks that ran have passed.

Layer 6.
"""

from __future__ import annotations

from harness.outcome import RAN, Exit, Verdict
from harness.report.json_report import dump
from harness.report.run_state import Story

_COLOURS = {Exit.OK: "brightgreen", Exit.FAILED: "red"}


def render(story: Story) -> str:
    """The badge as JSON; grey if nothing ran or the harness erred, because that says nothing about the target."""
    _, finished = story.whole()
    counts = finished.counts
    ran = sum(number for verdict, number in counts.items() if verdict in RAN)
    colour = _COLOURS.get(finished.exit, "lightgrey")
    message = f"{counts[Verdict.PASS]}/{ran} passed" if ran else "nothing ran"
    return dump({"schemaVersion": 1, "label": "interactions api", "message": message, "color": colour})
