"""What identifies a defect in a search: its code, the call whose answer shows it, and where in the answer.

Layer 4. The sentence of a finding never counts, nor do numbers of steps and events: one defect is counted as one,
however often it is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.outcome import Finding, Severity


@dataclass(frozen=True, slots=True)
class SeenDefect:
    """A finding, and the call whose answer shows it; "" if that is unknown."""

    finding: Finding
    call: str = ""

    @property
    def rule(self) -> str:
        """The id of the rule that is broken."""
        return self.finding.rule

    @property
    def name(self) -> str:
        """The code, with `?` if it is broken only in a strict reading."""
        return mark_strict(self.finding, self.finding.stable_code)

    @property
    def key(self) -> str:
        """What is equal for equal defects, as text; the two readings of a rule are different defects."""
        _, call, pointer = self.finding.kind(self.call)
        return " ".join(filter(None, (self.name, call, pointer)))


def mark_strict(finding: Finding, name: str) -> str:
    """The name, with `?` if the finding breaks its rule only in a strict reading."""
    return name if finding.severity is Severity.BROKEN else f"{name}?"
