"""Levels, findings, observations, verdicts: what is said about a target, as data. Layer 0."""

from harness.errors import HarnessFault, NotApplicable, NotWanted, TargetFault, Unmet, UsageFault
from harness.outcome.finding import Because, Finding, Observation, Outcome, Severity, Where
from harness.outcome.judgement import Judgement
from harness.outcome.rule import Basis, Harm, Level, Rule, Source, Subject
from harness.outcome.standing import Standing, standing_of
from harness.outcome.verdict import RAN, Exit, Verdict, exit_code, is_untested, not_judged, verdict

__all__ = [
    "Level", "Basis", "Harm", "Source", "Subject", "Rule",
    "Finding", "Where", "Severity", "Judgement", "Observation", "Outcome", "Because",
    "Verdict", "verdict", "exit_code", "is_untested", "not_judged", "Exit", "RAN",
    "Standing", "standing_of",
    "HarnessFault", "TargetFault", "UsageFault", "Unmet", "NotApplicable", "NotWanted",
]  # fmt: skip
