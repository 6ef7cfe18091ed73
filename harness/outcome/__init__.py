"""Levels, findings, observations, verdicts: the results of a target, as data."""

from harness.errors import HarnessFault, NotApplicable, NotWanted, TargetFault, Unmet, UsageFault
from harness.outcome.finding import (
    RANK,
    Basis,
    Because,
    Finding,
    Harm,
    Judgement,
    Level,
    Observation,
    Outcome,
    Rule,
    Severity,
    Source,
    Subject,
    Where,
)
from harness.outcome.verdict import (
    FIRST_WORDS,
    RAN,
    Accounted,
    Exit,
    Reason,
    Verdict,
    account,
    exit_code,
    find_reason,
    is_judged,
    is_untested,
    not_judged,
    verdict,
    word_reason,
)

__all__ = [
    "Level", "RANK", "Basis", "Harm", "Source", "Subject", "Rule",
    "Finding", "Where", "Severity", "Judgement", "Observation", "Outcome", "Because",
    "Verdict", "verdict", "exit_code", "is_untested", "not_judged", "Exit", "RAN",
    "Accounted", "Reason", "account", "find_reason", "is_judged", "word_reason", "FIRST_WORDS",
    "HarnessFault", "TargetFault", "UsageFault", "Unmet", "NotApplicable", "NotWanted",
]  # fmt: skip
