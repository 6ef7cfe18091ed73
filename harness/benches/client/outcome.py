"""How a client can come out of a drop: the outcomes, their codes, and the rule that they keep or break.

Layer 5, values only.
"""

from __future__ import annotations

from enum import StrEnum

from harness.benches.client.exactly_once import KINDS
from harness.engine.results import Result
from harness.outcome import Basis, Level, Rule, Source


class DropOutcome(StrEnum):
    """The outcome of one case, the best first."""

    EXACT = "exact"
    """The client ended with the whole result, once and in order; or it gave up where only that is right."""

    GAVE_UP = "gave-up"
    """The client reported a failure, by a non-zero exit code or an `error`."""

    WRONG = "wrong"
    """The client reported success with a wrong result."""

    HUNG = "hung"
    """The client had to be stopped: it ran out of time, or sent requests without end."""


RULE = Rule(
    id="client.exact",
    level=Level.MUST,
    statement="However its stream drops, a client ends up with the whole result, once and in order.",
    breaks="Users read text with holes, text twice, or half a text that looks whole.",
    source=Source(Basis.DOCUMENTED, "Interactions API", "Streaming: resume after a drop with last_event_id"),
)

GAVE_UP = f"{RULE.id}/{DropOutcome.GAVE_UP}"
"""The code of a client that says that it failed."""

HUNG = ("time", "requests", "output")
"""What a client may run out of."""

CODES = (
    GAVE_UP,
    *(f"{RULE.id}/{DropOutcome.WRONG}.{word}" for word in KINDS),
    *(f"{RULE.id}/{DropOutcome.HUNG}.{word}" for word in HUNG),
)
"""The codes of all findings about a client: the outcome, and after a dot its kind."""


def outcome_of(result: Result) -> DropOutcome:
    """The outcome of a case: the word of its code before the dot."""
    findings = result.observation.findings
    if not findings:
        return DropOutcome.EXACT
    return DropOutcome(findings[0].stable_code.rpartition("/")[2].partition(".")[0])
