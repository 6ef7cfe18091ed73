"""The fuzzer's rules: the contract's, two for any HTTP service, and two for the neighbouring resources.

Layer 4.
"""

from __future__ import annotations

from harness.contract.rules import BY_ID
from harness.outcome import Basis, Level, Rule, Source

ANSWERED = "fuzz.answered"
NO_CRASH = "fuzz.no-5xx"
KEPT = "fuzz.kept"
SHAPE = "fuzz.shape"

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
    Rule(
        id=KEPT,
        level=Level.SHOULD,
        statement="A resource beside interactions can be read once created, and is gone once deleted.",
        breaks="Agents, environments, credentials, webhooks and triggers cannot be managed.",
        source=Source(Basis.SCHEMA, "google-genai 3.3.0", "agents, webhooks …: create, get, delete"),
    ),
    Rule(
        id=SHAPE,
        level=Level.SHOULD,
        statement="An answer about a resource beside interactions has the form of its published type.",
        breaks="A typed client cannot parse the answer, or drops what it says.",
        source=Source(Basis.SCHEMA, "google-genai 3.3.0", "Agent, Environment, Webhook …"),
    ),
)

SEARCHED = Rule(
    id="fuzz.searched",
    level=Level.MUST,
    statement="An engine plays enough to prove something.",
    breaks="A search of refusals alone looks like a search without findings.",
    source=Source(Basis.GENERIC, "Fuzzing", "Vacuity"),
)
"""What a run says of each of its engines; no finding is about it."""

_OWN = {rule.id: rule for rule in RULES}


def rule_of(rule_id: str) -> Rule:
    """The rule of a finding."""
    return _OWN.get(rule_id) or BY_ID[rule_id]
