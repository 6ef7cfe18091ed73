"""Rules of stored credentials.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import CREDENTIALS, ERRORS, REFERENCE
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="cred.crud",
        level=Level.SHOULD,
        statement="A credential can be created, read, listed, changed and deleted, and is gone afterwards.",
        breaks="Secrets cannot be managed, and revoked ones stay.",
        source=CREDENTIALS.cite(Basis.DOCUMENTED, "Manage credentials"),
    ),
    Rule(
        id="cred.schema",
        level=Level.SHOULD,
        statement="Credentials, alone and in lists, fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=REFERENCE.cite(Basis.SCHEMA, "Credential, ListCredentialsResponse"),
    ),
    Rule(
        id="cred.secret-hidden",
        level=Level.MUST,
        statement="No answer about a credential holds its secret, not even that to its create.",
        breaks="Whoever may list credentials, or read a log of answers, has the secret.",
        source=CREDENTIALS.cite(Basis.DOCUMENTED, "Secrets are never returned"),
    ),
    Rule(
        id="cred.patch-type",
        level=Level.SHOULD,
        statement="A change of a credential that does not name its type is refused with 400.",
        breaks="A client that forgets the type believes that it has replaced a secret.",
        source=CREDENTIALS.cite(Basis.DOCUMENTED, "Update a credential: type"),
    ),
    Rule(
        id="cred.dup",
        level=Level.SHOULD,
        statement="A second credential under the same id is refused with 409.",
        breaks="A secret in use is replaced by accident.",
        source=CREDENTIALS.cite(Basis.DOCUMENTED, "Errors: aborted"),
    ),
    Rule(
        id="cred.unknown-field",
        level=Level.SHOULD,
        statement="A field that credentials do not have is refused with 400.",
        breaks="A misspelt header name is ignored, and the secret is sent in another header.",
        source=CREDENTIALS.cite(Basis.DOCUMENTED, "Errors: invalid_request"),
    ),
    Rule(
        id="cred.unknown",
        level=Level.SHOULD,
        statement="Reading a credential that does not exist answers 404.",
        breaks="Deployment scripts cannot tell whether a credential must be created.",
        source=ERRORS.cite(Basis.DOCUMENTED, "not_found"),
    ),
    Rule(
        id="cred.in-allowlist",
        level=Level.SHOULD,
        statement="An environment may name a credential in its allowlist.",
        breaks="Sandboxes cannot use a stored secret.",
        source=CREDENTIALS.cite(Basis.DOCUMENTED, "Use a credential: allowlist"),
    ),
)
