"""Webhooks in tests: a receiver that waits without sleeping, and forged deliveries for receivers under test.

Time is the emulator's: idle hours are skipped, and runs that a webhook waits for go on by themselves. Signatures
name real time, because receivers refuse what is minutes old.
"""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.contract.judge.deliveries import (
    ID,
    SECRET_PREFIX,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE,
    find_signature_fault,
)
from harness.contract.tables.protocol import EVENT_OF_STATUS
from harness.emulator import deliveries as signing
from harness.emulator.deliveries import build_envelope
from harness.outcome import Unmet, UsageFault
from harness.outcome.words import did_you_mean
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.transport.client.courier import post
from harness.transport.inprocess.service_driver import ServicePost
from harness.wire import Headers
from harness.wire.bodies import object_or_none
from harness.wire.delivery import Answer, Arrival, Delivery, NoReply, is_on_this_machine

EVENTS = tuple(EVENT_OF_STATUS.values())
SECRET = SECRET_PREFIX + "aGFybmVzcy13ZWJob29rLXNlY3JldC0wMTIzNDU2Nzg="
"""What signs deliveries of the test's own if no webhook was registered."""

Receive = Callable[[dict[str, str], bytes], int | None]
"""A receiver under test: takes headers and body and returns a status, or None for 200; raising refuses."""


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One delivery: `attempt` counts those with the same `webhook_id`, `moment` is in seconds of the emulator."""

    headers: dict[str, str]
    body: bytes
    attempt: int = 1
    moment: float = 0.0

    @property
    def envelope(self) -> dict[str, Any]:
        """The body as JSON, `{}` if it is not an object."""
        return object_or_none(self.body) or {}

    @property
    def type(self) -> str:
        """The event, such as `interaction.completed`."""
        return str(self.envelope.get("type", ""))

    @property
    def data(self) -> dict[str, Any]:
        """The data of the event."""
        data = self.envelope.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def interaction_id(self) -> str:
        """The interaction that the event is about."""
        return str(self.data.get("id", ""))

    @property
    def webhook_id(self) -> str:
        """The id that stays the same when a delivery is repeated."""
        return self.headers.get(ID, "")

    def is_signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is by this secret."""
        return not find_signature_fault([secret], Headers(self.headers.items()), self.body)


