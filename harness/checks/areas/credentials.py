"""Checks of stored credentials: they can be managed, and their secrets never come back.

The secret is made up, and the host that it is for is reserved for examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import at, finding, require_answer
from harness.checks.vocabulary.runs import id_of
from harness.contract.judge.reading import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Send, Steps, exercise, send_each, stop_exercise, take
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.bodies import object_or_none

OWN, OTHER = "harness-check-credential", "harness-check-credential-2"
"""The ids to create and delete; what is left over from an interrupted run is deleted first."""

SECRETS = ("harness-first-0b1c2d3e4f", "harness-second-5a6b7c8d9e")
"""What no answer may hold: the secret of the create, and that of the change."""


@exercise(requests=19, uses=("environments",))
def a_credential_of_our_own(t: RequestBuilder) -> Steps:
    """Create a credential beside another; read, list, use, change and delete it; try what has to be refused."""
    path = f"credentials/{OWN}"
    yield from send_each(**{name: t.request("DELETE", f"credentials/{name}") for name in (OWN, OTHER)})
    misspelt = {"type": "bearer_token", "token": SECRETS[0], "headerName": "X-Token"}
    body: dict[str, Any] = {"id": OWN, "type": "bearer_token", "token": SECRETS[0]}
    seen: Exchanges = yield from send_each(
        misspelt=t.request("POST", "credentials", misspelt),
        bare=t.request("POST", "credentials", {"type": "bearer_token"}),
        unknown=t.request("GET", "credentials/harness-no-such-credential"),
        made=t.request("POST", "credentials", body),
    )
    if not id_of(seen["made"]):
        return stop_exercise(seen, f"the target created no credential: {format_answer(seen['made'])}")
    seen["twice"] = yield Send(t.request("POST", "credentials", body))
    seen |= yield from resources.read_and_list(t, path)
    seen |= yield from resources.page_beside(t, "credentials", OWN, {**body, "id": OTHER})
    if "environments" in t.capabilities:
        entry = {"domain": "api.example.com", "credential": OWN}
        sandbox = {"network": {"allowlist": [entry]}}
        seen["sandbox"] = yield Send(t.request("POST", "environments", sandbox))
    else:
        seen["sandbox"] = None
    changed = {"type": "bearer_token", "token": SECRETS[1]}
    seen["patched"] = yield Send(t.request("PATCH", path, changed))
    seen["untyped"] = yield Send(t.request("PATCH", path, {"token": SECRETS[1]}))
    return {**seen, **(yield from resources.delete_and_read(t, path, *seen["beside"], listed=seen["listed"]))}


pages_hold_each_once = resources.judge_pages("credentials")


def can_be_managed(*, made: Exchange, patched: Exchange, **answers: Any) -> Iterator[Finding]:
    shows = {"id": OWN}
    yield from resources.judge_life("credentials", shows, made=made, patched=patched, **answers)
    for name, answer in (("made", made), ("patched", patched)):
        yield from at(name, resources.judge_values(answer, shows))


take(can_be_managed, "made", "patched", "fetched", "listed", "deleted", "gone", "unlisted")


def hides_its_secret(**answers: Exchange) -> Iterator[Finding]:
    holding = [
        name for name, answer in answers.items() if any(secret.encode() in answer.body for secret in SECRETS)
    ]
    for name in holding:
        body = object_or_none(answers[name].body) or {}
        member = next((each for each, value in body.items() if value in SECRETS), "")
        found = finding("the response contains the secret", "no secret", exchange=name)
        yield found.at(pointer=f"$.{member}") if member else found
    if not holding:
        for name in _SHOWING:
            require_answer(answers[name])


_SHOWING = ("made", "fetched", "listed", "patched")
take(hides_its_secret, *_SHOWING, "misspelt", "twice", "untyped")
