"""Links the findings on one stream: what an earlier defect made unavoidable names it as its cause.

Layer 1, pure. Knows the table of causes; must not know how a stream is judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.contract.tables.causes import may_cause
from harness.outcome import Finding


def with_causes(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of one stream in their order, each with its cause; a cause weighs one more for each of them."""
    causes = [_cause_of(finding, findings) for finding in findings]
    caused = Counter(number for number in causes if number is not None)
    return tuple(
        replace(
            finding,
            cause="" if number is None else findings[number].stable_code,
            weight=finding.weight + caused[place],
        )
        for place, (finding, number) in enumerate(zip(findings, causes, strict=True))
    )


def _cause_of(finding: Finding, findings: Sequence[Finding]) -> int | None:
    """The number of the first finding that makes this one unavoidable."""
    for number, other in enumerate(findings):
        if (
            other is not finding
            and _comes_before(other, finding)
            and may_cause(other.stable_code, finding.stable_code)
        ):
            return number
    return None


def _comes_before(first: Finding, second: Finding) -> bool:
    """Whether it is known to be at an event no later; what has no event is about the end of the stream."""
    if first.where.event is None:
        return False
    return second.where.event is None or first.where.event <= second.where.event
