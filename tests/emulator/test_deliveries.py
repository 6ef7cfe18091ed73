"""What the emulator has to deliver, when, to whom, and how it is signed."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import jwt
import pytest
import standardwebhooks

from harness.emulator import Emulator, Settings, deliveries
from harness.transport import ServiceDriver
from harness.wire import Headers, LogicalClock, Request
from harness.wire.delivery import Delivery

MODEL = "gemini-3.8-flash"
EVENTS = ["interaction.completed", "interaction.requires_action", "interaction.failed"]


class Service:
    """An emulator with one webhook."""

    def __init__(self, **hook: Any) -> None:
        self.clock = LogicalClock()
        self.emulator = Emulator(Settings(platform="any"), clock=self.clock)
        self.outbox = self.emulator.outbox
        self.driver = ServiceDriver(self.emulator, self.clock)
        body = {"uri": "http://localhost/in?x=1", "subscribed_events": EVENTS, **hook}
        self.hook = self.call("POST", "webhooks", body)
        self.secret = self.hook["new_signing_secret"]

    def call(self, method: str, path: str, body: Any = None, key: str = "k") -> Any:
        """Call the emulator and return its JSON."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = Headers((("x-goog-api-key", key), ("content-type", "application/json")))
        return json.loads(self.driver.send(Request(method, f"/v1beta/{path}", headers, data)).body)

    def run(self, **fields: Any) -> str:
        """Run something in the background to its end, and return its id."""
        body = {"model": MODEL, "input": "x", "background": True, **fields}
        made: str = self.call("POST", "interactions", body)["id"]
        self.attend()
        return made

    def attend(self) -> None:
        """Let what webhooks wait for come to its end."""
        while self.outbox.attend():
            self.clock.reached(self.clock.now + 0.25)

    def take(self) -> Delivery:
        """The only delivery that is due."""
        (delivery,) = self.outbox.take_due()
        return delivery


def read(delivery: Delivery) -> Any:
    """What a delivery says."""
    return json.loads(delivery.request.body)


def test_the_end_of_a_background_run_is_due_at_once() -> None:
    """The envelope, the path of the URI, and one delivery for each event, which any 2xx acknowledges."""
    service = Service()
    made = service.run()
    delivery = service.take()
    assert (delivery.uri, delivery.request.target) == ("http://localhost/in?x=1", "/in?x=1")
    assert read(delivery)["data"] == {"id": made}
    assert (read(delivery)["type"], read(delivery)["version"]) == ("interaction.completed", "v1")
    assert service.outbox.take_due() == []
    service.outbox.note_answer(delivery, 204)
    assert service.outbox.next_due is None


def test_the_event_follows_from_the_status() -> None:
    """A failed run says why; a run that waits for an action says so; a cancelled one has no event."""
    service = Service()
    service.emulator.reply(status="failed", errors=[{"code": "api_error", "message": "Broken."}])
    service.run()
    assert read(service.take())["data"].items() >= {"error_code": "api_error", "error_message": "Broken."}.items()
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    service.run(tools=[tool], generation_config={"tool_choice": "any"})
    assert read(service.take())["type"] == "interaction.requires_action"
    made = service.call("POST", "interactions", {"model": MODEL, "input": "x", "background": True})["id"]
    service.call("POST", f"interactions/{made}/cancel")
    assert service.outbox.next_due is None


@pytest.mark.parametrize(
    "hook", [{"subscribed_events": ["batch.failed"]}, {"subscribed_events": ["interaction.failed"]}]
)
def test_only_subscribers_are_told(hook: dict[str, Any]) -> None:
    """Other events of a webhook are not its business."""
    service = Service(**hook)
    service.run()
    service.call("GET", "webhooks")
    assert service.outbox.take_due() == []


