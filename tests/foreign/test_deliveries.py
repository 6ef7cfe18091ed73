"""Foreign servers that deliver to webhooks: one that is odd but right, and others with one defect each."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, Run, parse_object

KEYS = [base64.b64encode(bytes(range(start, start + 32))).decode() for start in (0, 32)]


class Delivering(ForeignService):
    """Delivers on threads of its own; odd but right: capitals, a foreign entry first, a body with spaces."""

    lasts = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[str, Json] = {}
        self.secrets = list(KEYS[:1])
        self.numbers = itertools.count(1)

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

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if body.get("background") and run is not None:
            threading.Thread(target=self.deliver, args=(run,), daemon=True).start()
        return answer

    def deliver(self, run: Run) -> None:
        """Wait for the end of a run, and post it to each webhook until it is acknowledged."""
        time.sleep(run.lasts)
        for hook in list(self.hooks.values()):
            body = json.dumps(self.envelope(run), indent=1).encode()
            for attempt in range(3):
                if self.post(hook["uri"], self.identify(run, attempt), body) or not self.tries_again:
                    break

    tries_again = True

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
        made = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
        return " ".join(["v2,AAAA", *(f"v1,{one}" for one in made)])

    def post(self, uri: str, name: str, body: bytes) -> bool:
        """Post once; whether it was acknowledged."""
        moment = str(int(time.time()))
        fields = {"Webhook-Id": name, "Webhook-Timestamp": moment, "Content-Type": "application/json",
                  "Webhook-Signature": self.sign(f"{name}.{moment}.".encode() + body)}  # fmt: skip
        try:
            with urllib.request.urlopen(urllib.request.Request(uri, body, fields), timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


class SignsWithTheText(Delivering):
    """Uses the base64 text as the key."""

    def sign(self, signed: bytes) -> str:
        keys = (secret.encode() for secret in self.secrets)
        made = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
        return " ".join(f"v1,{one}" for one in made)


class NewIdEachTime(Delivering):
    """Gives each attempt another webhook-id."""

    def identify(self, run: Run, attempt: int) -> str:
        return f"evt:{run.id}:{attempt}"


class SaysFailed(Delivering):
    """Reports a completed run as failed."""

    def envelope(self, run: Run) -> Json:
        return {**super().envelope(run), "type": "interaction.failed"}


class BareInteraction(Delivering):
    """Posts the interaction instead of an event."""

    def envelope(self, run: Run) -> Json:
        return self.show(run)


class OldSecretOnly(Delivering):
    """Goes on signing with the old secret after a rotation."""

    def rotate(self) -> list[str]:
        return KEYS[:1]


class Tokens(ForeignService):
    """Odd, but right: a second key is published first, and the token has strange claims and another type."""

    lasts = 0.1
    algorithm = "RS256"

    def __init__(self) -> None:
        super().__init__()
        self.keys = {name: rsa.generate_private_key(65537, 2048) for name in ("old", "new")}

    def admit(self, body: Json) -> None:
        super().admit({name: value for name, value in body.items() if name != "webhook_config"})

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if run is not None and "webhook_config" in body:
            threading.Thread(target=self.deliver, args=(run,), daemon=True).start()
        return answer

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
        made = {
            name: jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), True) for name, key in self.keys.items()
        }
        return {"keys": [{**made[name], "kid": name} for name in ("old", "new")]}


class AnotherKey(Tokens):
    """Signs with a key that is published under another name."""

    def make_token(self) -> str:
        return jwt.encode({}, self.keys["old"], "RS256", headers={"kid": "new"})


class UnknownKey(Tokens):
    """Names a key that is not published."""

    def make_token(self) -> str:
        return jwt.encode({}, self.keys["new"], "RS256", headers={"kid": "newer"})


class SharedSecret(Tokens):
    """Signs with a secret instead of a key."""

    def make_token(self) -> str:
        return jwt.encode({}, "a secret that is long enough for it", "HS256", headers={"kid": "new"})


class NoToken(Tokens):
    """Sends no token at all."""

    def make_token(self) -> str:
        return ""


DELIVERED = (
    "hook.delivery",
    "hook.signature",
    "hook.envelope",
    "hook.event-status",
    "hook.retry",
    "hook.rotation",
)


def test_an_odd_sender_is_right() -> None:
    """Whatever the signature, the names and the body look like: what verifies is right."""
    report = check(Delivering(), *DELIVERED, "hook.dynamic-jwt")
    assert {rule: report.verdicts[rule] for rule in DELIVERED} == dict.fromkeys(DELIVERED, "pass")
    assert report.verdicts["hook.dynamic-jwt"] == "not_applicable"


@pytest.mark.parametrize(
    ("service", "faults"),
    [
        (SignsWithTheText(), {"hook.signature": "fail", "hook.rotation": "warn"}),
        (NewIdEachTime(), {"hook.retry": "info"}),
        (SaysFailed(), {"hook.event-status": "warn"}),
        (BareInteraction(), {"hook.envelope": "warn", "hook.event-status": "warn"}),
        (OldSecretOnly(), {"hook.rotation": "warn"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Delivering) else "",
)
def test_each_defect_is_found(service: Delivering, faults: dict[str, str]) -> None:
    """A sender with one defect breaks the rule about it."""
    report = check(service, *DELIVERED)
    found = {rule: verdict for rule, verdict in report.verdicts.items() if verdict != "pass"}
    assert found == faults


@pytest.mark.parametrize(
    ("service", "verdict"),
    [(Tokens, "pass"), (AnotherKey, "warn"), (UnknownKey, "warn"), (SharedSecret, "warn"), (NoToken, "warn")],
)
def test_a_token_verifies_with_the_published_keys(service: type[Tokens], verdict: str) -> None:
    """The key is the one that the token names, whatever else it says."""
    assert check(service(), "hook.dynamic-jwt").verdicts == {"hook.dynamic-jwt": verdict}


def test_a_target_elsewhere_is_not_green() -> None:
    """A target that cannot reach this machine is untested, and the report says how to test it."""
    from harness.outcome import Unmet
    from harness.transport import UrlDriver

    with pytest.raises(Unmet, match="cannot reach a receiver on this machine") as unmet:
        UrlDriver("https://api.example.com").listen()
    assert "runs on this machine" in unmet.value.remedy
