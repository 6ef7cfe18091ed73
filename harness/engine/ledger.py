"""The ledger of a run: how many results were judged, and where the others stand.

Layer 4, pure. Nothing is green because it was not looked at: every result stands in one row, and the rows add up
to the results. Must not know how a row is worded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.engine.results import Result
from harness.outcome import Level, Outcome, Standing, Verdict


@dataclass(frozen=True, slots=True)
class Ledger:
    """The results of a run by their standing, in their order."""

    rows: Mapping[Standing, tuple[Result, ...]]

    @classmethod
    def of(cls, results: Iterable[Result]) -> Ledger:
        """The ledger of these results."""
        rows: dict[Standing, list[Result]] = {standing: [] for standing in Standing}
        for result in results:
            rows[result.standing].append(result)
        return cls({standing: tuple(found) for standing, found in rows.items()})

    @property
    def not_done(self) -> tuple[Result, ...]:
        """What the target accepted and did not do."""
        return tuple(result for result in self.rows[Standing.JUDGED] if result.not_done)

    @property
    def wanted_musts(self) -> tuple[Result, ...]:
        """Every MUST that the user did not leave out."""
        return tuple(
            result
            for standing, results in self.rows.items()
            for result in results
            if standing is not Standing.NOT_ASKED and result.rule.level is Level.MUST
        )

    @property
    def unasked_musts(self) -> tuple[Result, ...]:
        """Every MUST that was chosen, and that needs what the user did not give, such as a second key."""
        return tuple(
            result
            for result in self.rows[Standing.NOT_ASKED]
            if result.rule.level is Level.MUST and result.observation.outcome is Outcome.NOT_APPLICABLE
        )

    @property
    def judged_musts(self) -> tuple[Result, ...]:
        """Every MUST that was judged."""
        return tuple(result for result in self.wanted_musts if result.standing is Standing.JUDGED)

    @property
    def broken_musts(self) -> tuple[Result, ...]:
        """Every MUST that was judged and is broken, without those that the baseline excuses."""
        return tuple(
            result
            for result in self.judged_musts
            if result.verdict is Verdict.FAIL and result.observation.outcome is Outcome.NOT_MET
        )

    @property
    def excused_musts(self) -> tuple[Result, ...]:
        """Every MUST that is broken, and that the baseline excuses."""
        return tuple(result for result in self.judged_musts if result.verdict is Verdict.XFAIL)

    @property
    def untested_musts(self) -> tuple[Result, ...]:
        """Every MUST that nobody looked at though the target does not refuse it, or that had no answer."""
        open_rows = (Standing.UNTESTED, Standing.NO_ANSWER)
        return tuple(result for result in self.wanted_musts if result.standing in open_rows)

    @property
    def reasons(self) -> int:
        """For how many different reasons MUSTs are broken: findings that another one caused are no reason."""
        return len({_reason_of(result) for result in self.broken_musts})

    def blocked_by(self, root: Result) -> int:
        """How many results the finding of one blocks."""
        codes = {finding.stable_code for finding in root.observation.findings}
        return sum(result.observation.cause in codes for result in self.rows[Standing.BLOCKED])


def _reason_of(result: Result) -> str:
    findings = result.observation.findings
    first = next((finding for finding in findings if not finding.cause), findings[0])
    return result.observation.cause or first.cause or first.stable_code
