"""A shields.io endpoint badge: how many of the judged MUSTs hold, or are broken.

Layer 6.
"""

from __future__ import annotations

from harness.engine.events import RunFinished
from harness.engine.ledger import Ledger
from harness.outcome import RAN, Exit
from harness.outcome.words import format_count
from harness.report.json_report import dump
from harness.report.ledger_text import list_other_failures, say_what_holds
from harness.report.presented_run import PresentedRun

_COLOURS = {Exit.OK: "brightgreen", Exit.FAILED: "red"}
_HOLES = "green"
"""The colour of a run without a failure that did not judge every MUST."""


def render(state: PresentedRun) -> str:
    """The badge as JSON; grey if nothing ran or the harness erred, because that says nothing about the target."""
    _, finished = state.whole()
    ledger = Ledger.of(finished.results)
    ran = sum(number for verdict, number in finished.counts.items() if verdict in RAN)
    colour = _COLOURS.get(finished.exit, "lightgrey")
    wanted, judged = len(ledger.wanted_musts), len(ledger.judged_musts)
    if finished.exit is Exit.OK and judged < wanted:
        colour = _HOLES
    message = _say_in_brief(finished, ledger) if ran else "nothing ran"
    if finished.holes and finished.exit is Exit.UNREACHABLE:
        message = "not judged"
    label = state.presentation.badge.format(api=state.api.title.lower())
    return dump({"schemaVersion": 1, "label": label, "message": message, "color": colour})


def _say_in_brief(finished: RunFinished, ledger: Ledger) -> str:
    """A red badge on which no MUST is broken says what else failed."""
    judged, broken = len(ledger.judged_musts), len(ledger.broken_musts)
    if broken:
        return f"{broken} of {format_count(judged, 'judged MUST')} broken"
    said = say_what_holds(ledger, whole=finished.part is None) if judged else "no MUST was judged"
    also = list_other_failures(finished) if finished.exit is Exit.FAILED else ()
    return "; ".join((said, *also))
