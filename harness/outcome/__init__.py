"""Levels, findings, observations, verdicts: what is said about a target, as data. Layer 0."""

from harness.outcome.fault import HarnessFault, TargetFault, Unmet, UsageFault
from harness.outcome.finding import Finding, Observation, Outcome, Severity, Where
from harness.outcome.judgement import Judgement
from harness.outcome.rule import Basis, Level, Rule, Source
from harness.outcome.verdict import RAN, Exit, Verdict, exit_code, not_judged, verdict

__all__ = [
    "Level", "Basis", "Source", "Rule",
    "Finding", "Where", "Severity", "Judgement", "Observation", "Outcome",
    "Verdict", "verdict", "exit_code", "not_judged", "Exit", "RAN",
    "HarnessFault", "TargetFault", "UsageFault", "Unmet",
]  # fmt: skip
