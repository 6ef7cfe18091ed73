"""The judges of the checks on deliveries, on hand-made exchanges."""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

from harness.transport.inprocess.service_driver import ServiceReceiver
from harness.wire import Headers, Request
from tests.checks._play import answer, case, interaction

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
ID = interaction()["id"]
EVENT = {"type": "interaction.completed", "version": "v1", "timestamp": "2026-11-20T10:00:00Z", "data": {"id": ID}}


def posted(*names, key=b"k" * 24, **fields):
    """Deliveries of an event with these webhook-ids."""
    box = ServiceReceiver("", None, lambda: 0.0)
    body = msgspec.json.encode({**EVENT, **fields})
    for name in names or ("m1",):
        made = base64.b64encode(hmac.new(key, f"{name}.1.".encode() + body, hashlib.sha256).digest()).decode()
        sent = {"webhook-id": name, "webhook-timestamp": "1", "webhook-signature": f"v1,{made}"}
        box(Request("POST", "/", Headers(sent.items()), body))
    return box.take()


def run(status="completed"):
    """A settled run."""
    return answer(body=interaction(status=status))


MADE = answer(body={"id": "h", "new_signing_secret": SECRET}, method="POST", target="/v1beta/webhooks")
TURNED = answer(body={"secret": SECRET}, method="POST", target="/v1beta/webhooks/h:rotateSigningSecret")
NAMELESS = answer(body={"id": "h"}, method="POST", target="/v1beta/webhooks")
KEYS = answer(body={"keys": []}, target="/.well-known/jwks.json")
RUNS = {"run": run(), "control": answer(body=interaction(id="other"))}
NO_LATER = {"later": None, "afterwards": []}

CASES = [
    case("hook.delivery", "met", "it came", run=run(), delivered=posted()),
    case("hook.delivery", "not_met", "nothing came", run=run(), delivered=[]),
    case("hook.delivery", "untestable", "no event for it", run=run("incomplete"), delivered=[]),
    case("hook.signature", "met", "by the secret", made=MADE, delivered=posted("m1", "m1")),
    case("hook.signature", "not_met", "by another", made=MADE, delivered=posted(key=b"x")),
    case("hook.signature", "untestable", "no secret", made=NAMELESS, delivered=posted()),
    case("hook.rotation", "not_met", "by another", rotated=TURNED, afterwards=posted(key=b"x")),
    case("hook.rotation", "untestable", "nothing came", rotated=TURNED, afterwards=[]),
    case("hook.envelope", "met", "an event", run=run(), delivered=posted()),
    case("hook.envelope", "met", "more fields", run=run(), delivered=posted(more=1)),
    case("hook.envelope", "not_met", "no data", run=run(), delivered=posted(data=None)),
    case("hook.event-status", "met", "completed", run=run(), delivered=posted(), **NO_LATER),
    case("hook.event-status", "not_met", "failed", run=run("failed"), delivered=posted(), **NO_LATER),
    case("hook.retry", "not_met", "another id", delivered=posted("m1", "m2")),
    case("hook.dynamic-jwt", "not_met", "no JWS", delivered=posted(), keys=KEYS),
    case("hook.dynamic-jwt", "untestable", "nothing came", delivered=[], keys=KEYS),
    case("hook.dynamic-replaces", "met", "there alone", named=posted(), came=posted(data={"id": "other"}), **RUNS),
    case("hook.dynamic-replaces", "met", "beside others", named=posted(),
         came=[*posted(data={"id": "strange"}), *posted(data={"id": "other"})], **RUNS),
    case("hook.dynamic-replaces", "not_met", "both", named=posted(),
         came=[*posted(), *posted(data={"id": "other"})], **RUNS),
    case("hook.dynamic-replaces", "untestable", "not there", named=[], came=posted(data={"id": "other"}), **RUNS),
    case("hook.dynamic-replaces", "untestable", "never here", named=posted(), came=[], **RUNS),
]  # fmt: skip
