"""The fuzzer's rules: those of the API, those that only a search of it judges, and two for any HTTP service.

Layer 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.kit.api import Api
from harness.outcome import Basis, Finding, Level, Rule, Severity, Source

ANSWERED = "fuzz.answered"
NO_CRASH = "fuzz.no-5xx"

RULES: tuple[Rule, ...] = (
    Rule(
        id=ANSWERED,
        level=Level.MUST,
        statement="The server responds to each request, and each response ends.",
        breaks="A client waits until its own timeout, and cannot distinguish a slow service from a stopped one.",
        source=Source(Basis.GENERIC, "RFC 9110", "3.4 Messages"),
    ),
    Rule(
        id=NO_CRASH,
        level=Level.MUST,
        statement="No request causes a server error (a 5xx other than 501, 503 and 504).",
        breaks="A request of one client can stop the service for others, and retries make it worse.",
        source=Source(Basis.GENERIC, "RFC 9110", "15.6 Server Error 5xx"),
    ),
)

SEARCHED = Rule(
    id="fuzz.searched",
    level=Level.MUST,
    statement="An engine sends enough requests to prove something.",
    breaks="A search with only rejected requests looks like a search without findings.",
    source=Source(Basis.GENERIC, "Fuzzing", "Vacuity"),
)
"""What a run says of each of its engines; no finding is about it."""

_OWN = {rule.id: rule for rule in RULES}


def list_rules(api: Api) -> dict[str, Rule]:
    """Every rule that a finding of a search may break, by id."""
    return {**api.load_rules(), **api.load_search().rules, **_OWN}


RANK: Mapping[Level, int] = {Level.MAY: 0, Level.SHOULD: 1, Level.MUST: 2}
"""Levels by how binding they are."""


def rule_of(rule_id: str, api: Api) -> Rule:
    """The rule of a finding."""
    return _OWN.get(rule_id) or api.load_search().rules.get(rule_id) or api.load_rules()[rule_id]


# What identifies a defect in a search: its code, the call whose answer shows it, and where in the answer.
# The sentence of a finding never counts, nor do numbers of steps and events: one defect is counted as one,
# however often it is seen.


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
