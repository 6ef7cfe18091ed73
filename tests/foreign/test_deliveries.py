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

from tests.foreign.rows import Row, in_pages, rows_of
from tests.foreign.server import ForeignService, Json, Refused, Run, parse_object

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
                self.secrets = self.rotate()
                return {"secret": f"whsec_{KEYS[1]}"}
            case "DELETE", [name] if name in self.hooks:
                del self.hooks[name]
                return {}
        raise Refused(404, "not_found", "There is no such webhook.")

    def rotate(self) -> list[str]:
        """The secrets that sign from now on."""
        return [KEYS[0], KEYS[1]]

    def prepare(self, run: Run) -> None:
        if run.body.get("background"):
            threading.Thread(target=self.deliver, args=(run,), daemon=True).start()

    def deliver(self, run: Run) -> None:
        """Wait for the end of a run, and post it to each webhook until it is acknowledged."""
        time.sleep(run.lasts)
        for hook in list(self.hooks.values()):
            body = json.dumps(self.envelope(run), indent=1).encode()
            for attempt in range(3):
                if self.post(hook["uri"], self.identify(run, attempt), body):
                    break

    def envelope(self, run: Run) -> Json:
        """What is posted."""
        moment = "2026-11-20T10:00:01.5+02:00"
        data = {"id": run.id, "more": None}
        return {"type": "interaction.completed", "version": "v1", "timestamp": moment, "data": data, "extra": 1}

    def identify(self, run: Run, attempt: int) -> str:
        """The id of a delivery."""
        return f"evt:{run.id}"

    def sign(self, signed: bytes) -> str:
        """The signatures."""
        keys = map(base64.b64decode, self.secrets)
        return " ".join(["v2,AAAA", *(sign_with(key, signed) for key in keys)])

    def post(self, uri: str, name: str, body: bytes) -> bool:
        """Post once; whether it was acknowledged."""
        moment = str(int(time.time()))
        signature = self.sign(f"{name}.{moment}.".encode() + body)
        fields = {"Webhook-Id": name, "Webhook-Timestamp": moment, "Webhook-Signature": signature}
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
        if not self.reaches_webhooks(run):
            time.sleep(run.lasts)
        else:
            super().deliver(run)
        for uri in run.body.get("webhook_config", {}).get("uris", ()):
            self.post(uri, self.identify(run, 0), json.dumps(self.envelope(run)).encode())

    def reaches_webhooks(self, run: Run) -> bool:
        """Whether webhooks are told of a run."""
        return "webhook_config" not in run.body


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


def signed_by(key: str, named: str) -> Any:
    """A change of `make_token`: one key signs, and one is named."""
    return lambda self, usual: jwt.encode({}, self.keys[key], "RS256", headers={"kid": named})


def share_a_secret(self: Tokens, usual: Any) -> str:
    """Sign with a secret instead of a key."""
    return jwt.encode({}, "a secret that is long enough for it", "HS256", headers={"kid": "new"})


def sign_with_the_text(self: Delivering, usual: Any, signed: bytes) -> str:
    """Use the base64 text as the key."""
    return " ".join(sign_with(secret.encode(), signed) for secret in self.secrets)


DELIVERED = "hook.delivery hook.signature hook.envelope hook.event-status hook.retry hook.rotation"
JWT = "hook.dynamic-jwt"
ALONE = "hook.dynamic-replaces"
UNTRUE = f"{JWT} -> warn {JWT}"

delivering, tokens = rows_of(Delivering), rows_of(Tokens)
ROWS = [
    # Whatever the signature, the names and the body look like: what verifies is right.
    delivering(f"delivers: {DELIVERED} {JWT} -> not_applicable {JWT}, rest pass"),
    delivering(
        f"signs-with-the-text: {DELIVERED} -> fail hook.signature, warn hook.rotation, rest pass",
        sign=sign_with_the_text,
    ),
    delivering(
        f"new-id-each-time: {DELIVERED} -> info hook.retry, rest pass",
        identify=lambda self, usual, run, attempt: f"evt:{run.id}:{attempt}",
    ),
    # Reports a completed run as failed.
    delivering(
        f"says-failed: {DELIVERED} -> warn hook.event-status, rest pass",
        envelope=lambda self, usual, run: {**usual(run), "type": "interaction.failed"},
    ),
    # Posts the interaction instead of an event.
    delivering(
        f"bare-interaction: {DELIVERED} -> warn hook.envelope hook.event-status, rest pass",
        envelope=lambda self, usual, run: self.show(run),
    ),
    # Goes on signing with the old secret after a rotation.
    delivering(
        f"old-secret-only: {DELIVERED} -> warn hook.rotation, rest pass", rotate=lambda self, usual: KEYS[:1]
    ),
    # The URIs of a create take the place of webhooks, or come beside them; a server may not know them.
    rows_of(Replaces)(f"replaces: {ALONE} -> pass {ALONE}"),
    rows_of(Replaces)(f"both: {ALONE} -> warn {ALONE}", reaches_webhooks=lambda self, usual, run: True),
    rows_of(Replaces)(f"webhooks-only: {ALONE} -> untestable {ALONE}", takes=frozenset()),
    # Webhooks in pages, with nothing on the last one; and where one of them is on no page.
    delivering("in-pages: page.webhooks -> pass page.webhooks", neighbour=in_pages(empty_end=True)),
    delivering(
        "skips-one: page.webhooks -> warn page.webhooks",
        neighbour=in_pages(lambda start: start + 1 if start == 1 else start),
    ),
    # A token verifies with the published key that it names, whatever else it says.
    tokens(f"tokens: {JWT} -> pass {JWT}"),
    tokens(f"another-key: {UNTRUE}", make_token=signed_by("old", "new")),
    tokens(f"unknown-key: {UNTRUE}", make_token=signed_by("new", "newer")),
    tokens(f"shared-secret: {UNTRUE}", make_token=share_a_secret),
    tokens(f"no-token: {UNTRUE}", make_token=lambda self, usual: ""),
]


@pytest.mark.parametrize("case", ROWS)
def test_a_sender_breaks_the_rule_of_its_defect(case: Row, capsys: pytest.CaptureFixture[str]) -> None:
    """One defect breaks one rule, and what is odd but verifies none."""
    case.hold(capsys)


def test_a_target_elsewhere_is_not_green() -> None:
    """A target that cannot reach this machine is untested, and the report says how to test it."""
    from harness.outcome import Unmet
    from harness.transport import UrlDriver

    with pytest.raises(Unmet, match="cannot reach a receiver on this machine") as unmet:
        UrlDriver("https://api.example.com").listen()
    assert "runs on this machine" in unmet.value.remedy
