"""Rules of what is delivered to webhooks: signatures, envelopes, retries.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import WEBHOOKS
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="hook.delivery",
        level=Level.SHOULD,
        statement="The end of a background run is posted to each webhook that subscribes to it.",
        breaks="Whoever relies on the webhook instead of polling never learns that the run is over.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Receive events"),
    ),
    Rule(
        id="hook.signature",
        level=Level.MUST,
        statement="A delivery is signed with the webhook's secret: HMAC-SHA256 over id, timestamp and raw body.",
        breaks="Receivers that verify refuse every delivery; those that do not take forged ones.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Verify signatures"),
    ),
    Rule(
        id="hook.envelope",
        level=Level.SHOULD,
        statement="A delivery says its type, version and timestamp, and in data.id what it is about.",
        breaks="Handlers cannot tell what happened, or to which interaction.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Payload"),
    ),
    Rule(
        id="hook.event-status",
        level=Level.SHOULD,
        statement="The event of a delivery fits the status in which the run has settled.",
        breaks="A handler waits for the tool call, or fetches a result, that is not there.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Events"),
    ),
    Rule(
        id="hook.retry",
        level=Level.MAY,
        statement="A delivery that is not answered with 2xx is made again under the same webhook-id.",
        breaks="A receiver that restarts loses events; with another id it handles them twice.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Retries"),
    ),
    Rule(
        id="hook.rotation",
        level=Level.SHOULD,
        statement="After a rotation, deliveries are signed with the new secret, perhaps beside the old one.",
        breaks="Whoever takes over the new secret refuses every delivery.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Rotate the signing secret"),
    ),
    Rule(
        id="hook.dynamic-jwt",
        level=Level.SHOULD,
        statement="A delivery to a URI of webhook_config carries an RS256 token by a published key.",
        breaks="Receivers of single jobs cannot tell a delivery from a forged one.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Dynamic webhooks"),
    ),
)
