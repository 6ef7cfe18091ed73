"""Signs webhook deliveries by the Standard Webhooks scheme, and builds them as requests. Pure.

Layer 2. Knows the signature (https://www.standardwebhooks.com) and the API's envelope; must not know sockets,
clocks or which webhooks exist. Hooks named in an interaction's `webhook_config` are signed with a JWT instead, and
are not covered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from harness.wire import Headers, Request

SECRET_PREFIX = "whsec_"


class Delivery(NamedTuple):
    """A request and the whole address it goes to. Sent again as it is when refused: its `webhook-id` stays."""

    uri: str
    request: Request


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the scheme's own word
    """One entry of the `webhook-signature` header: `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64.

    `timestamp` is in Unix seconds, `body` the raw bytes. Raises ValueError for a secret that is not `whsec_` and
    base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not key:
        raise ValueError(f"a signing secret must be {SECRET_PREFIX!r} followed by base64, as the API hands it out")
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")


def delivery(
    uri: str,
    secrets: Iterable[str],
    *,
    id: str,  # noqa: A002 - the header's own word
    type: str,  # noqa: A002 - the envelope's own word
    data: Mapping[str, Any],
    now: str,
) -> Delivery:
    """The POST that tells `uri` of one event, signed with every secret that is still valid.

    `now` (RFC 3339) becomes both the envelope's timestamp and `webhook-timestamp`.
    """
    body = msgspec.json.encode({"type": type, "version": "v1", "timestamp": now, "data": data})
    seconds = int(datetime.fromisoformat(now).timestamp())
    parts = urlsplit(uri)
    headers = Headers(
        (
            ("host", parts.netloc.rpartition("@")[2]),
            ("content-type", "application/json"),
            ("webhook-id", id),
            ("webhook-timestamp", str(seconds)),
            ("webhook-signature", " ".join(sign(secret, id, seconds, body) for secret in secrets)),
        )
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Delivery(uri, Request("POST", target, headers, body))
