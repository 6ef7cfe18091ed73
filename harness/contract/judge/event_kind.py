"""One known type of event as a stream judge keeps it: validators, handler, counters, and the review of a misfit.

Layer 1. Events are checked against the closed schema first, because that is cheap and nearly all of them pass;
only those that it rejects are reviewed: are they wrong, or merely unknown?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from harness.contract.contract import EventType
from harness.contract.judge.stream_state import readable
from harness.contract.judge.usage import list_miscounted
from harness.contract.schema.nulls import drop_nulls, null_finding
from harness.contract.schema.schemas import Schemas
from harness.contract.schema.validator import UnknownPart
from harness.contract.tables.stream_order import COMPLETED, ERROR
from harness.outcome import Finding

UNKNOWNS = 64
"""The most unknowns kept for a stream. An event type that failed the closed schema this often is then checked
against the open one."""


@dataclass(frozen=True, slots=True)
class EventReview:
    """Why the schema rejects an event, and what of it the order can read: None if that is nothing."""

    findings: tuple[Finding, ...]
    unknowns: tuple[UnknownPart, ...]
    value: dict[str, Any] | None


class EventKind:
    """The validators, handler and counters of one known event type."""

    __slots__ = (
        "_nulls", "_schema", "_schemas", "count", "fits", "handle", "kind", "misfits", "name", "resumable", "rule",
    )  # fmt: skip

    def __init__(self, event: EventType, schemas: Schemas, handle: Callable[[dict[str, Any]], None]) -> None:
        self.kind = event.name
        self.rule = "stream.error-shape" if event.name == ERROR else "stream.schema"
        self.name = event.name.encode()
        self._schemas = schemas
        self._schema = event.schema
        self.fits: Callable[[Any], bool] = schemas.validator(event.schema, closed=True).is_valid
        self.handle = handle
        self.count = 0
        self.resumable = 0
        self.misfits = 0
        self._nulls: set[str] = set()

    def trim(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The event without the nulls that were reported before; None if it does not fit without them either."""
        if not self._nulls or not self.fits(trimmed := drop_nulls(event, self._nulls)):
            return None
        known: dict[str, Any] = trimmed
        return known

    def review(self, event: dict[str, Any]) -> EventReview:
        """Examine an event that the closed schema rejects."""
        validator = self._schemas.validator(self._schema)
        review = validator.review(event)
        findings = []
        new = tuple(pointer for pointer in review.nulls if pointer not in self._nulls)
        if new and len(self._nulls) < UNKNOWNS:
            self._nulls.update(new)
            findings.append(null_finding(self.rule, new))
        legible = not review.problems or readable(self.kind, review.value)
        apart = _list_judged_apart(self.kind, review.value) if legible else ()
        findings += [problem.finding(self.rule) for problem in review.problems if problem.place not in apart]
        self.misfits += 1
        if self.misfits == UNKNOWNS:
            self.fits = validator.is_valid
        named = (replace(finding, message=f"{self.kind}: {finding.message}") for finding in findings)
        return EventReview(tuple(named), tuple(review.unknowns), review.value if legible else None)


def _list_judged_apart(kind: str, event: dict[str, Any]) -> list[str]:
    """The places in an event whose shape breaks a rule of its own: the counts that end a stream."""
    told = event.get("interaction") if kind == COMPLETED else None
    if not isinstance(told, dict) or "usage" not in told:
        return []
    return list_miscounted(told["usage"], "$.interaction.usage")
