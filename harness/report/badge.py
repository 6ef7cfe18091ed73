"""A shields.io endpoint badge: how many of the results that were judged have passed.

Layer 6.
"""

from __future__ import annotations

from harness.outcome import RAN, Exit, Verdict
from harness.report.json_report import dump
from harness.report.run_state import RunState

_COLOURS = {Exit.OK: "brightgreen", Exit.FAILED: "red"}


def render(state: RunState) -> str:
    """The badge as JSON; grey if nothing ran or the harness erred, because that says nothing about the target."""
    _, finished = state.whole()
    counts = finished.counts
    ran = sum(number for verdict, number in counts.items() if verdict in RAN)
    colour = _COLOURS.get(finished.exit, "lightgrey")
    message = f"{counts[Verdict.PASS]}/{ran} passed" if ran else "nothing ran"
    label = state.presentation.badge.format(api=state.api.title.lower())
    return dump({"schemaVersion": 1, "label": label, "message": message, "color": colour})
