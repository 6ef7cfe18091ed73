"""The rules a fuzzer judges by: the contract's, and two that hold of any HTTP service.

Layer 4.
"""

from __future__ import annotations

from harness.contract.rules import BY_ID
from harness.outcome import Basis, Level, Rule, Source

ANSWERED = "fuzz.answered"
NO_CRASH = "fuzz.no-5xx"

RULES: tuple[Rule, ...] = (
    Rule(
        id=ANSWERED,
        level=Level.MUST,
        statement="Each request is answered, and each answer comes to an end.",
        breaks="A client waits until its own timeout, and cannot tell a slow service from a dead one.",
        source=Source(Basis.GENERIC, "RFC 9110", "3.4 Messages"),
    ),
    Rule(
        id=NO_CRASH,
        level=Level.MUST,
        statement="No request makes the service itself fail (a 5xx other than 501, 503 and 504).",
        breaks="A request that only this client sends brings down what others use, and retrying makes it worse.",
        source=Source(Basis.GENERIC, "RFC 9110", "15.6 Server Error 5xx"),
    ),
)

_OWN = {rule.id: rule for rule in RULES}


def rule_of(rule_id: str) -> Rule:
    """The rule of a finding."""
    return _OWN.get(rule_id) or BY_ID[rule_id]
