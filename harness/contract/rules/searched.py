"""Rules of the resources beside interactions that only a search judges: no check sends what would show a breach.

Layer 1. Data only. They are no part of the catalogue, which has a check for each of its rules.
"""

from __future__ import annotations

from harness.outcome import Basis, Level, Rule, Source

KEPT = "fuzz.kept"
SHAPE = "fuzz.shape"

RULES: tuple[Rule, ...] = (
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
