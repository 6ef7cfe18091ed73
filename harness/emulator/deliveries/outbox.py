"""The deliveries of one session: who is told of a run that has settled, and when the next attempt is due.

Layer 2. Never sends anything: a carrier takes what is due and says what was answered. Documented (webhook guide):
a 2xx acknowledges; anything else is tried again with exponential backoff for 24 hours, under one `webhook-id`.
Inferred: the first retry comes after a second and each further delay is twice as long; a webhook that nothing
could be delivered to for 24 hours is disabled; only background runs are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from harness.emulator.deliveries import signing
from harness.emulator.deliveries.envelope import EVENT_OF_STATUS, build_envelope
from harness.emulator.resources.collection import Stamps
from harness.emulator.run.run import Run
from harness.wire import Clock, Headers, Request
from harness.wire.delivery import Delivery

if TYPE_CHECKING:
    from harness.emulator.resources.webhooks import Webhook

FIRST_DELAY = 1.0
GIVE_UP = 86_400.0
"""Seconds after the first attempt in which the last one is made."""

MOST_JOBS = 1000
"""Limit on what waits; beyond it the oldest is given up."""

MOST_BYTES = 64 * 2**20
"""The same for the bytes of their bodies; the latest waits in any case."""

MOST_REASONS = 100


@dataclass(slots=True, eq=False)
class Job:
    """One event for one receiver, until it is acknowledged or given up; without a `webhook` it is dynamic."""

    id: str
    uri: str
    body: bytes
    webhook: Webhook | None
    begun: float
    due: float
    attempts: int = 0
    under_way: Delivery | None = None


class Deliveries:
    """What is to be delivered, oldest first; the caller holds the lock.

    `read_unix` returns the time that signatures name; `given_up` tells why deliveries were dropped.
    """

    def __init__(
        self,
        clock: Clock,
        stamps: Stamps,
        find_webhooks: Callable[[str, str | None], Iterable[Webhook]],
        read_unix: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._read_unix = read_unix
        self._stamps = stamps
        self._find_webhooks = find_webhooks
        self._jobs: list[Job] = []
        self._runs: WeakValueDictionary[str, Run] = WeakValueDictionary()  # the store bounds how many there are
        self.given_up: list[str] = []

    # What is told to whom

    def watch(self, run: Run) -> None:
        """Remember a background run, so that `attend` moves it if a webhook waits for it."""
        if run.background and not run.settled:
            self._runs[run.id] = run

    def note_settled(self, run: Run) -> None:
        """Queue the event of a run that has just settled, for everybody who wants it."""
        if not run.background:
            return
        event = EVENT_OF_STATUS.get(run.status)
        if event is None:
            return
        config = _read_config(run)
        body = build_envelope(
            event, run.id, self._stamps.now(), errors=run.errors, metadata=config.get("user_metadata")
        )
        for uri, webhook in self._find_receivers(run, event):
            now = self._clock.now
            self._jobs.append(Job(self._stamps.ids("msg"), uri, body, webhook, now, now))
        self._make_room()

    def _make_room(self) -> None:
        """Give up the oldest deliveries beyond the limits."""
        held = sum(len(job.body) for job in self._jobs)
        while len(self._jobs) > MOST_JOBS or (held > MOST_BYTES and len(self._jobs) > 1):
            held -= len(self._jobs[0].body)
            self._end(self._jobs[0], f"more than {MOST_JOBS} deliveries wait, or {MOST_BYTES} bytes")

    def _find_receivers(self, run: Run, event: str | None) -> Iterator[tuple[str, Webhook | None]]:
        """The URIs in the create replace all registered webhooks (type WebhookConfig)."""
        uris = _read_config(run).get("uris") or ()
        if uris:
            yield from ((uri, None) for uri in uris)
        else:
            for webhook in self._find_webhooks(run.project, event):
                yield webhook.fields["uri"], webhook

    def attend(self) -> bool:
        """Move each run that a webhook waits for to its next visible state; whether one is still running."""
        running = [run for run in self._runs.values() if not run.settled]
        self._runs = WeakValueDictionary({run.id: run for run in running})
        waited = [run for run in running if not run.held and any(self._find_receivers(run, None))]
        for run in waited:
            run.poll()
        return any(not run.settled for run in waited)

    # Attempts

    @property
    def next_due(self) -> float | None:
        """The moment of the next attempt."""
        return min((job.due for job in self._jobs if job.under_way is None), default=None)

    def take_due(self) -> list[Delivery]:
        """Begin every attempt that is due."""
        due = [job for job in self._jobs if job.under_way is None and job.due <= self._clock.now]
        return [self._begin(job) for job in due]

    def _begin(self, job: Job) -> Delivery:
        request = self.build_request(job)
        job.attempts += 1
        job.under_way = Delivery(job.uri, request, job.attempts)
        return job.under_way

    def build_request(self, job: Job) -> Request:
        """The request of an attempt, signed at this moment with the secrets that are valid now."""
        timestamp = self._read_unix()
        parts = urlsplit(job.uri)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = [("content-type", "application/json"), ("user-agent", "harness-emulator")]
        fields += [("webhook-id", job.id), ("webhook-timestamp", str(timestamp))]
        fields.append(("webhook-signature", self.sign(job, timestamp)))
        return Request("POST", target, Headers(fields), job.body)

    def sign(self, job: Job, timestamp: int) -> str:
        """The signature of an attempt."""
        if job.webhook is None:
            return signing.build_token(job.uri, job.id, timestamp)
        return signing.sign(job.webhook.valid_secrets(self._stamps.now()), job.id, timestamp, job.body)

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
        job.due = self._clock.now + FIRST_DELAY * 2 ** (job.attempts - 1)
        if job.due > job.begun + GIVE_UP:
            if job.webhook is not None:
                job.webhook.fields["state"] = "disabled_due_to_failed_deliveries"
            self._end(job, f"no 2xx came in {job.attempts} attempts")

    def drop(self, delivery: Delivery, reason: str) -> None:
        """Give a delivery up."""
        job = self._find(delivery)
        if job is not None:
            self._end(job, reason)

    def _end(self, job: Job, reason: str) -> None:
        self._jobs.remove(job)
        self.given_up = [*self.given_up, f"{job.uri}: {reason}"][-MOST_REASONS:]

    def _find(self, delivery: Delivery) -> Job | None:
        return next((job for job in self._jobs if job.under_way is delivery), None)


def _read_config(run: Run) -> dict[str, Any]:
    config = run.body.get("webhook_config")
    return config if isinstance(config, dict) else {}
