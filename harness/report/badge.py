"""A shields.io endpoint badge: the sum of a run in a few words."""

from __future__ import annotations

from harness.outcome import Exit
from harness.outcome.words import dump
from harness.report.presented_run import PresentedRun

_COLORS = {Exit.OK: "brightgreen", Exit.FAILED: "red"}
_HOLES = "green"
"""The color of a run that passed without testing every MUST check."""


def render(state: PresentedRun) -> str:
    """The badge as JSON; gray if nothing ran or the harness erred: that proves nothing about the target."""
    _, finished = state.whole()
    passed = finished.exit is Exit.OK
    color = _HOLES if passed and not state.is_whole else _COLORS.get(finished.exit, "lightgrey")
    label = state.badge.format(api=state.api.title.lower())
    return dump({"schemaVersion": 1, "label": label, "message": state.score, "color": color})
