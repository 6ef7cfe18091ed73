"""Rules of webhook resources; those of what is delivered are in `deliveries`.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import ERRORS, SDK, WEBHOOKS
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="hook.create",
        level=Level.SHOULD,
        statement="Creating a webhook answers it with its id.",
        breaks="The webhook delivers, and nobody can change or delete it.",
        source=SDK.cite(Basis.SCHEMA, "Webhook: id"),
    ),
    Rule(
        id="hook.crud",
        level=Level.SHOULD,
        statement="A webhook can be created, read, listed, changed and deleted, and is gone afterwards.",
        breaks="Subscriptions cannot be managed, and deliveries go on for ever.",
        source=SDK.cite(Basis.SCHEMA, "webhooks: create, get, list, update, delete"),
    ),
    Rule(
        id="hook.schema",
        level=Level.SHOULD,
        statement="Webhooks, alone and in lists, fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "Webhook, ListWebhooksResponse"),
    ),
    Rule(
        id="hook.patch",
        level=Level.SHOULD,
        statement="A PATCH changes the field it names and leaves the others.",
        breaks="A renamed webhook loses its subscriptions.",
        source=SDK.cite(Basis.SCHEMA, "webhooks.update: update_mask"),
    ),
    Rule(
        id="hook.secret-once",
        level=Level.SHOULD,
        statement="new_signing_secret comes with the create and never again.",
        breaks="Without it deliveries cannot be verified; shown again, it leaks to whoever may read.",
        source=WEBHOOKS.cite(Basis.DOCUMENTED, "Create a webhook: signing secret"),
    ),
    Rule(
        id="hook.event-enum",
        level=Level.SHOULD,
        statement="An event that does not exist is refused with 400.",
        breaks="A typing error makes a subscription that never fires.",
        source=SDK.cite(Basis.SCHEMA, "WebhookInput: subscribed_events"),
    ),
    Rule(
        id="hook.unknown",
        level=Level.SHOULD,
        statement="Reading a webhook that does not exist answers 404.",
        breaks="Deployment scripts cannot tell whether a webhook must be created.",
        source=ERRORS.cite(Basis.DOCUMENTED, "not_found"),
    ),
    Rule(
        id="hook.ping",
        level=Level.SHOULD,
        statement="A ping is answered with 200 and an empty object or body.",
        breaks="A subscription cannot be tried out before it matters.",
        source=SDK.cite(Basis.SCHEMA, "webhooks.ping"),
    ),
    Rule(
        id="hook.rotate",
        level=Level.SHOULD,
        statement="Rotating the signing secret answers a new secret.",
        breaks="A leaked secret cannot be replaced.",
        source=SDK.cite(Basis.SCHEMA, "webhooks.rotate_signing_secret"),
    ),
)
