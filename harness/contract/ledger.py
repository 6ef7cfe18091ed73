"""Findings with their places, bounded: a target that breaks a rule in each of a million events is told once,
some examples are kept, the rest is counted. Layer 1.
"""

from __future__ import annotations

from collections import Counter

from harness.outcome import Finding

PER_RULE = 20
"""Findings of one rule that are kept from one stream."""


class Ledger:
    """What a judge has noticed so far; `suppressed` counts, by rule, what was noticed beyond `PER_RULE`."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.suppressed: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()

    def counted(self, rule: str) -> bool:
        """Whether no more is kept of this rule: then one more was counted, and nobody need word it."""
        if self._kept[rule] < PER_RULE:
            return False
        self.suppressed[rule] += 1
        return True

    def add(self, finding: Finding) -> None:
        """Keep or count it."""
        if not self.counted(finding.rule):
            self._kept[finding.rule] += 1
            self.findings.append(finding)
