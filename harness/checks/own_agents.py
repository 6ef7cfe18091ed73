"""Checks of agents of one's own: made, read, listed in pages, deleted.

Layer 2. Creates two agents and runs one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.actions import Exchanges, Send, Steps, stopped
from harness.checks.check import Registry, exercise
from harness.checks.judging import (
    CLIENT_ERROR,
    SUCCESS,
    at,
    briefly,
    broken,
    expect_status,
    interaction_in,
    noted,
    shown,
)
from harness.checks.pages import each_once, entries, pages
from harness.checks.stored import HELLO
from harness.checks.target import Target
from harness.contract import read
from harness.contract.rules import BY_ID
from harness.outcome import Finding
from harness.wire import Exchange

_OWN = Registry(BY_ID)
CHECKS = _OWN.checks

NOBODY = "harness-no-such-agent"
OWN = ("harness-check-one", "harness-check-two")
"""Ids of the agents that are made and deleted again; what an earlier, broken run left of them is deleted first."""


@exercise(requests=15, interactions=1)
def agents_of_our_own(t: Target) -> Steps:
    """Two agents made, read, listed, run and deleted; ids that are taken, reserved, or nobody's."""
    for name in OWN:
        yield Send(t.request("DELETE", f"agents/{name}"))
    seen: Exchanges = {"made": []}
    for name in OWN:
        seen["made"].append((yield Send(t.request("POST", "agents", _agent(t, name)))))
    if any(answer.status not in SUCCESS for answer in seen["made"]):
        return stopped(seen, f"no agent could be made: {shown(seen['made'][0])}")
    seen["twice"] = yield Send(t.request("POST", "agents", _agent(t, OWN[0])))
    seen["reserved"] = yield Send(t.request("POST", "agents", _agent(t, "gemini-harness-check")))
    seen["unknown"] = yield Send(t.request("GET", f"agents/{NOBODY}"))
    seen["fetched"] = yield Send(t.request("GET", f"agents/{OWN[0]}"))
    seen["listed"] = yield Send(t.request("GET", "agents", query={"page_size": 50}))
    seen["paged"] = yield from pages(t, "agents", 1)
    seen["ran"] = yield Send(t.create(agent=OWN[0], input=HELLO, environment="remote", background=True))
    seen["deleted"] = yield Send(t.request("DELETE", f"agents/{OWN[0]}"))
    seen["gone"] = yield Send(t.request("GET", f"agents/{OWN[0]}"))
    yield Send(t.request("DELETE", f"agents/{OWN[1]}"))
    return seen


def _agent(t: Target, name: str) -> dict[str, Any]:
    return {"id": name, "base_agent": t.agent, "system_instruction": "Answer in one word."}


# --- judges


@_OWN.check(
    "agents.crud",
    agents_of_our_own,
    title="an agent can be made, read and deleted",
    profile="agents",
    requires=["agents-crud"],
    accepts=["2xx throughout, 404 in the end"],
)
def _can_be_managed(
    made: list[Exchange], fetched: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    for name, answer in (("made", made[0]), ("fetched", fetched), ("deleted", deleted)):
        yield from at(name, expect_status(answer, accepts=SUCCESS))
    if fetched.status in SUCCESS and interaction_in(fetched).get("id") != OWN[0]:
        yield broken("another agent was read", expected=OWN[0], actual=shown(fetched))
    yield from at("gone", expect_status(gone, accepts={404}, tolerates=CLIENT_ERROR))


@_OWN.check(
    "agents.run",
    agents_of_our_own,
    title="an agent of one's own can be run",
    profile="agents",
    requires=["agents-crud", "agents", "background"],
)
def _can_be_run(ran: Exchange) -> Iterator[Finding]:
    yield from expect_status(ran, accepts=SUCCESS)


@_OWN.check(
    "agents.dup",
    agents_of_our_own,
    title="an id is given once",
    profile="agents",
    requires=["agents-crud"],
    accepts=["409", "400"],
)
def _refuses_a_duplicate(twice: Exchange) -> Iterator[Finding]:
    yield from expect_status(twice, accepts={400, 409}, tolerates=CLIENT_ERROR)


@_OWN.check(
    "agents.reserved",
    agents_of_our_own,
    title="reserved prefixes are refused",
    profile="agents",
    requires=["agents-crud"],
    accepts=["any 4xx"],
)
def _refuses_reserved_names(reserved: Exchange) -> Iterator[Finding]:
    yield from expect_status(reserved, accepts=CLIENT_ERROR)


@_OWN.check(
    "agents.unknown",
    agents_of_our_own,
    title="an unknown agent is not found",
    profile="agents",
    requires=["agents-crud"],
    accepts=["404", "any other 4xx: non-strict"],
)
def _finds_no_stranger(unknown: Exchange) -> Iterator[Finding]:
    yield from expect_status(unknown, accepts={404}, tolerates=CLIENT_ERROR)


@_OWN.check(
    "agents.list",
    agents_of_our_own,
    title="agents are listed",
    profile="agents",
    requires=["agents-crud"],
    accepts=["an array that holds the new agents", "a first page without them (noted)"],
)
def _lists_them(listed: Exchange) -> Iterator[Finding]:
    yield from expect_status(listed, accepts=SUCCESS)
    body = read(listed).json
    if not isinstance(body, dict):
        yield broken("the list is no object", expected="an object with `agents`", actual=briefly(body))
        return
    if not isinstance(body.get("agents", []), list):
        yield broken("`agents` is no array", expected="an array", actual=briefly(body.get("agents")))
    names = [entry.get("id") for entry in entries(listed, "agents")]
    for name in OWN:
        if name not in names:
            say = noted if body.get("next_page_token") else broken
            yield say("a new agent is not in the list", expected=name, actual=briefly(names))


@_OWN.check(
    "page.agents",
    agents_of_our_own,
    title="pages of agents hold each agent once",
    profile="agents",
    requires=["agents-crud"],
    accepts=["pages larger than asked for"],
)
def _pages_hold_each_once(paged: list[Exchange]) -> Iterator[Finding]:
    yield from each_once(paged, "agents", OWN)
