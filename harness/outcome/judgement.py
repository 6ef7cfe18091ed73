"""What a judge of histories says about one exchange: what is wrong, and which rules it looked at to say so.

Layer 0. A rule that was judged without a finding was kept; a rule that was not judged proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from harness.outcome.finding import Finding


@dataclass(slots=True)
class Judgement:
    """The findings on one exchange; `judged` counts, by rule, how often a rule was really looked at."""

    findings: list[Finding] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)

    def decide(self, rule: str, findings: Iterable[Finding] = ()) -> bool:
        """Count the rule as judged and add what is wrong; return whether anything is.

        A finding without a rule gets this one.
        """
        added = [finding if finding.rule else replace(finding, rule=rule) for finding in findings]
        self.judged[rule] += 1
        self.findings += added
        return bool(added)

    def add(self, other: Judgement) -> None:
        """Add the results of another one to this one."""
        self.findings += other.findings
        self.judged.update(other.judged)
