"""Checks of webhook resources; what is delivered to them is judged in `deliveries`."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import finding, note, text_in
from harness.checks.vocabulary.runs import id_of
from harness.contract import read
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Send, Steps, exercise, stop_exercise
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

URI = "https://example.com/interactions-harness"
"""A host that is reserved for examples, so that deliveries reach nobody."""

EVENTS = ["interaction.completed", "interaction.failed"]
SECRET = "new_signing_secret"


@exercise(requests=15)
def a_webhook_of_our_own(t: RequestBuilder) -> Steps:
    """Create a webhook beside another; read, list, rename and ping it, rotate its secret, and delete it."""
    wrong = {"uri": URI, "subscribed_events": ["interaction.harness"]}
    seen: Exchanges = {"wrong": (yield Send(t.request("POST", "webhooks", wrong)))}
    seen["unknown"] = yield Send(t.request("GET", "webhooks/harness-no-such-webhook"))
    body = {"uri": URI, "subscribed_events": EVENTS, "name": "harness-check"}
    seen["made"] = yield Send(t.request("POST", "webhooks", body))
    found = id_of(seen["made"])
    if not found:
        return stop_exercise(seen, f"the target created no webhook: {format_answer(seen['made'])}")
    path = f"webhooks/{segment(found)}"
    seen |= yield from resources.read_and_list(t, path)
    renamed = {"name": "harness-renamed"}
    seen["patched"] = yield Send(t.request("PATCH", path, renamed, query={"update_mask": "name"}))
    seen["pinged"] = yield Send(t.request("POST", f"{path}:ping", {}))
    seen["rotated"] = yield Send(t.request("POST", f"{path}:rotateSigningSecret", {}))
    seen |= yield from resources.page_beside(t, "webhooks", found, {**body, "name": "harness-other"})
    return {**seen, **(yield from resources.delete_and_read(t, path, *seen["beside"], listed=seen["listed"]))}


can_be_managed = resources.judge_lives("webhooks", {"uri": URI, "subscribed_events": EVENTS})
pages_hold_each_once = resources.judge_pages("webhooks")


def changes_one_field(patched: Exchange) -> Iterator[Finding]:
    yield from resources.judge_values(
        patched, {"name": "harness-renamed", "uri": URI, "subscribed_events": EVENTS}
    )


def shows_its_secret_once(
    made: Exchange, fetched: Exchange, listed: Exchange, patched: Exchange
) -> Iterator[Finding]:
    if not text_in(made, SECRET):
        yield finding("the create returned no secret", SECRET, "none", exchange="made")
    for name, answer in (("fetched", fetched), ("patched", patched)):
        if text_in(answer, SECRET):
            yield finding("a later response contains the secret", "none", "a secret", exchange=name)
    if listed.status in SUCCESS and any(entry.get(SECRET) for entry in resources.entries(listed, "webhooks")):
        yield finding("the list contains the secret", "none", "a secret", exchange="listed")


def answers_a_ping(pinged: Exchange) -> Iterator[Finding]:
    if pinged.body and read(pinged).json != {}:
        yield note("the response is not empty", "{}", format_answer(pinged))


def replaces_its_secret(made: Exchange, rotated: Exchange) -> Iterator[Finding]:
    if not text_in(rotated, "secret"):
        yield finding("the response contains no new secret", "a non-empty `secret`", "none")
    elif text_in(rotated, "secret") == text_in(made, SECRET):
        yield finding("the secret is the old one", "a new secret", "the old one")
