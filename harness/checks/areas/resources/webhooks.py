"""Checks of webhook resources; what is delivered to them is judged in `deliveries`.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    expect_object,
    expect_refusal,
    expect_status,
    finding,
    interaction_in,
    note,
)
from harness.checks.vocabulary.lives import delete_and_look, judge_life, judge_shapes, judge_values, read_and_list
from harness.checks.vocabulary.pages import entries
from harness.checks.vocabulary.polling import expect_id, id_of
from harness.contract import read
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

_WEBHOOKS = new_registry()
CHECKS = _WEBHOOKS.checks

URI = "https://example.com/interactions-harness"
"""A host that is reserved for examples, so that deliveries reach nobody."""

EVENTS = ["interaction.completed", "interaction.failed"]
SECRET = "new_signing_secret"


@exercise(requests=10)
def a_webhook_of_our_own(t: RequestBuilder) -> Steps:
    """Create a webhook; read, list, rename and ping it, rotate its secret, and delete it."""
    wrong = {"uri": URI, "subscribed_events": ["interaction.harness"]}
    seen: Exchanges = {"wrong": (yield Send(t.request("POST", "webhooks", wrong)))}
    seen["unknown"] = yield Send(t.request("GET", "webhooks/harness-no-such-webhook"))
    body = {"uri": URI, "subscribed_events": EVENTS, "name": "harness-check"}
    seen["made"] = yield Send(t.request("POST", "webhooks", body))
    found = id_of(seen["made"])
    if not found:
        return stop_exercise(seen, f"no webhook could be made: {format_answer(seen['made'])}")
    path = f"webhooks/{segment(found)}"
    seen |= yield from read_and_list(t, path)
    renamed = {"name": "harness-renamed"}
    seen["patched"] = yield Send(t.request("PATCH", path, renamed, query={"update_mask": "name"}))
    seen["pinged"] = yield Send(t.request("POST", f"{path}:ping", {}))
    seen["rotated"] = yield Send(t.request("POST", f"{path}:rotateSigningSecret", {}))
    return {**seen, **(yield from delete_and_look(t, path))}


@_WEBHOOKS.check(
    "hook.create",
    a_webhook_of_our_own,
    title="a webhook is made with an id",
    profile="agents",
    requires=["webhooks"],
    accepts=["2xx and a non-empty string as id"],
)
def _is_made(made: Exchange) -> Iterator[Finding]:
    yield from expect_object(made)
    yield from expect_id(made)


@_WEBHOOKS.check(
    "hook.crud",
    a_webhook_of_our_own,
    title="a webhook can be made, read, listed and deleted",
    profile="agents",
    requires=["webhooks"],
    accepts=["2xx throughout, 404 in the end"],
    about="fetched",
)
def _can_be_managed(
    made: Exchange, fetched: Exchange, listed: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    shows = {"id": id_of(made), "uri": URI, "subscribed_events": EVENTS}
    yield from judge_life("webhooks", shows, made=made, fetched=fetched, listed=listed, deleted=deleted, gone=gone)


@_WEBHOOKS.check(
    "hook.schema",
    a_webhook_of_our_own,
    title="webhooks fit their schema, alone and in lists",
    profile="agents",
    requires=["webhooks"],
    accepts=["additional fields", "values of open enumerations"],
    everywhere=True,
)
def _fits(
    made: Exchange, fetched: Exchange, listed: Exchange, patched: Exchange, rotated: Exchange
) -> Iterator[Finding]:
    answers = {"made": made, "fetched": fetched, "listed": listed, "patched": patched, "rotated": rotated}
    yield from judge_shapes("hook.schema", **answers)


@_WEBHOOKS.check(
    "hook.patch",
    a_webhook_of_our_own,
    title="a change touches what it names",
    profile="agents",
    requires=["webhooks"],
    accepts=["2xx and the webhook with its new name; events in any order"],
)
def _changes_one_field(patched: Exchange) -> Iterator[Finding]:
    yield from expect_object(patched)
    yield from judge_values(patched, {"name": "harness-renamed", "uri": URI, "subscribed_events": EVENTS})


@_WEBHOOKS.check(
    "hook.secret-once",
    a_webhook_of_our_own,
    title="the signing secret is shown once",
    profile="agents",
    requires=["webhooks"],
    accepts=["with the create, and in no later answer"],
)
def _shows_its_secret_once(
    made: Exchange, fetched: Exchange, listed: Exchange, patched: Exchange
) -> Iterator[Finding]:
    if not _read_text(made, SECRET):
        yield finding("the create shows no secret", expected=SECRET, actual="none").at(exchange="made")
    for name, answer in (("fetched", fetched), ("patched", patched)):
        if _read_text(answer, SECRET):
            yield finding("the secret is shown again", expected="none", actual="a secret").at(exchange=name)
    if listed.status in SUCCESS and any(entry.get(SECRET) for entry in entries(listed, "webhooks")):
        yield finding("the secret is in the list", expected="none", actual="a secret").at(exchange="listed")


_WEBHOOKS.check(
    "hook.event-enum",
    a_webhook_of_our_own,
    title="an event that does not exist is refused",
    profile="agents",
    requires=["webhooks"],
    accepts=["400", "any other 4xx: non-strict"],
)(judge_one("wrong", partial(expect_refusal, accepts={400})))


_WEBHOOKS.check(
    "hook.unknown",
    a_webhook_of_our_own,
    title="an unknown webhook is not found",
    profile="agents",
    requires=["webhooks"],
    accepts=["404", "any other 4xx: non-strict"],
)(judge_one("unknown", partial(expect_refusal, accepts={404})))


@_WEBHOOKS.check(
    "hook.ping",
    a_webhook_of_our_own,
    title="a ping is answered",
    profile="agents",
    requires=["webhooks"],
    accepts=["2xx with an empty object or no body", "fields in the answer (noted)"],
)
def _answers_a_ping(pinged: Exchange) -> Iterator[Finding]:
    yield from expect_status(pinged, accepts=SUCCESS)
    if pinged.status in SUCCESS and pinged.body and read(pinged).json != {}:
        yield note("the answer is not empty", expected="{}", actual=format_answer(pinged))


@_WEBHOOKS.check(
    "hook.rotate",
    a_webhook_of_our_own,
    title="a secret can be replaced",
    profile="agents",
    requires=["webhooks"],
    accepts=["a secret that is not the old one"],
    about="rotated",
)
def _replaces_its_secret(made: Exchange, rotated: Exchange) -> Iterator[Finding]:
    yield from expect_status(rotated, accepts=SUCCESS)
    if rotated.status not in SUCCESS:
        return
    if not _read_text(rotated, "secret"):
        yield finding("no new secret", expected="a non-empty `secret`", actual="none")
    elif _read_text(rotated, "secret") == _read_text(made, SECRET):
        yield finding("the secret is the old one", expected="a new secret", actual="the old one")


def _read_text(exchange: Exchange, name: str) -> str:
    try:
        found = interaction_in(exchange).get(name)
    except Unmet:
        return ""
    return found if isinstance(found, str) else ""
