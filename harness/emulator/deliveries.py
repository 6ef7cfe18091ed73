"""The posts of the service to webhooks: events, signatures, and the schedule of attempts.

Never sends anything: a carrier takes what is due and notes the response. Documented (webhook guide): the envelope
and the seven events; static webhooks are signed by HMAC (Standard Webhooks, one signature for each valid secret,
the newest first), dynamic ones by a JWT with RS256; a 2xx acknowledges; anything else is tried again with
exponential backoff for 24 hours, under one `webhook-id`. Inferred: the claims of the token; the first retry comes
after a second and each further delay is twice as long; a webhook that nothing could be delivered to for 24 hours
is disabled; only background runs are reported; `user_metadata` goes into `data`. A cancelled or incomplete
interaction has no event that can be subscribed to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from harness.contract.tables.protocol import EVENT_OF_STATUS
from harness.emulator.run.run import Run
from harness.emulator.values.stamps import SECRET_PREFIX, Stamps
from harness.wire import Clock, Headers, Request
from harness.wire.bodies import as_object
from harness.wire.delivery import Delivery

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from harness.emulator.resources.webhooks import Webhook


def build_envelope(
    event: str,
    interaction_id: str,
    timestamp: str,
    *,
    errors: Sequence[Any] = (),
    metadata: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a delivery; that of a failed interaction has its first error."""
    data: dict[str, Any] = {"id": interaction_id}
    if event == EVENT_OF_STATUS["failed"]:
        first = errors[0] if errors and isinstance(errors[0], dict) else {}
        data["error_code"] = str(first.get("code") or "api_error")
        data["error_message"] = str(first.get("message") or "The interaction failed.")
    if metadata:
        data["user_metadata"] = dict(metadata)
    return msgspec.json.encode({"type": event, "version": "v1", "timestamp": timestamp, "data": data})


_BETWEEN_POLLS = 1.0
"""Seconds of the clock between two moves of a run that only a webhook waits for: clients poll about as often."""

KEY_ID = "harness-emulator-1"

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
"""The primes of a published key: a signature with it proves its form, and never its sender."""
_E = 65537


def sign(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: a signature for each secret, separated by spaces."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in secrets)
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode("ascii") for digest in digests)


def build_token(audience: str, message_id: str, timestamp: int) -> str:
    """The value of `Webhook-Signature` of a dynamic webhook."""
    import jwt

    # the guide has deliveries refused that are older than five minutes
    times = {"iat": timestamp, "exp": timestamp + 300}
    claims = {"iss": "https://generativelanguage.googleapis.com", "aud": audience, **times, "jti": message_id}
    return jwt.encode(claims, _make_key(), algorithm="RS256", headers={"kid": KEY_ID})


