"""The judges of the checks on webhooks, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.webhooks import EVENTS, URI
from tests.checks._play import EMPTY, MISSING, answer, case, judge, page_cases, refusal


def hook(**fields):
    """A webhook as GET returns it."""
    return answer(body={"id": "wh1", "uri": URI, "subscribed_events": EVENTS, "name": "harness-check", **fields})


def page(*entries):
    """One page of the list of webhooks."""
    return answer(body={"webhooks": list(entries)})


MADE = hook(new_signing_secret="whsec_b25l")
READ = hook()
TURNED = hook(subscribed_events=EVENTS[::-1])
RENAMED = hook(name="harness-renamed")
LISTED = page({"id": "wh1"})
LIFE = {"made": MADE, "fetched": READ, "listed": LISTED, "deleted": EMPTY, "unlisted": None, "gone": MISSING}
SHOWN = {"made": MADE, "fetched": READ, "listed": LISTED, "patched": RENAMED}

SENT = {"uri": URI, "subscribed_events": EVENTS, "name": "harness-check", "auth": {"header": "x-a", "secret": "b"}}


FEWER = EVENTS[:1]
MASKED = {"header": "x-a", "secret": "***"}


def sent_as(**fields):
    """The answer to a create of the webhook that `SENT` asks for."""
    body = {"id": "wh1", **SENT, **fields}
    return answer(body=body, method="POST", target="/v1beta/webhooks", sent=SENT)


CASES = [
    case("hook.crud", "met", "as it was sent", **{**LIFE, "made": sent_as(auth=MASKED)}),
    case("hook.crud", "met", "in another order", **{**LIFE, "made": sent_as(subscribed_events=EVENTS[::-1])}),
    case("hook.crud", "met", "with less of it", **{**LIFE, "made": sent_as(auth=None, name="")}),
    case("hook.crud", "not_met", "the name of another", **{**LIFE, "made": sent_as(name="other")}),
    case("hook.crud", "not_met", "fewer events sent back", **{**LIFE, "made": sent_as(subscribed_events=FEWER)}),
    case("hook.crud", "met", "events in another order", **{**LIFE, "fetched": TURNED}),
    case("hook.crud", "not_met", "another uri", **{**LIFE, "fetched": hook(uri="https://example.org")}),
    case("hook.crud", "not_met", "fewer events", **{**LIFE, "fetched": hook(subscribed_events=EVENTS[:1])}),
    case("hook.crud", "not_met", "not listed", **{**LIFE, "listed": EMPTY}),
    case("hook.crud", "not_met", "still there", **{**LIFE, "gone": READ}),
    case("hook.crud", "not_met", "still listed", **{**LIFE, "unlisted": LISTED}),
    case("hook.crud", "met", "no longer listed", **{**LIFE, "unlisted": EMPTY}),
    case("hook.patch", "met", "its name", patched=RENAMED),
    case("hook.patch", "not_met", "no body", patched=answer(204)),
    case("hook.patch", "not_met", "too much", patched=hook(name="harness-renamed", subscribed_events=[])),
    case("hook.patch", "non_strict", "refused", patched=refusal(405)),
    case("hook.secret-once", "not_met", "after a change", **{**SHOWN, "patched": MADE}),
    case("hook.ping", "met", "an empty object", pinged=EMPTY),
    case("hook.ping", "met", "no body", pinged=answer(204)),
    case("hook.ping", "met", "fields are noted", pinged=READ),
    case("hook.ping", "not_met", "no such route", pinged=MISSING),
    case("hook.rotate", "met", "another secret", made=MADE, rotated=answer(body={"secret": "whsec_dHdv"})),
    case("hook.rotate", "not_met", "refused", made=MADE, rotated=MISSING),
    *page_cases("page.webhooks", "webhooks"),
]  # fmt: skip


def test_secrets_are_not_repeated():
    """A finding about a secret that was shown again does not contain the secret."""
    listed = page({"new_signing_secret": "whsec_b25l"})
    found = judge("hook.secret-once", **{**SHOWN, "fetched": MADE, "listed": listed})
    assert all("whsec" not in part for f in found.findings for part in (f.message, f.expected, f.actual))
