"""Checks of custom agents: create, read, list in pages, run, delete.

Layer 2. Creates two agents and runs one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.agent_runs import NOBODY
from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_object,
    expect_refusal,
    expect_status,
    finding,
    note,
    object_in,
    of_rule,
)
from harness.checks.vocabulary.lives import (
    delete_and_look,
    judge_left_run,
    judge_life,
    judge_shapes,
    judge_values,
)
from harness.checks.vocabulary.pages import each_once, entries, pages
from harness.checks.vocabulary.polling import expect_id, id_of, poll_until_found
from harness.checks.vocabulary.stored import HELLO
from harness.contract import read
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Part, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, NotApplicable
from harness.wire import Exchange

_OWN = new_registry()
CHECKS = _OWN.checks

OWN = ("harness-check-one", "harness-check-two")
"""Ids of the agents to create and delete; agents left over from an earlier, interrupted run are deleted first."""


WITH_TOOLS = "harness-check-tools"
INSTRUCTION = "Answer in one word."
NOT_IMPLEMENTED = 501
CHANGED = "Changed by interactions-harness."


@exercise(requests=17, interactions=1)
def agents_of_our_own(t: RequestBuilder) -> Steps:
    """Create two agents; read, list, run and delete them; try ids that are taken, reserved or unknown."""
    for name in OWN:
        yield Send(t.request("DELETE", f"agents/{name}"))
    seen: Exchanges = {"made": []}
    for name in OWN:
        seen["made"].append((yield Send(t.request("POST", "agents", _describe_agent(t, name)))))
    if any(answer.status not in SUCCESS for answer in seen["made"]):
        return stop_exercise(seen, f"not all agents could be made: {format_answer(seen['made'][-1])}")
    seen["twice"] = yield Send(t.request("POST", "agents", _describe_agent(t, OWN[0])))
    seen["reserved"] = yield Send(t.request("POST", "agents", _describe_agent(t, "gemini-harness-check")))
    seen["unknown"] = yield Send(t.request("GET", f"agents/{NOBODY}"))
    seen["fetched"] = yield Send(t.request("GET", f"agents/{OWN[0]}"))
    change = {"description": CHANGED}
    seen["patched"] = yield Send(
        t.request("PATCH", f"agents/{OWN[0]}", change, query={"update_mask": "description"})
    )
    seen["listed"] = yield Send(t.request("GET", "agents", query={"page_size": 50}))
    seen["paged"] = yield from pages(t, "agents", 1)
    seen["ran"] = yield Send(t.create(agent=OWN[0], input=HELLO, environment=t.environment, background=True))
    seen |= yield from delete_and_look(t, f"agents/{OWN[0]}")
    ran = id_of(seen["ran"])
    seen["left"] = (yield from poll_until_found(t, ran))[-1] if ran else None
    yield Send(t.request("DELETE", f"agents/{OWN[1]}"))
    return seen


TOOLS: tuple[dict[str, Any], ...] = (
    {"type": "code_execution"},
    {"type": "google_search"},
    {"type": "url_context"},
    {"type": "mcp_server", "name": "harness", "url": "https://mcp.example.org/mcp"},
    {
        "type": "function",
        "name": "harness_check",
        "description": "Nothing.",
        "parameters": {"type": "object"},
    },
)


@exercise(requests=4)
def an_agent_with_every_tool(t: RequestBuilder) -> Steps:
    """Save an agent with a tool of each kind; if that is refused, one agent for each."""
    seen: Exchanges = {"alone": []}
    seen["together"], seen["shown"] = yield from _save_with(t, *TOOLS)
    if seen["together"].status in CLIENT_ERROR:
        for tool in TOOLS:
            made, _ = yield from _save_with(t, tool)
            seen["alone"].append(made)
    return seen


def _save_with(t: RequestBuilder, *tools: dict[str, Any]) -> Part[tuple[Exchange, Exchange]]:
    """Save an agent with tools, read it and delete it → the answers to create and read."""
    path = f"agents/{WITH_TOOLS}"
    yield Send(t.request("DELETE", path))
    made: Exchange = yield Send(
        t.request("POST", "agents", {**_describe_agent(t, WITH_TOOLS), "tools": list(tools)})
    )
    shown: Exchange = yield Send(t.request("GET", path))
    yield Send(t.request("DELETE", path))
    return made, shown


def _describe_agent(t: RequestBuilder, name: str) -> dict[str, Any]:
    return {"id": name, "base_agent": t.agent, "system_instruction": INSTRUCTION}


# --- judges


@_OWN.check(
    "agents.create",
    agents_of_our_own,
    title="an agent is made under its id",
    profile="agents",
    requires=["agents-crud"],
    accepts=["2xx and the agent with the id that was asked for"],
)
def _are_made(made: list[Exchange]) -> Iterator[Finding]:
    for number, (name, answer) in enumerate(zip(OWN, made, strict=False)):
        yield from at(f"made[{number}]", _is_made(name, answer))


def _is_made(name: str, answer: Exchange) -> Iterator[Finding]:
    yield from expect_object(answer)
    if answer.status in SUCCESS and id_of(answer) != name:
        yield finding("the agent has another id", expected=name, actual=id_of(answer) or "none")


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
    yield from at("made[0]", expect_status(made[0], accepts=SUCCESS))
    yield from judge_life("agents", {"id": OWN[0]}, fetched=fetched, deleted=deleted, gone=gone)


@_OWN.check(
    "agents.patch",
    agents_of_our_own,
    title="a change of an agent touches what it names",
    profile="agents",
    requires=["agents-crud"],
    accepts=["2xx and the agent with its new description", "no such operation: not applicable"],
)
def _changes_one_field(patched: Exchange) -> Iterator[Finding]:
    if patched.status in CLIENT_ERROR or patched.status == NOT_IMPLEMENTED:
        raise NotApplicable(f"agents cannot be changed here: {format_answer(patched)}")
    yield from expect_object(patched)
    yield from judge_values(patched, {"description": CHANGED, "system_instruction": INSTRUCTION})


@_OWN.check(
    "agents.tools",
    an_agent_with_every_tool,
    title="an agent is saved with a tool of each kind",
    profile="agents",
    requires=["agents-crud"],
    accepts=[
        "2xx, and the tools if the agent shows any",
        "one tool at a time",
        "no tool is taken: not applicable",
    ],
)
def _keeps_its_tools(together: Exchange, shown: Exchange, alone: list[Exchange]) -> Iterator[Finding]:
    kinds = [str(tool["type"]) for tool in TOOLS]
    if together.status in CLIENT_ERROR:
        refused = [kind for kind, answer in zip(kinds, alone, strict=False) if answer.status in CLIENT_ERROR]
        if len(refused) == len(alone):
            raise NotApplicable(f"no agent with a tool can be saved here: {format_answer(together)}")
        if refused:
            yield finding("not every kind is taken", expected=", ".join(kinds), actual=f"no {', '.join(refused)}")
        return
    yield from at("together", expect_object(together))
    tools = object_in(shown).get("tools")
    if isinstance(tools, list) and tools:
        kept = {tool.get("type") for tool in tools if isinstance(tool, dict)}
        if lost := [kind for kind in kinds if kind not in kept]:
            yield finding("a tool is not kept", expected=", ".join(lost), actual=format_value(tools)).at(
                exchange="shown"
            )


@_OWN.check(
    "agents.run",
    agents_of_our_own,
    title="an agent of one's own can be run",
    profile="agents",
    requires=["agents-crud", "agents", "background"],
    accepts=["2xx and an interaction with an id"],
)
def _can_be_run(ran: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(ran)
    yield from expect_id(ran, "the run has no id")


@_OWN.check(
    "agents.runs-stay",
    agents_of_our_own,
    title="the runs of a deleted agent can still be read",
    profile="agents",
    requires=["agents-crud", "agents", "background", "store"],
    accepts=["2xx and the interaction"],
)
def _leaves_its_runs(ran: Exchange, deleted: Exchange, left: Exchange | None) -> Iterator[Finding]:
    yield from judge_left_run("agent", ran, deleted, left)


_OWN.check(
    "agents.dup",
    agents_of_our_own,
    title="an id is given once",
    profile="agents",
    requires=["agents-crud"],
    accepts=["409", "400"],
)(judge_one("twice", partial(expect_refusal, accepts={400, 409})))


_OWN.check(
    "agents.reserved",
    agents_of_our_own,
    title="reserved prefixes are refused",
    profile="agents",
    requires=["agents-crud"],
    accepts=["any 4xx"],
)(judge_one("reserved", partial(expect_status, accepts=CLIENT_ERROR)))


_OWN.check(
    "agents.unknown",
    agents_of_our_own,
    title="an unknown agent is not found",
    profile="agents",
    requires=["agents-crud"],
    accepts=["404", "any other 4xx: non-strict"],
)(judge_one("unknown", partial(expect_refusal, accepts={404})))


@_OWN.check(
    "agents.schema",
    agents_of_our_own,
    title="agents fit their schema, alone and in lists",
    profile="agents",
    requires=["agents-crud"],
    accepts=["additional fields", "values of open enumerations"],
    everywhere=True,
)
def _fits(made: list[Exchange], fetched: Exchange, listed: Exchange) -> Iterator[Finding]:
    yield from among("made", made, partial(of_rule, "agents.schema"))
    yield from judge_shapes("agents.schema", fetched=fetched, listed=listed)


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
    if listed.status not in SUCCESS:
        return
    if not isinstance(body, dict):
        yield finding("the list is no object", expected="an object with `agents`", actual=format_value(body))
        return
    if not isinstance(body.get("agents", []), list):
        yield finding("`agents` is no array", expected="an array", actual=format_value(body.get("agents")))
    names = [entry.get("id") for entry in entries(listed, "agents")]
    for name in OWN:
        if name not in names:
            say = note if body.get("next_page_token") else finding
            yield say("a new agent is not in the list", expected=name, actual=format_value(names))


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