def build_jwks() -> dict[str, Any]:
    """The set of public keys, as `/.well-known/jwks.json` answers it."""
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID}
    for name, number in (("n", _P * _Q), ("e", _E)):
        data = number.to_bytes((number.bit_length() + 7) // 8, "big")
        key[name] = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return {"keys": [key]}


@lru_cache(maxsize=1)
def _make_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    d = pow(_E, -1, (_P - 1) * (_Q - 1))
    public = rsa.RSAPublicNumbers(_E, _P * _Q)
    numbers = rsa.RSAPrivateNumbers(
        p=_P, q=_Q, d=d, dmp1=d % (_P - 1), dmq1=d % (_Q - 1), iqmp=pow(_Q, -1, _P), public_numbers=public
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)  # ours, and a test validates it: 30 ms


class Job(Struct, eq=False):
    """One event for one receiver, until it is acknowledged or given up; without a `webhook` it is dynamic."""

    id: str
    uri: str
    body: bytes
    webhook: Webhook | None
    begun: float
    due: float
    attempts: int = 0
    under_way: Delivery | None = None


@dataclass(eq=False)
class Deliveries:
    """The deliveries that wait, oldest first; the caller holds the lock.

    `read_unix` returns the time for signatures; `given_up` has the reasons why deliveries were dropped. The sender
    of a delivery signs it, on any thread, and takes the lock for that.
    """

    clock: Clock
    stamps: Stamps
    find_webhooks: Callable[[str, str | None], Iterable[Webhook]]
    read_unix: Callable[[], int]
    lock: RLock
    given_up: list[str] = field(default_factory=list, init=False)
    _jobs: list[Job] = field(default_factory=list, init=False)
    _runs: WeakValueDictionary[str, Run] = field(default_factory=WeakValueDictionary, init=False)
    """The background runs; the store bounds how many there are."""

    # Events and their receivers

    def watch(self, run: Run) -> None:
        """Remember a background run, so that `attend` moves it if a webhook waits for it."""
        if run.background and not run.settled:
            self._runs[run.id] = run

    def note_settled(self, run: Run) -> None:
        """Queue the event of a run that has just settled, for each receiver that subscribed to it."""
        if not run.background:
            return
        event = EVENT_OF_STATUS.get(run.status)
        if event is None:
            return
        config = as_object(run.body.get("webhook_config"))
        body = build_envelope(
            event, run.id, self.stamps.now(), errors=run.errors, metadata=config.get("user_metadata")
        )
        for uri, webhook in self._find_receivers(run, event):
            now = self.clock.now
            self._jobs.append(Job(self.stamps.ids("msg"), uri, body, webhook, now, now))
        while len(self._jobs) > 1000:
            self._end(self._jobs[0], "more than 1000 deliveries wait")

    def _find_receivers(self, run: Run, event: str | None) -> list[tuple[str, Webhook | None]]:
        """The URIs in the create replace all registered webhooks (type WebhookConfig)."""
        uris = as_object(run.body.get("webhook_config")).get("uris") or ()
        webhooks = () if uris else self.find_webhooks(run.project, event)
        return [*((uri, None) for uri in uris), *((hook.fields["uri"], hook) for hook in webhooks)]

    def attend(self, reaches: Callable[[str], bool]) -> bool:
        """Move each run that a webhook waits for to its next visible state; whether one is still running.

        Only one that a delivery `reaches`, and that no poll or reader has moved for a second: a client that polls
        sees the same states with and without webhooks.
        """
        running = [run for run in self._runs.values() if not run.settled]
        self._runs = WeakValueDictionary({run.id: run for run in running})
        waited = [
            run
            for run in running
            if not run.held and any(reaches(uri) for uri, _ in self._find_receivers(run, None))
        ]
        for run in waited:
            if self.clock.now - run.polled >= _BETWEEN_POLLS:
                run.poll()
        return any(not run.settled for run in waited)

    # Attempts

    @property
    def next_due(self) -> float | None:
        return min((job.due for job in self._jobs if job.under_way is None), default=None)

    def take_due(self) -> list[Delivery]:
        """Begin every attempt that is due."""
        begun: list[Delivery] = []
        for job in self._jobs:
            if job.under_way is None and job.due <= self.clock.now:
                job.attempts += 1
                job.under_way = Delivery(job.uri, partial(self.build_request, job), job.attempts)
                begun.append(job.under_way)
        return begun

    def build_request(self, job: Job) -> Request:
        """The request of an attempt, signed at this moment with the secrets that are valid now."""
        timestamp = self.read_unix()
        parts = urlsplit(job.uri)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = [("content-type", "application/json"), ("user-agent", "harness-emulator")]
        fields += [("webhook-id", job.id), ("webhook-timestamp", str(timestamp))]
        with self.lock:
            fields.append(("webhook-signature", self.sign(job, timestamp)))
        return Request("POST", target, Headers(fields), job.body)

    def sign(self, job: Job, timestamp: int) -> str:
        if job.webhook is None:
            return build_token(job.uri, job.id, timestamp)
        secrets = (secret.text for secret in job.webhook.list_valid(self.stamps.now()))
        return sign(secrets, job.id, timestamp, job.body)

    def note_answer(self, delivery: Delivery, status: int | None) -> None:
        """Acknowledge on a 2xx, else plan the next attempt."""
        job = self._find(delivery)
        if job is None:
            return
        job.under_way = None
        if status is not None and 200 <= status < 300:
            self._jobs.remove(job)
        else:
            self.retry(job)

    def retry(self, job: Job) -> None:
        """Plan the next attempt, or give up after 24 hours."""
        job.due = self.clock.now + 2 ** (job.attempts - 1)
        if job.due > job.begun + 86_400:
            if job.webhook is not None:
                job.webhook.fields["state"] = "disabled_due_to_failed_deliveries"
            self._end(job, f"no 2xx came in {job.attempts} attempts")

    def drop(self, delivery: Delivery, reason: str) -> None:
        job = self._find(delivery)
        if job is not None:
            self._end(job, reason)

    def _end(self, job: Job, reason: str) -> None:
        self._jobs.remove(job)
        self.given_up = [*self.given_up, f"{job.uri}: {reason}"][-100:]

    def _find(self, delivery: Delivery) -> Job | None:
        return next((job for job in self._jobs if job.under_way is delivery), None)
