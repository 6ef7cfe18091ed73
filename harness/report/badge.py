"""A shields.io endpoint badge: how many of the MUST checks passed or failed.

Layer 6.
"""

from __future__ import annotations

from harness.outcome import FIRST_WORDS, Accounted, Exit
from harness.report.accounting import CountedResult, list_other_failures
from harness.report.commands.presentation import PresentedRun
from harness.report.json_report import dump

_COLORS = {Exit.OK: "brightgreen", Exit.FAILED: "red"}
_HOLES = "green"
"""The color of a run that passed without testing every MUST check."""


def render(state: PresentedRun) -> str:
    """The badge as JSON; grey if nothing ran or the harness erred, because that says nothing about the target."""
    _, finished = state.whole()
    musts = state.accounting.musts
    total, passed = sum(musts.values()), musts.get(Accounted.PASSED, 0)
    failed = musts.get(Accounted.FAILED, 0)
    color = _COLORS.get(finished.exit, "lightgrey")
    if finished.exit is Exit.OK and passed < total:
        color = _HOLES
    if finished.exit in (Exit.NOTHING_RAN, Exit.UNREACHABLE):
        message = FIRST_WORDS[finished.exit].lower()
    elif failed:
        message = f"{failed} of {total} MUST failed"
    else:
        others = list_other_failures(map(CountedResult.of, finished.results))
        message = "; ".join((f"{passed} of {total} MUST passed", *others))
    label = state.presentation.badge.format(api=state.api.title.lower())
    return dump({"schemaVersion": 1, "label": label, "message": message, "color": color})
