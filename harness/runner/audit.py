"""Judges every answer of a run by the rules that hold of all answers, whichever exercise brought them.

Layer 4. A check looks at the exchanges of its own exercise; but what `get.schema` promises, it promises of every
GET. So the trail of each exercise passes by here once, the contract's judges speak on each answer, and what they
find is said under the one check of that rule. Must not know how anything is printed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.checks.check import Check, Exercise
from harness.checks.judging import asked
from harness.contract import read
from harness.outcome import Finding, Observation, Outcome, Severity
from harness.runner.play import Played
from harness.wire import Exchange

MOST = 3
"""Different defects that are shown under one rule; one that repeats itself is shown once and counted."""

SETTLED = frozenset({Outcome.NOT_MET, Outcome.ERROR})
"""Outcomes of a check's own exercise that no other answer changes: a broken rule needs no second witness."""

_PROXY = frozenset({408, 411, 413, 414, 429, 431, 502, 503, 504})
"""Refusals that may come from what stands before the API, in a shape of its own."""

_INDEX = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class _Sighting:
    """One defect: where it was first seen, and in how many answers."""

    finding: Finding
    exchange: Exchange
    played: Played
    answers: int = 1

    def told(self) -> Finding:
        """The finding with its exchange named and, where there were more, their number."""
        named = self.finding.at(exchange=asked(self.exchange))
        if self.answers == 1:
            return named
        message = f"{named.message}, in this answer and {self.answers - 1} more"
        return Finding(named.rule, message, named.expected, named.actual, named.where)


@dataclass(slots=True)
class Audit:
    """What is wrong with the answers of a run, by rule; several workers may add to it.

    `rules` are those of the checks that hold everywhere. Nothing is kept of an answer that breaks none.
    """

    rules: frozenset[str]
    _found: dict[str, dict[tuple[str, ...], _Sighting]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, checks: Iterable[Check]) -> Audit:
        """The audit by those of the checks that hold everywhere."""
        return cls(frozenset(check.id for check in checks if check.everywhere))

    def note(self, exercise: Exercise, played: Played) -> None:
        """Judge all that one exercise brought."""
        if exercise.front_end:
            return
        for exchange in played.trail:
            if _is_the_apis(exchange):
                self._judge(exchange, played)

    def observe(self, check: Check, own: Observation) -> Observation:
        """What a check says once the whole run is known; `own` itself where that adds nothing."""
        sightings = self._sightings(check)
        if not sightings or own.outcome in SETTLED:
            return own
        return Observation(Outcome.NOT_MET, (*own.findings, *(sighting.told() for sighting in sightings)))

    def evidence(self, check: Check) -> tuple[Exchange, ...]:
        """The answers that show it, each with the creates whose ids it addresses."""
        shown = [exchange for s in self._sightings(check) for exchange in s.played.with_origins([s.exchange])]
        return tuple({id(exchange): exchange for exchange in shown}.values())

    def _sightings(self, check: Check) -> list[_Sighting]:
        with self._lock:
            return list(self._found.get(check.id, {}).values())[:MOST] if check.everywhere else []

    def _judge(self, exchange: Exchange, played: Played) -> None:
        reading = read(exchange)
        seen: set[tuple[str, ...]] = set()
        for finding in reading.findings:
            if finding.rule not in self.rules or finding.severity is not Severity.BROKEN:
                continue
            call = reading.operation.call if reading.operation else ""
            kind = (finding.rule, call, _INDEX.sub("[]", finding.where.pointer), finding.message)
            if kind not in seen:
                seen.add(kind)
                self._add(kind, finding, exchange, played)

    def _add(self, kind: tuple[str, ...], finding: Finding, exchange: Exchange, played: Played) -> None:
        with self._lock:
            of_rule = self._found.setdefault(finding.rule, {})
            if kind in of_rule:
                of_rule[kind].answers += 1
            elif len(of_rule) < MOST:
                of_rule[kind] = _Sighting(finding, exchange, played)


def _is_the_apis(exchange: Exchange) -> bool:
    """Whether the API itself answers a call of its own; what a resumed stream may lack, its own check says."""
    reading = read(exchange)
    if reading.operation is None or exchange.status in _PROXY:
        return False
    return reading.stream is None or reading.stream.start != "resumed"
