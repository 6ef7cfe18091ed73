"""Judges what is posted to a webhook: its signature, by either scheme, and its envelope.

Pure. Static webhooks: Standard Webhooks (HMAC-SHA256 over id, timestamp and the raw body). Dynamic ones: a compact
JWS with RS256, whose key is in a published set. Its claims are not documented, so they are left alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from harness.contract.contract import Contract
from harness.contract.judge.body import judge_ambiguous
from harness.outcome import Finding, Unmet
from harness.wire import Headers, Request, bodies

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SECRET_PREFIX = "whsec_"
VERSION = "v1"
TOLERANCE = 300
"""Seconds by which the time of a delivery may be off; the guide has receivers refuse what is older."""

ENVELOPE = "webhooks/delivery"


def find_signature_fault(secrets: Iterable[str], headers: Headers, body: bytes) -> str:
    """The defect of a delivery that one of `secrets` should have signed, "" if a signature is right."""
    for name in (ID, TIMESTAMP, SIGNATURE):
        if not headers.get(name):
            return f"the header {name} is missing"
    if not headers.get(TIMESTAMP).isdecimal():
        return f"{TIMESTAMP} is not in unix seconds"
    entries = [entry.partition(",") for entry in headers.get(SIGNATURE).split()]
    given = [value for version, _, value in entries if version == VERSION]
    if not given:
        return f"{SIGNATURE} contains no entry `{VERSION},…`"
    signed = f"{headers.get(ID)}.{headers.get(TIMESTAMP)}.".encode() + body
    for secret in secrets:
        right = compute_signature(secret, signed)
        if any(hmac.compare_digest(right, value.encode()) for value in given):
            return ""
    return "no signature matches the secret of the webhook"


def compute_signature(secret: str, signed: bytes) -> bytes:
    """The HMAC of what is signed, in base64. Raises Unmet if the secret is not `whsec_` and base64."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise Unmet("the signing secret is not base64 after whsec_, so the key is unknown") from None
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def find_token_fault(token: str, jwks: Any) -> str:
    """The defect of the token of a dynamic webhook, "" if its signature is right; its claims are not judged.

    `jwks` is the JSON value of the published key set.
    """
    import jwt

    if not token:
        return "the header Webhook-Signature is missing"
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        return "the token is not a compact JWS"
    if header.get("alg") != "RS256":
        return f"the token is signed with {header.get('alg')}, not with RS256"
    keys = bodies.objects_in(bodies.as_object(jwks).get("keys"))
    named = [key for key in keys if key.get("kid") == header.get("kid")]
    if not named:
        return f"no published key has the kid {header.get('kid')!r}"
    try:
        key = jwt.PyJWK(named[0], algorithm="RS256").key
        jwt.PyJWS().decode(token, key, algorithms=["RS256"])
    except jwt.PyJWTError as wrong:
        return f"the token does not verify: {wrong}"
    return ""


def judge_envelope(request: Request, interaction_id: str, contract: Contract) -> list[Finding]:
    """Findings about the body of a delivery that concerns an interaction."""
    parsed = bodies.loads(request.body)
    if parsed.fault:
        return [Finding.from_code("hook.envelope/json", "the body is not JSON", "a JSON object", parsed.fault)]
    value = parsed.value
    if ambiguous := judge_ambiguous("hook.envelope/twice", "body", request.body, value):
        return ambiguous
    found = [
        problem.finding("hook.envelope") for problem in contract.schemas.validator(ENVELOPE).review(value).problems
    ]
    if found:
        return found
    if value["data"]["id"] != interaction_id:
        actual = str(value["data"]["id"])[:80]
        found.append(Finding.from_code("hook.envelope/id", "data.id is a different id", interaction_id, actual))
    if value["version"] != VERSION:
        actual = str(value["version"])[:40]
        found.append(
            Finding.from_code("hook.envelope/version", "the delivery has another version", VERSION, actual)
        )
    return found
