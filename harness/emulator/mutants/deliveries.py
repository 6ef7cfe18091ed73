"""Mutants: what is delivered to webhooks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec

from harness.contract.tables.protocol import EVENT_OF_STATUS
from harness.emulator.deliveries import Deliveries, Job, sign
from harness.emulator.mutants.changes import skip, when
from harness.emulator.mutants.hooks import row
from harness.emulator.mutants.parts import Defect, around, before, instead
from harness.emulator.run.run import Run
from harness.emulator.values.stamps import SECRET_PREFIX
from harness.kit.mutant import table


def _with_body(change: Any) -> Any:
    """Change the JSON body of each delivery before it is signed."""

    def begin(deliveries: Deliveries, job: Job) -> None:
        if job.attempts == 1:
            job.body = msgspec.json.encode(change(msgspec.json.decode(job.body)))

    return before(Deliveries.build_request, begin)


def _with_secrets(change: Callable[[list[str]], list[str]]) -> Defect:
    """Sign what is delivered to a webhook with other secrets than those that are valid."""
    return instead(Deliveries.sign, when(
        lambda deliveries, job, timestamp: job.webhook is not None,
        lambda deliveries, job, timestamp: sign(
            change([secret.text for secret in job.webhook.secrets]), job.id, timestamp, job.body)))  # fmt: skip


def _find_webhooks_too(inner: Any, deliveries: Deliveries, run: Run, event: str | None) -> Any:
    found = [*inner(run, event)]
    others = deliveries.find_webhooks(run.project, event) if any(hook is None for _, hook in found) else ()
    return [*found, *((hook.fields["uri"], hook) for hook in others)]


MUTANTS = table(
    "deliveries",
    row("hook-never-delivered", "Nothing is ever delivered to a webhook.",
        before(Deliveries.note_settled, when(lambda deliveries, run: (
            run.background and any(deliveries._find_receivers(run, EVENT_OF_STATUS.get(run.status)))), skip))),
    row("hook-signed-with-text", "Deliveries are signed with the secret's text, not with what it encodes.",
        _with_secrets(lambda secrets: [  # the mistake that receivers make, too
            SECRET_PREFIX + base64.b64encode(secret.encode()).decode() for secret in secrets])),
    row("hook-never-again", "A delivery that is refused is not made again.", instead(Deliveries.retry,
        lambda deliveries, job: deliveries._end(job, "no second attempt is made"))),
    row("hook-id-at-the-top", "A delivery has the id beside `data`, which contains another one.",
        _with_body(lambda body: {**body, "id": body["data"]["id"], "data": {"id": "none"}})),
    row("hook-version-number", "The version of a delivery is 1.0.",
        _with_body(lambda body: {**body, "version": "1.0"})),
    row("hook-always-completed", "Every run is reported as completed, even one that waits for an action.",
        _with_body(lambda body: {**body, "type": "interaction.completed"})),
    row("hook-old-secret-signs", "After a rotation only the oldest secret signs.",
        _with_secrets(lambda secrets: secrets[-1:])),
    row("hook-no-token", "Deliveries to a URI of the create are not signed.",
        instead(Deliveries.sign, when(lambda deliveries, job, timestamp: job.webhook is None, lambda *_: ""))),
    row("hook-both", "A run with URIs of its own is reported to the webhooks, too.",
        around(Deliveries._find_receivers, _find_webhooks_too)),
)  # fmt: skip
