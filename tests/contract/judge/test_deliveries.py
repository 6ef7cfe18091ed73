"""The signatures and envelopes of deliveries, against vectors and libraries that are not ours."""

from __future__ import annotations

import datetime
import json

import jwt
import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.contract import CURRENT, load
from harness.contract.judge.deliveries import find_signature_fault, find_token_fault, judge_envelope
from harness.outcome import Unmet
from harness.wire import Headers, Request

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ROTATED = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
BODY = (
    b'{"type":"interaction.completed","version":"v1","timestamp":"2026-09-21T14:13:20Z","data":{"id":"v1_abc123"}}'
)
FIRST = "v1,7SjurhqSpn9ZTVUiG25ZYw8XWKJcxtt+z7OshAeQbJk="
SECOND = "v1,3PIIQGAwrzYuc65XuW4OyO8vd1nn0HmkhuaBfV2/00U="


def headers(signature: str = FIRST, **other: str) -> Headers:
    """The headers of the delivery that the vectors are for."""
    fields = {"id": "msg_2f9c0a7e41", "timestamp": "1790000000", "signature": signature, **other}
    return Headers((f"Webhook-{name}", value) for name, value in fields.items() if value)


@pytest.mark.parametrize("given", [FIRST, f"{SECOND} {FIRST}", f"v2,abc {FIRST}", f"v1,wrong {FIRST}"])
def test_one_right_signature_is_enough(given: str) -> None:
    """Others beside it, of other versions or secrets, do not matter."""
    assert find_signature_fault([SECRET], headers(given), BODY) == ""


def test_any_of_several_secrets_may_sign() -> None:
    assert find_signature_fault([SECRET, ROTATED], headers(SECOND), BODY) == ""


@pytest.mark.parametrize(
    ("given", "body", "fault"),
    [
        (headers(SECOND), BODY, "no signature matches"),
        (headers(), BODY + b" ", "no signature matches"),
        (headers(id="msg_other"), BODY, "no signature matches"),
        (headers(timestamp="1790000001"), BODY, "no signature matches"),
        (headers(timestamp="2026-09-21T14:13:20Z"), BODY, "not in unix seconds"),
        (headers(FIRST.replace("v1,", "")), BODY, "no entry"),
        (headers(FIRST.replace("v1,", "v2,")), BODY, "no entry"),
        (headers(signature=""), BODY, "the header webhook-signature"),
        (headers(id=""), BODY, "the header webhook-id"),
    ],
)
def test_what_is_not_signed_is_said(given: Headers, body: bytes, fault: str) -> None:
    """One changed byte, id or time, another version, or a header that is missing."""
    assert fault in find_signature_fault([SECRET], given, body)


def test_we_agree_with_the_library_of_the_standard() -> None:
    now = datetime.datetime.fromtimestamp(1790000000, datetime.UTC)
    made = standardwebhooks.Webhook(SECRET).sign("msg_2f9c0a7e41", now, BODY.decode())
    assert made == FIRST
    assert find_signature_fault([SECRET], headers(made), BODY) == ""


def test_a_secret_that_is_no_key_is_untestable() -> None:
    """Whose secret is not base64 cannot be verified, which accuses nobody."""
    with pytest.raises(Unmet, match="not base64"):
        find_signature_fault(["whsec_€"], headers(), BODY)


KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)


def jwks(key: rsa.RSAPrivateKey = KEY, kid: str = "k1") -> dict[str, object]:
    """A published set with one key."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {"keys": [{"kid": "older", "kty": "oct", "k": "AA"}, {**public, "kid": kid}]}


def token(kid: str = "k1", **claims: object) -> str:
    """A token by `KEY`."""
    return jwt.encode({"aud": "anybody", "exp": 1, **claims}, KEY, algorithm="RS256", headers={"kid": kid})


def test_a_token_is_judged_by_its_signature_alone() -> None:
    """Claims are not documented, so an expired token for somebody else passes."""
    assert find_token_fault(token(), jwks()) == ""


@pytest.mark.parametrize(
    ("given", "keys", "fault"),
    [
        ("", jwks(), "the header Webhook-Signature is missing"),
        ("v1,abc", jwks(), "not a compact JWS"),
        (token("k2"), jwks(), "no published key"),
        (token(), {}, "no published key"),
        (token(), jwks(OTHER), "does not verify"),
        (jwt.encode({}, "x" * 32, algorithm="HS256", headers={"kid": "k1"}), jwks(), "signed with HS256"),
    ],
)
def test_a_token_that_does_not_verify_is_said(given: str, keys: object, fault: str) -> None:
    """No token, no JWS, an unknown or another key, another algorithm."""
    assert fault in find_token_fault(given, keys)


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (BODY, []),
        (BODY.replace(b'"v1"', b'"1.0"'), ["hook.envelope/version"]),
        (BODY.replace(b"v1_abc123", b"other"), ["hook.envelope/id"]),
        (BODY.replace(b'"version":"v1",', b""), ["hook.envelope/required"]),
        (b"id=v1_abc123", ["hook.envelope/json"]),
        (BODY.replace(b'"version":"v1",', b'"version":"v2","version":"v1",'), ["hook.envelope/twice"]),
        (b"[]", ["hook.envelope/type"]),
    ],
)
def test_an_envelope_is_judged(body: bytes, codes: list[str]) -> None:
    """Type, version, timestamp and data.id are needed."""
    request = Request("POST", "/", Headers(), body)
    assert [found.stable_code for found in judge_envelope(request, "v1_abc123", load(CURRENT))] == codes
