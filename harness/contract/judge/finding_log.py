"""Findings with their places, in bounded space: if a target breaks a rule in each of a million events, some
examples are kept and the rest are counted. Layer 1.
"""

from __future__ import annotations

from collections import Counter

from harness.outcome import Finding

PER_RULE = 20
"""The most findings of one rule that are kept from one answer."""


class FindingLog:
    """The findings of a judge so far; `suppressed` counts, by rule, those beyond `PER_RULE`."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.suppressed: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()

    def counted(self, rule: str) -> bool:
        """Whether this rule has all the findings it may keep: if so, count one more, which need not be created."""
        if self._kept[rule] < PER_RULE:
            return False
        self.suppressed[rule] += 1
        return True

    def add(self, finding: Finding) -> None:
        """Keep the finding, or only count it."""
        if not self.counted(finding.rule):
            self._kept[finding.rule] += 1
            self.findings.append(finding)