def test_foreground_runs_disabled_webhooks_and_other_projects_are_silent() -> None:
    """Nothing is delivered for them."""
    service = Service()
    service.call("POST", "interactions", {"model": MODEL, "input": "x"})
    service.emulator.change(keys={"k": "mine", "other": "theirs"})
    service.call("POST", "interactions", {"model": MODEL, "input": "x", "background": True}, key="other")
    assert not service.outbox.attend()
    service.call("PATCH", f"webhooks/{service.hook['id']}", {"state": "disabled"})
    service.run()
    assert service.outbox.next_due is None


def test_a_delivery_verifies_with_the_library_of_the_standard() -> None:
    """With real time in its signature, the receiver that users have accepts it."""
    service = Service()
    service.emulator.set_time(time.time())
    service.run()
    request = service.take().request
    assert standardwebhooks.Webhook(service.secret).verify(request.body, dict(request.headers.items()))


def test_a_refused_delivery_comes_again_later_and_later() -> None:
    """The same id and body, after 1, 2, 4 s and so on for a day; then the webhook is disabled."""
    service = Service()
    service.run()
    moments, names = [], set()
    while (due := service.outbox.next_due) is not None:
        service.clock.reached(due)
        delivery = service.take()
        assert service.outbox.take_due() == []
        moments.append(due)
        names.add(delivery.request.headers.get("webhook-id"))
        service.outbox.note_answer(delivery, 500 if len(moments) % 2 else None)
    gaps = [round(later - before) for before, later in itertools.pairwise(moments)]
    assert gaps == [2**number for number in range(16)]
    assert len(names) == 1
    assert service.call("GET", f"webhooks/{service.hook['id']}")["state"] == "disabled_due_to_failed_deliveries"
    assert "no 2xx came in 17 attempts" in service.outbox.given_up[0]


def test_uris_of_the_create_replace_webhooks_and_carry_a_token() -> None:
    """The token verifies with the published key; the user's metadata is in the body."""
    service = Service()
    service.run(webhook_config={"uris": ["http://localhost/one"], "user_metadata": {"job": 7}})
    delivery = service.take()
    assert delivery.uri == "http://localhost/one"
    assert read(delivery)["data"]["user_metadata"] == {"job": 7}
    keys = json.loads(service.driver.send(Request("GET", "/.well-known/jwks.json")).body)
    given = delivery.request.headers.get("webhook-signature")
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(given)["kid"]]
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(given, key.key, ["RS256"], audience="http://localhost/one", options=options)
    assert claims["jti"] == delivery.request.headers.get("webhook-id")


def test_the_key_is_valid() -> None:
    """The private key, which is not validated each time it is made, passes the validation that is left out."""
    numbers = deliveries._make_key().private_numbers()
    assert numbers.private_key().key_size == 2048


def test_a_dropped_delivery_is_told() -> None:
    """Who must not be reached is given up, with the reason."""
    service = Service()
    service.run()
    service.outbox.drop(service.take(), "it is elsewhere")
    assert service.outbox.given_up == ["http://localhost/in?x=1: it is elsewhere"]
    assert service.outbox.next_due is None


def test_a_webhook_moves_a_run_no_faster_than_polls() -> None:
    """A move a second, and none while a client polls; a reader sees the states that it sees without webhooks."""
    service = Service()
    made = service.call("POST", "interactions", {"model": MODEL, "input": "x", "background": True})["id"]
    seen = []
    for _ in range(3):
        for _ in range(9):
            service.clock.reached(service.clock.now + 0.1)
            service.outbox.attend()
        seen.append(service.call("GET", f"interactions/{made}")["status"])
    assert seen == ["in_progress", "in_progress", "completed"]
    began = service.clock.now
    service.run()
    assert 3 <= service.clock.now - began < 4


def test_a_webhook_that_nothing_reaches_moves_no_run() -> None:
    """Its run waits for polls as without a webhook, and the delivery is left to the carrier."""
    service = Service()
    made = service.call("POST", "interactions", {"model": MODEL, "input": "x", "background": True})["id"]
    for _ in range(20):
        assert not service.outbox.attend(lambda uri: uri != "http://localhost/in?x=1")
        service.clock.reached(service.clock.now + 1)
    assert service.outbox.next_due is None
    assert service.emulator.look(made)["status"] == "in_progress"
