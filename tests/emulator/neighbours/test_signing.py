"""The Standard Webhooks signature, against a vector that openssl agrees with, and the request it signs."""

import base64
import hashlib
import hmac
import json

import pytest

from harness.emulator.neighbours import delivery, sign

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ROTATED = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
ID = "msg_2f9c0a7e41"
TIMESTAMP = 1790000000
NOW = "2026-09-21T14:13:20Z"
BODY = (
    b'{"type":"interaction.completed","version":"v1","timestamp":"2026-09-21T14:13:20Z","data":{"id":"v1_abc123"}}'
)
SIGNATURE = "v1,7SjurhqSpn9ZTVUiG25ZYw8XWKJcxtt+z7OshAeQbJk="
ROTATED_SIGNATURE = "v1,3PIIQGAwrzYuc65XuW4OyO8vd1nn0HmkhuaBfV2/00U="


def test_the_vector_is_the_one_meant() -> None:
    """Length and digest of the body are those the vector was computed with."""
    digest = "67e6ac72306fbed0cd6afa2ff2256869dde1cde85e06a5e1c519e1059e3bf6b7"
    assert (len(BODY), hashlib.sha256(BODY).hexdigest()) == (108, digest)


@pytest.mark.parametrize(("secret", "signature"), [(SECRET, SIGNATURE), (ROTATED, ROTATED_SIGNATURE)])
def test_the_vector_is_met(secret: str, signature: str) -> None:
    """Both secrets give the known signatures."""
    assert sign(secret, ID, TIMESTAMP, BODY) == signature


@pytest.mark.parametrize(
    ("identifier", "timestamp", "body"),
    [
        ("msg_other", TIMESTAMP, BODY),
        (ID, TIMESTAMP + 1, BODY),
        (ID, TIMESTAMP, BODY.replace(b"v1_abc123", b"v1_abc124")),
    ],
)
def test_everything_signed_matters(identifier: str, timestamp: int, body: bytes) -> None:
    """Another id, another time or one other byte gives another signature."""
    assert sign(SECRET, identifier, timestamp, body) != SIGNATURE


def test_the_key_is_the_decoded_secret() -> None:
    """Signing with the text of the secret, a common mistake, is not what is done."""
    wrong = hmac.digest(SECRET.encode(), f"{ID}.{TIMESTAMP}.".encode() + BODY, hashlib.sha256)
    assert sign(SECRET, ID, TIMESTAMP, BODY) != "v1," + base64.b64encode(wrong).decode()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whsec_AAEC!AwQ=", SECRET.removeprefix("whsec_")])
def test_a_secret_of_another_form_is_an_error(secret: str) -> None:
    """The prefix and base64 are required: a wrong secret must not sign silently."""
    with pytest.raises(ValueError, match="whsec_"):
        sign(secret, ID, TIMESTAMP, BODY)


def test_a_delivery_is_the_signed_envelope() -> None:
    """The request reproduces the vector byte for byte, with one signature for each valid secret."""
    uri = "https://hooks.example:8443/in?team=a"
    data = {"id": "v1_abc123"}
    sent = delivery(uri, [SECRET, ROTATED], id=ID, type="interaction.completed", data=data, now=NOW)
    assert (sent.uri, sent.request.method, sent.request.target) == (uri, "POST", "/in?team=a")
    assert sent.request.body == BODY
    assert dict(sent.request.headers) == {
        "host": "hooks.example:8443",
        "content-type": "application/json",
        "webhook-id": ID,
        "webhook-timestamp": str(TIMESTAMP),
        "webhook-signature": f"{SIGNATURE} {ROTATED_SIGNATURE}",
    }
    assert json.loads(sent.request.body)["data"] == data
