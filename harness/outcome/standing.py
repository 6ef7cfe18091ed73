"""Where a result stands in the ledger of a run: judged, or why not.

Layer 0. Nothing may be green because it was not looked at, so every result stands in exactly one row, and the rows
of a ledger add up to its results.
"""

from __future__ import annotations

from enum import StrEnum

from harness.outcome.finding import Because, Observation, Outcome


class Standing(StrEnum):
    """A row of the ledger."""

    JUDGED = "judged"
    REFUSED = "refused"
    """The target refuses what it needs: not offered, which is its right."""

    BLOCKED = "blocked"
    """What it needs was accepted and not done; the finding that says so is told once."""

    NO_ANSWER = "no_answer"
    """No answer came in time, or the run did not come to it."""

    UNTESTED = "untested"
    """It could not be tested, though nothing was refused."""

    NOT_ASKED = "not_asked"
    """The user left it out."""

    ERRED = "erred"
    """The harness failed."""


_OUTCOMES = {
    Outcome.EXCLUDED: Standing.NOT_ASKED,
    Outcome.BLOCKED: Standing.BLOCKED,
    Outcome.ERROR: Standing.ERRED,
}
_REASONS = {
    Because.REFUSED: Standing.REFUSED,
    Because.LEFT_OUT: Standing.NOT_ASKED,
    Because.NO_ANSWER: Standing.NO_ANSWER,
    Because.OUR_LIMIT: Standing.NO_ANSWER,
    Because.NOT_TRIED: Standing.NO_ANSWER,
}
_JUDGED = frozenset({Outcome.MET, Outcome.NOT_MET, Outcome.NON_STRICT})


def standing_of(observation: Observation) -> Standing:
    """The row of the ledger that an observation belongs to."""
    if observation.outcome in _JUDGED:
        return Standing.JUDGED
    return _OUTCOMES.get(observation.outcome) or _REASONS.get(observation.because, Standing.UNTESTED)
