"""Counts how each call was answered, so that a search can say what it never saw succeed.

Layer 4. The names of the kinds are printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from harness.wire.message import BUSY

ACCEPTED, REFUSED, LATER, FAILED, UNANSWERED = "accepted", "refused", "told to come later", "failed", "unanswered"


class AnswerCounts:
    """How each call was answered."""

    def __init__(self) -> None:
        self.by_call: dict[str, Counter[str]] = {}

    @classmethod
    def of(cls, parts: Iterable[AnswerCounts]) -> AnswerCounts:
        """The counts of several searches together."""
        whole = cls()
        for part in parts:
            for call, kinds in part.by_call.items():
                whole.by_call.setdefault(call, Counter()).update(kinds)
        return whole

    @classmethod
    def read(cls, calls: Mapping[str, Mapping[str, int]]) -> AnswerCounts:
        """Counts as `by_call` has them, from plain data. Raises ValueError or TypeError if they are none."""
        counts = cls()
        for call, kinds in calls.items():
            counts.by_call[str(call)] = Counter({str(kind): int(number) for kind, number in kinds.items()})
        return counts

    def add(self, call: str, status: int | None) -> None:
        """Count one answer with this status; None: none came."""
        self.by_call.setdefault(call, Counter())[_classify(status)] += 1

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.totals.values())

    @property
    def totals(self) -> Counter[str]:
        """The kinds of answers to all calls."""
        return sum(self.by_call.values(), Counter())

    @property
    def accepted(self) -> list[str]:
        """The calls that got a 2xx at least once."""
        return sorted(call for call, kinds in self.by_call.items() if kinds[ACCEPTED])

    @property
    def never_accepted(self) -> list[str]:
        """The calls that never got one."""
        return sorted(call for call, kinds in self.by_call.items() if not kinds[ACCEPTED])


def _classify(status: int | None) -> str:
    if status is None:
        return UNANSWERED
    if status in BUSY:
        return LATER
    if 200 <= status < 300:
        return ACCEPTED
    return REFUSED if status < 500 or status == 501 else FAILED
