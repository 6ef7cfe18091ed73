"""Webhooks: subscriptions, secrets that are shown only once, and rotation."""

from typing import Any

import pytest

from harness.emulator import Settings
from tests.emulator.resources.api import NOON, Api

WEBHOOKS = "/v1beta/webhooks"
BODY = {"uri": "https://hooks.example/in", "subscribed_events": ["interaction.completed"]}


def create(api: Api, **more: Any) -> tuple[str, str]:
    """Create a webhook and return its id and secret."""
    made = api.ok("POST", WEBHOOKS, BODY | more)
    return made["id"], made["new_signing_secret"]


def test_only_any_platform_shows_the_times_of_a_webhook() -> None:
    """The types list them, and two observers never saw them live."""
    shown = {platform: Api(settings=Settings(platform=platform)).ok("POST", WEBHOOKS, BODY)
             for platform in ("gemini", "vertex", "any")}  # fmt: skip
    times = {platform: {name: at for name, at in made.items() if name.endswith("_time")}
             for platform, made in shown.items()}  # fmt: skip
    assert times == {"gemini": {}, "vertex": {}, "any": {"create_time": NOON, "update_time": NOON}}


@pytest.mark.parametrize(
    "change",
    [
        {"uri": None},
        {"uri": "hooks.example/in"},
        {"uri": "ftp://hooks.example"},
        {"uri": "https://[broken"},
        {"subscribed_events": None},
        {"subscribed_events": []},
        {"subscribed_events": "interaction.completed"},
        {"subscribed_events": ["interaction.cancelled"]},
        {"subscribed_events": [["interaction.completed"]]},
        {"subscribedEvents": []},
        {"state": "enabled"},
    ],
)
def test_what_cannot_be_subscribed_is_400(api: Api, change: dict[str, Any]) -> None:
    """Invalid URIs, unknown events, and missing or unknown fields are refused, and nothing is saved."""
    assert api.refused("POST", WEBHOOKS, BODY | change) == (400, "invalid_request")
    assert api.ok("GET", WEBHOOKS) == {}


def valid_secrets(api: Api) -> int:
    """Return the number of secrets of the only webhook that are valid now."""
    (hook,) = api.ok("GET", WEBHOOKS)["webhooks"]
    return len(hook["signing_secrets"])


def test_rotation_keeps_the_old_secret_for_a_day(api: Api) -> None:
    """A new secret is shown once and valid at once; the old one stays valid for 24 hours."""
    hook, old = create(api)
    new = api.ok("POST", f"{WEBHOOKS}/{hook}:rotateSigningSecret")["secret"]
    assert new != old
    shown = api.ok("GET", f"{WEBHOOKS}/{hook}")
    assert [one.get("expire_time") for one in shown["signing_secrets"]] == [None, "2026-09-22T12:00:00Z"]
    assert new not in str(shown)
    for now, valid in (("2026-09-22T11:59:59Z", 2), ("2026-09-22T12:00:00Z", 1)):
        api.now = now
        assert valid_secrets(api) == valid


def test_rotation_can_revoke_at_once(api: Api) -> None:
    """Immediate revocation leaves one valid secret."""
    hook, _ = create(api)
    target = f"{WEBHOOKS}/{hook}:rotateSigningSecret"
    for _ in range(3):
        api.ok("POST", target, {})
    assert valid_secrets(api) == 4
    api.ok("POST", target, {"revocation_behavior": "revoke_previous_secrets_immediately"})
    assert valid_secrets(api) == 1
    assert api.refused("POST", target, {"revocation_behavior": "never"}) == (400, "invalid_request")
