"""Checks of the sandboxes that runs of agents get: copies of a saved one, and one whose network is changed.

Layer 2. Creates two environments with a file and an agent, and runs agents three times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.checks.areas.agents.agents import environment_of
from harness.checks.areas.agents.environment_files import (
    NOTE,
    NOTE_PATH,
    SOURCES,
    expect_bytes,
    open_environment,
)
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_interaction, finding, object_in
from harness.checks.vocabulary.polling import need_id, poll_until_settled
from harness.checks.vocabulary.stored import HELLO
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

_SANDBOXES = new_registry()
CHECKS = _SANDBOXES.checks

AGENT = "harness-check-based"
"""Id of the agent to create and delete; one left over from an interrupted run is deleted first."""
DOMAIN = "harness-check.example"
RULES = {"allowlist": [{"domain": DOMAIN}]}


@exercise(requests=17, interactions=2)
def an_agent_with_a_base(t: RequestBuilder) -> Steps:
    """Save an agent whose base is an environment with a file, run it twice, and read the file in each sandbox."""
    yield Send(t.request("DELETE", f"agents/{AGENT}"))
    base = yield from open_environment(t, {"sources": SOURCES})
    saved = {"id": AGENT, "base_agent": t.agent, "base_environment": base}
    made: Exchange = yield Send(t.request("POST", "agents", saved))
    seen: Exchanges = {"base": base, "made": made, "ran": [], "copied": []}
    for _ in range(2 if made.status in SUCCESS else 0):
        run = yield Send(t.create(agent=AGENT, input=HELLO, environment=t.environment, background=True))
        seen["ran"].append(run)
        if run.status in SUCCESS:
            seen["ran"][-1] = (yield from poll_until_settled(t, need_id(run)))[-1]
    sandboxes = dict.fromkeys(filter(None, map(environment_of, seen["ran"])))
    for found in sandboxes:
        seen["copied"].append((yield Send(_read_note(t, found))))
    yield Send(t.request("DELETE", f"agents/{AGENT}"))
    for found in dict.fromkeys((base, *sandboxes)):
        yield Send(t.request("DELETE", f"environments/{segment(found)}"))
    return seen


@_SANDBOXES.check(
    "agent.base-fork",
    an_agent_with_a_base,
    title="each run of a saved agent gets a copy of its base",
    profile="agents",
    requires=["agents-crud", "agents", "environments", "background", "store"],
    accepts=["an environment_id of its own for each run, and the file of the base in it"],
)
def _gets_a_copy(base: str, made: Exchange, ran: list[Exchange], copied: list[Exchange]) -> Iterator[Finding]:
    if made.status not in SUCCESS:
        raise Unmet(f"no agent with a base could be made: {format_answer(made)}")
    for number, answer in enumerate(ran):
        yield from at(f"ran[{number}]", expect_interaction(answer))
    told = [environment_of(answer) for answer in ran]
    if not all(told):
        raise Unmet("one of the runs told no environment_id")
    if base in told:
        yield finding("a run works in the base itself", expected="a sandbox of its own", actual=base)
    elif len(set(told)) < len(told):
        yield finding("two runs share a sandbox", expected="one for each", actual=told[0])
    for number, answer in enumerate(copied):
        yield from at(f"copied[{number}]", expect_bytes(answer, NOTE.encode()))


@exercise(requests=9, interactions=1)
def a_network_that_is_changed(t: RequestBuilder) -> Steps:
    """An environment without network, a run that names it with rules of its own, and looks before and after."""
    found = yield from open_environment(t, {"sources": SOURCES, "network": "disabled"})
    path = f"environments/{segment(found)}"
    seen: Exchanges = {"named": found, "before": (yield Send(t.request("GET", path)))}
    where = {"type": "remote", "environment_id": found, "network": RULES}
    ran: Exchange = yield Send(t.create(agent=t.agent, input=HELLO, environment=where, background=True))
    seen["ran"] = (yield from poll_until_settled(t, need_id(ran)))[-1] if ran.status in SUCCESS else ran
    seen["after"] = yield Send(t.request("GET", path))
    seen["kept"] = yield Send(_read_note(t, found))
    yield Send(t.request("DELETE", path))
    return seen


@_SANDBOXES.check(
    "env.update-network",
    a_network_that_is_changed,
    title="a run may replace the network rules of its sandbox",
    profile="agents",
    requires=["agents", "environments", "background", "store"],
    accepts=["the same environment, its file, and rules that name the new domain", "rules not shown: untestable"],
)
def _replaces_rules(
    named: str, before: Exchange, ran: Exchange, after: Exchange, kept: Exchange
) -> Iterator[Finding]:
    yield from at("ran", expect_interaction(ran))
    if ran.status not in SUCCESS:
        return
    other = environment_of(ran)
    if other and other != named:
        yield finding("the run opened another sandbox", expected=named, actual=other).at(exchange="ran")
        return
    yield from at("kept", expect_bytes(kept, NOTE.encode()))
    old, new = (object_in(answer).get("network") for answer in (before, after))
    if not _forbids_all(old):
        raise Unmet(f"the rules of the environment are not shown: network is {format_value(old)}")
    if DOMAIN not in json.dumps(new):
        yield finding("the rules are not the new ones", expected=DOMAIN, actual=format_value(new)).at(
            exchange="after"
        )


def _forbids_all(network: Any) -> bool:
    return network in ("disabled", {"allowlist": "disabled"}, {"allowlist": []})


def _read_note(t: RequestBuilder, environment: str) -> Any:
    return t.request("GET", f"environments/{segment(environment)}/files/{NOTE_PATH}", query={"alt": "media"})
