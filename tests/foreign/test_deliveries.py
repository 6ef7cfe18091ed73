"""Foreign servers that deliver to webhooks: one that is odd but right, and others with one defect each."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.foreign.rows import hold_each, in_pages, rows_of
from tests.foreign.server import ForeignService, Json, Refused, Run, parse_object

pytestmark = pytest.mark.slow

KEYS = [base64.b64encode(bytes(range(start, start + 32))).decode() for start in (0, 32)]


def sign_with(key: bytes, signed: bytes) -> str:
    """A signature."""
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Delivering(ForeignService):
    """Delivers on threads of its own; odd but right: capitals, a foreign entry first, a body with spaces."""

    lasts = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[str, Json] = {}
        self.secrets = list(KEYS[:1])

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        if parts[0] != "webhooks":
            return super().neighbour(method, parts, data, query)
        match method, parts[1:]:
            case "GET", []:
                return {"webhooks": list(self.hooks.values())}
            case "POST", []:
                made = {**parse_object(data), "id": f"h{next(self.numbers)}", "state": "enabled"}
                self.hooks[made["id"]] = made
                return {**made, "new_signing_secret": f"whsec_{self.secrets[0]}"}
            case "POST", [name] if name.endswith(":rotateSigningSecret"):
                self.secrets = list(KEYS)
                return {"secret": f"whsec_{KEYS[1]}"}
            case "DELETE", [name] if name in self.hooks:
                del self.hooks[name]
                return {}
        raise Refused(404, "not_found", "There is no such webhook.")

    def prepare(self, run: Run) -> None:
        if run.body.get("background"):
            threading.Thread(target=self.deliver, args=(run,), daemon=True).start()

    def deliver(self, run: Run) -> None:
        """Wait for the end of a run, and post it to each webhook until it is acknowledged."""
        time.sleep(run.lasts)
        for hook in list(self.hooks.values()):
            for _ in range(3):
                if self.post(hook["uri"], run):
                    break

    def post(self, uri: str, run: Run) -> bool:
        """Post the end of a run once; whether it was acknowledged."""
        envelope = {"type": "interaction.completed", "version": "v1", "timestamp": "2026-11-20T10:00:01.5+02:00"}
        body = json.dumps({**envelope, "data": {"id": run.id, "more": None}, "extra": 1}, indent=1).encode()
        name, moment = f"evt:{run.id}", str(int(time.time()))
        signed = f"{name}.{moment}.".encode() + body
        signatures = ["v2,AAAA", *(sign_with(base64.b64decode(key), signed) for key in self.secrets)]
        fields = {"Webhook-Id": name, "Webhook-Timestamp": moment, "Webhook-Signature": " ".join(signatures)}
        fields["Content-Type"] = "application/json"
        try:
            with urllib.request.urlopen(urllib.request.Request(uri, body, fields), timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


class Replaces(Delivering):
    """Odd, but right: it posts about a run with URIs of its own to these, signed as for webhooks."""

    takes = frozenset({"webhook_config"})

    def deliver(self, run: Run) -> None:
        if "webhook_config" not in run.body:
            super().deliver(run)
            return
        time.sleep(run.lasts)
        for uri in run.body["webhook_config"]["uris"]:
            self.post(uri, run)


class Tokens(ForeignService):
    """Odd, but right: a second key is published first, and the token has strange claims and another type."""

    lasts = 0.1
    takes = frozenset({"webhook_config"})

    def __init__(self) -> None:
        super().__init__()
        self.keys = {name: rsa.generate_private_key(65537, 2048) for name in ("old", "new")}

    def prepare(self, run: Run) -> None:
        if "webhook_config" in run.body:
            threading.Thread(target=self.deliver, args=(run,), daemon=True).start()

    def deliver(self, run: Run) -> None:
        """Wait for the end of a run, and post it with a token."""
        time.sleep(run.lasts)
        body = json.dumps({"type": "interaction.completed", "data": {"id": run.id}}).encode()
        for uri in run.body["webhook_config"]["uris"]:
            fields = {"Content-Type": "application/json", "Webhook-Signature": self.make_token()}
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(urllib.request.Request(uri, body, fields), timeout=5).close()

    def make_token(self) -> str:
        """The token of a delivery."""
        return jwt.encode({"colour": "red"}, self.keys["new"], "RS256", headers={"kid": "new", "typ": "odd"})

    def publish(self, path: str) -> Json:
        to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
        return {"keys": [{**to_jwk(key.public_key(), True), "kid": name} for name, key in self.keys.items()]}


def share_a_secret(self: Tokens, usual: Any) -> str:
    """Sign with a secret instead of a key."""
    return jwt.encode({}, "a secret that is long enough for it", "HS256", headers={"kid": "new"})


DELIVERED = "hook.delivery hook.signature hook.envelope hook.event-status hook.retry hook.rotation"
JWT = "hook.dynamic-jwt"
ALONE = "hook.dynamic-replaces"
UNTRUE = f"{JWT} -> warn {JWT}"

delivering, tokens = rows_of(Delivering), rows_of(Tokens)
ROWS = [
    # Whatever the signature, the names and the body look like: what verifies is right.
    delivering(f"delivers: {DELIVERED} {JWT} -> not_applicable {JWT}, rest pass"),
    # The URIs of a create take the place of webhooks; a server may not know them.
    rows_of(Replaces)(f"replaces: {ALONE} -> pass {ALONE}"),
    rows_of(Replaces)(f"webhooks-only: {ALONE} -> untestable {ALONE}", takes=frozenset()),
    # Webhooks in pages, with nothing on the last one.
    delivering("in-pages: page.webhooks -> pass page.webhooks", neighbour=in_pages(empty_end=True)),
    # A token verifies with the published key that it names, whatever else it says.
    tokens(f"tokens: {JWT} -> pass {JWT}"),
    tokens(f"shared-secret: {UNTRUE}", make_token=share_a_secret),
]


test_a_sender_breaks_the_rule_of_its_defect = hold_each(ROWS)
"""One defect breaks one rule, and what is odd but verifies none."""


def test_a_target_elsewhere_is_not_green() -> None:
    """A target that cannot reach this machine is untested, and the report says how to test it."""
    from harness.outcome import Unmet
    from harness.transport import UrlDriver

    with pytest.raises(Unmet, match="cannot reach a receiver on this machine") as unmet:
        UrlDriver("https://api.example.com").listen()
    assert "runs on this machine" in unmet.value.remedy
