"""Signs deliveries, as the webhook guide describes: static webhooks by HMAC, dynamic ones by a JWT.

Layer 2. Static: Standard Webhooks, one signature for each valid secret, the newest first. Dynamic: a compact JWS
with RS256; the public key is at `/.well-known/jwks.json`. The claims of the service are not published; those here
are inferred.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SECRET_PREFIX = "whsec_"
KEY_ID = "harness-emulator-1"
ISSUER = "https://generativelanguage.googleapis.com"
LIFETIME = 300
"""Seconds for which a token is valid: the guide has deliveries refused that are older than five minutes."""


_P = int(
    "f3247bf19d3ff6bd22d11db22b4eac32f74378ec114a499597b0b4dddebf74c9"
    "fdd97aa19744b8c2f23cb5c3ec74d7cf76575beb482d88ae61722c5ee9118a17"
    "d336dddca292f20d0154515dcbcc654551d36ba38440da1276bf1ead494d5844"
    "14e3abe3424ca19a428d3a4d68e013004354f3549efadb53b06617714dcf7e81",
    16,
)
_Q = int(
    "e27b22fa07b3b1bb6f3a7067db1be1f57b31eca223d9f91cf659ceb51d104aac"
    "ef6a4575bf64a970d865fb9b8b2ff3592df26ef94c8e4a48f0d5e93b7322039b"
    "30a78f137c4f16ec9b0ed1af7a90e51fc8535d708a2e639b0b7782cb5ba86b47"
    "c62cbcc67349d1d90bcfab1ee0903f0f7a5fc3ba149be2da4ea6d3fc55a814e9",
    16,
)
"""The primes of a key that is known to everybody: it proves the form of a signature, and who sent it to nobody."""
_E = 65537


def sign(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: a signature for each secret, separated by spaces."""
    return " ".join(_sign(secret, message_id, timestamp, body) for secret in secrets)


def _sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def build_token(audience: str, message_id: str, timestamp: int) -> str:
    """The value of `Webhook-Signature` of a dynamic webhook."""
    import jwt

    claims = {"iss": ISSUER, "aud": audience, "iat": timestamp, "exp": timestamp + LIFETIME, "jti": message_id}
    return jwt.encode(claims, _make_key(), algorithm="RS256", headers={"kid": KEY_ID})


def build_jwks() -> dict[str, Any]:
    """The set of public keys, as `/.well-known/jwks.json` answers it."""
    numbers = {"n": _P * _Q, "e": _E}
    return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID} | _encode(numbers)]}


def _encode(numbers: dict[str, int]) -> dict[str, str]:
    return {
        name: base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
        for name, value in numbers.items()
    }


@lru_cache(maxsize=1)
def _make_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    d = pow(_E, -1, (_P - 1) * (_Q - 1))
    public = rsa.RSAPublicNumbers(_E, _P * _Q)
    numbers = rsa.RSAPrivateNumbers(
        p=_P, q=_Q, d=d, dmp1=d % (_P - 1), dmq1=d % (_Q - 1), iqmp=pow(_Q, -1, _P), public_numbers=public
    )
    return numbers.private_key()
