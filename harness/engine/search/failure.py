"""The results of a search: failures, each with the smallest history that shows it, and a record of each engine.

Layer 4, values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.engine.search.rules import rule_of
from harness.outcome import Finding, Observation, Severity, Verdict, verdict
from harness.strategies.operations import Operation
from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One broken promise. `history` reproduces it on any target; it is empty if only the requests are known.

    `trail` holds the exchanges of the smallest history, in order. `known`: it was stored by an earlier run. Unless
    `shrunk`, a smaller history may show it too: the time or the number of tries ran out first.
    """

    engine: str
    finding: Finding
    history: tuple[Operation, ...] = ()
    trail: tuple[Exchange, ...] = ()
    known: bool = False
    shrunk: bool = True

    @property
    def key(self) -> str:
        """What distinguishes it from other failures."""
        return key_of(self.finding)

    @property
    def rule(self) -> str:
        """The id of the rule that is broken."""
        return self.finding.rule

    def verdict(self, *, strict: bool = False) -> Verdict:
        """What it means for the run, by the same table as for checks."""
        rule = rule_of(self.rule)
        return verdict(Observation.of([self.finding]), rule.level, rule.source.basis, strict=strict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What one engine did. `counts` has names of the engine's choice; `vacuous` says why it proves nothing."""

    engine: str
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    vacuous: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Broken(Exception):
    """Raised inside Hypothesis to stop and shrink a history; carries everything a `Failure` needs.

    Hypothesis tells bugs apart by the type and location of the exception, so each rule gets its own subclass.
    """

    def __init__(self, finding: Finding, history: tuple[Operation, ...], trail: tuple[Exchange, ...]) -> None:
        super().__init__(f"{finding.rule}: {finding.message}")
        self.finding = finding
        self.history = history
        self.trail = trail

    def failure(self, engine: str) -> Failure:
        """This bug as a `Failure`."""
        return Failure(engine=engine, finding=self.finding, history=self.history, trail=self.trail)


def key_of(finding: Finding) -> str:
    """The rule, with `?` if it is broken only in a strict reading: the two cases count as different failures."""
    return finding.rule if finding.severity is Severity.BROKEN else f"{finding.rule}?"


_KINDS: dict[str, type[Broken]] = {}


def broken(finding: Finding, history: tuple[Operation, ...], trail: tuple[Exchange, ...]) -> Broken:
    """The exception for a finding, of the type for its rule."""
    kind = _KINDS.get(key_of(finding))
    if kind is None:
        kind = _KINDS[key_of(finding)] = type(f"Broken[{key_of(finding)}]", (Broken,), {})
    return kind(finding, history, trail)