class WebhooksFixture:
    """Registers webhooks at the test's emulator, receives what comes, and makes deliveries of its own."""

    SLOW = NoReply.SLOW
    HANG_UP = NoReply.HANG_UP

    def __init__(self, emulator: InteractionsEmulator) -> None:
        emulator.emulator.set_time(time.time())
        self._emulator = emulator
        self._routes: dict[str, Receive] = {}
        self._post = ServicePost(emulator.emulator.outbox, emulator.clock, self._send_elsewhere)
        self._inbox = self._post.listen()
        self._received: list[WebhookDelivery] = []
        self._counts: Counter[str] = Counter()
        self._returned = 0
        self._signed = 0
        self.secret = SECRET
        """The secret of the webhook that was registered last."""

    # Receiving

    @property
    def uri(self) -> str:
        """The address of the receiver, for code that registers webhooks itself or names URIs in a create."""
        return self._inbox.uri

    def register(self, *events: str, uri: str = "") -> dict[str, Any]:
        """Subscribe to events of interactions, by default to all three, and return the webhook.

        `uri` is that of a receiver of your own; see `route`.
        """
        _refuse_unknown(events)
        body = {"uri": uri or self.uri, "subscribed_events": list(events or EVENTS)}
        made = self._emulator.call("POST", "webhooks", body)
        self.secret = str(made["new_signing_secret"])
        return made

    def route(self, uri: str, receive: Receive) -> None:
        """Hand deliveries for a URI to a function. Other URIs on this machine get real requests."""
        self._routes[uri] = receive

    def answer(self, *answers: Answer) -> None:
        """Return these to the next deliveries, one each: statuses, `SLOW` or `HANG_UP`; later ones with 200."""
        self._inbox.answer(*answers)

    def wait(self, event: str = "", *, interaction: str = "", seconds: float = 86_400.0) -> WebhookDelivery:
        """The next delivery, perhaps of one event or about one interaction. Takes no real time.

        Raises AssertionError if none comes within `seconds` of the emulator's time.
        """
        __tracebackhide__ = True
        if event:
            _refuse_unknown((event,))
        end = self._emulator.clock.now + seconds
        while True:
            for place in range(self._returned, len(self.received)):
                found = self._received[place]
                if event in ("", found.type) and interaction in ("", found.interaction_id):
                    self._returned = place + 1
                    return found
            left = end - self._emulator.clock.now
            if left <= 0 or not self._take(self._inbox.collect(1, left)):
                raise AssertionError(self._describe_silence(event or "delivery", interaction))

    @property
    def received(self) -> list[WebhookDelivery]:
        """Everything that has come so far, each attempt by itself; what is due now is delivered first."""
        self._post.carry()
        self._take(self._inbox.collect(0, 0.0))
        return self._received

    def deliver(self, seconds: float = 0.0) -> None:
        """Deliver what is due now or within `seconds` of the emulator's time, also to receivers of your own."""
        while self._emulator.emulator.outbox.attend():
            self._emulator.clock.reached(self._emulator.clock.now + 0.25)
        self._post.carry_until(lambda: False, seconds)

    def _take(self, arrivals: list[Arrival]) -> bool:
        for arrival in arrivals:
            request = arrival.exchange.request
            headers = {name.lower(): value for name, value in request.headers}
            self._counts[headers.get(ID, "")] += 1
            attempt = self._counts[headers.get(ID, "")]
            self._received.append(WebhookDelivery(headers, request.body, attempt, arrival.moment))
        return bool(arrivals)

    def _send_elsewhere(self, delivery: Delivery) -> int | None:
        request = delivery.request
        receive = self._routes.get(delivery.uri)
        if receive is not None:
            return _ask(receive, {name.lower(): value for name, value in request.headers}, request.body)
        if is_on_this_machine(delivery.uri):
            return post(delivery)
        raise Unmet("this is another machine: interactions_webhooks.route(uri, function) receives it in the test")

    def _describe_silence(self, wanted: str, interaction: str) -> str:
        about = f" about {interaction}" if interaction else ""
        came = ", ".join(f"{one.type or 'no event'} about {one.interaction_id}" for one in self._received)
        lost = "".join(f"\ngiven up: {reason}" for reason in self._emulator.emulator.outbox.given_up)
        hint = (
            ""
            if came or lost
            else "\nOnly a background run sends events, to a webhook that was registered before it ended."
        )
        return f"no {wanted}{about} arrived; arrived: {came or 'nothing'}{lost}{hint}"

    # Sending

    def sign(
        self,
        event: str = EVENTS[0],
        interaction: str = "v1_test",
        *,
        secret: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> WebhookDelivery:
        """A delivery as the service would send it now, for a receiver of your own; `metadata` is the user's."""
        _refuse_unknown((event,))
        self._signed += 1
        moment = int(time.time())
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        body = build_envelope(event, interaction, stamp, metadata=metadata)
        return _seal(f"msg_test_{self._signed}", moment, body, secret or self.secret)

    def forge(self, delivery: WebhookDelivery | None = None) -> dict[str, WebhookDelivery]:
        """Deliveries that a receiver has to refuse, by what is wrong with them; made from a right one."""
        right = delivery or self.sign()
        stale = int(TOLERANCE * 2)
        moment = int(right.headers[TIMESTAMP])
        text = SECRET_PREFIX + base64.b64encode(self.secret.encode()).decode()
        other = _seal(right.webhook_id, moment, right.body, SECRET_PREFIX + "b3RoZXI=" * 4)

        def having(**headers: str) -> WebhookDelivery:
            changed = {f"webhook-{name}": value for name, value in headers.items()}
            return replace(right, headers={**right.headers, **changed})

        return {
            "another body": replace(right, body=right.body.replace(b'"id":"', b'"id":"x')),
            "another id": having(id=f"{right.webhook_id}x"),
            "another timestamp": having(timestamp=str(moment + 1)),
            "another secret": other,
            "the secret's text as the key": _seal(right.webhook_id, moment, right.body, text),
            "another version of signature": having(signature=right.headers[SIGNATURE].replace("v1,", "v2,")),
            "no signature": replace(
                right, headers={name: value for name, value in right.headers.items() if name != SIGNATURE}
            ),
            "ten minutes old": _seal(right.webhook_id, moment - stale, right.body, self.secret),
            "ten minutes ahead": _seal(right.webhook_id, moment + stale, right.body, self.secret),
        }

    def assert_guarded(self, receive: Receive) -> None:
        """Assert that a receiver accepts a right delivery, signed with `secret`, and refuses every forged one.

        The deliveries are about an interaction that the emulator has, which a receiver may read.
        """
        __tracebackhide__ = True
        made = self._emulator.create(background=False)["id"]
        right = self.sign(interaction=made)
        status = receive(dict(right.headers), right.body)
        if status is not None and not 200 <= status < 300:
            question = f"is the receiver's secret {self.secret!r}?"
            raise AssertionError(f"a correct delivery returned {status}: {question}")
        accepted = [
            wrong
            for wrong, forged in self.forge(self.sign(interaction=made)).items()
            if 200 <= _ask(receive, forged.headers, forged.body) < 300
        ]
        if accepted:
            raise AssertionError(f"forged deliveries were accepted: {', '.join(accepted)}")


def _ask(receive: Receive, headers: Mapping[str, str], body: bytes) -> int:
    """The status of a receiver; one that raises refuses."""
    try:
        status = receive(dict(headers), body)
    except Exception:
        return 500
    return 200 if status is None else status


def _seal(name: str, moment: int, body: bytes, secret: str) -> WebhookDelivery:
    signature = signing.sign([secret], name, moment, body)
    fields = {"content-type": "application/json", ID: name, TIMESTAMP: str(moment), SIGNATURE: signature}
    return WebhookDelivery(fields, body)


def _refuse_unknown(events: Iterable[str]) -> None:
    for event in events:
        if event not in EVENTS:
            hint = did_you_mean(event, EVENTS, otherwise=f": there are {', '.join(EVENTS)}")
            raise UsageFault(f"interactions have no event {event!r}{hint}")
