"""Checks of agents: runs of managed agents, their environments across turns, deep research, saved agents.

Managed agents run in the background here, since they may take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.vocabulary import resources, runs
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_object,
    expect_status,
    finding,
    interaction_in,
    note,
    object_in,
    text_in,
)
from harness.checks.vocabulary.shared import HELLO, send_wrong_creates
from harness.contract import read
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import RESEARCHER
from harness.contract.transcript import output_text
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, stop_exercise, take
from harness.outcome import Finding, NotApplicable, Unmet
from harness.wire import Exchange
from harness.wire.bodies import as_list, objects_in


@exercise(requests=11, interactions=3)
def an_agent_run(t: RequestBuilder) -> Steps:
    """A managed agent's first turn, second turns without and with its environment, and a model's turn."""
    turn = {"agent": t.agent, "input": HELLO, "background": True}
    created = yield from runs.start_agent(t, turn)
    seen: Exchanges = {"created": created, "of_nobody": []}
    if runs.find_model(created):
        seen["of_nobody"] = [(yield from runs.start_agent(t, turn, agent=runs.NOBODY))]
    found = runs.id_of(created)
    if not found:
        return stop_exercise(seen, f"the agent's run has no id: {format_answer(created)}")
    polled = yield from runs.polls(t, found, whole=True)
    seen["polled"] = polled
    if not runs.settled(polled[-1]) or runs.status_of(polled[-1]) != "completed":
        return stop_exercise(seen, f"the agent's run did not complete: {format_answer(polled[-1])}")
    turn = {"agent": t.agent, "input": HELLO, "previous_interaction_id": found, "background": True}
    seen["bare"] = yield Send(t.create(turn))
    seen["chained"] = yield Send(t.create(turn, environment=environment_of(polled[-1]) or t.environment))
    chained = runs.id_of(seen["chained"])
    seen["chained_polled"] = (yield from runs.polls(t, chained, whole=True)) if chained else []
    if chained:  # no stream brought it, and no look after its end has shown it before
        yield Send(t.get(chained))
    return {**seen, "mixed": (yield Send(t.create(input=HELLO, previous_interaction_id=found)))}


@exercise(requests=1, interactions=1)
def an_agent_in_model(t: RequestBuilder) -> Steps:
    """A create with an agent's name in `model`."""
    answer = yield Send(t.create(model=t.agent, input=HELLO, environment=t.environment, background=True))
    return {"answer": answer}


@exercise(requests=4, interactions=1)
def an_agent_with_a_limit(t: RequestBuilder) -> Steps:
    """A managed agent with an agent_config of its own kind: it may spend fewer tokens than any answer takes."""
    if not t.agent.startswith("antigravity"):
        raise Unmet(f"the type of agent_config for {t.agent} is unknown")
    body = {"agent": t.agent, "input": "Write a poem of twenty lines into poem.txt.", "background": True}
    created = yield from runs.start_agent(t, body, agent_config={"type": "antigravity", "max_total_tokens": 20})
    if not runs.id_of(created):
        return stop_exercise({"created": created}, f"the agent's run has no id: {format_answer(created)}")
    return {"created": created, "polled": (yield from runs.poll_until_settled(t, runs.id_of(created)))}


@exercise(requests=4)
def agents_that_cannot_run(t: RequestBuilder) -> Steps:
    """An agent with settings of a model, an unknown agent, an unknown environment, research in the foreground."""
    refused = yield from send_wrong_creates(t, "create.config-agent", "agent.unknown", "agent.unknown-env")
    return {**refused, **(yield from send_wrong_creates(t, "agent.dr-bg", timeout=30))}


def environment_of(exchange: Exchange) -> str:
    """Return the environment_id of an interaction, `""` if it has none."""
    return text_in(exchange, "environment_id")


def can_be_run(created: Exchange, of_nobody: list[Exchange]) -> Iterator[Finding]:
    for control in of_nobody:
        if model := runs.find_stand_in(created, control):
            message = f"the model {model!r} ran, as it does for an agent that does not exist"
            yield Finding.from_code("agent.field/model", message, "a run of the agent", "a run of a model").at(
                exchange="created", pointer="$.model"
            )


def keeps_its_limit(polled: list[Exchange]) -> Iterator[Finding]:
    if runs.status_of(polled[-1]) != "incomplete":
        ends = finding("the run has an unexpected status", "incomplete", runs.show_status(polled[-1]))
        yield ends.at(exchange=f"polled[{len(polled) - 1}]")


def tells_its_environment(created: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    if not runs.settled(polled[-1]):
        raise Unmet("the run did not settle")
    if not any(environment_of(answer) for answer in [created, *polled]):
        yield finding("the response has no environment_id", "a non-empty string", format_answer(polled[-1]))


def stays_in_it(polled: list[Exchange], chained_polled: list[Exchange]) -> Iterator[Finding]:
    if chained_polled:
        yield from at(f"chained_polled[{len(chained_polled) - 1}]", expect_interaction(chained_polled[-1]))
    first = environment_of(polled[-1])
    second = environment_of(chained_polled[-1]) if chained_polled else ""
    if not first or not second:
        raise Unmet("one of the turns returned no environment_id")
    if first != second:
        yield finding("the second turn ran in another environment", first, second)


def has_no_environment(parent: Exchange, before: Exchange) -> Iterator[Finding]:
    for name, answer in (("parent", parent), ("before", before)):
        if interaction_in(answer).get("environment_id"):
            message = "the response has an environment_id, but the request has no environment"
            yield finding(message, "none", environment_of(answer), exchange=name)


# --- deep research that plans first: a turn that answers a plan, and one that carries it out

QUESTION = "In which year was the first lighthouse with a Fresnel lens lit? Two sentences will do."


@exercise(requests=8, interactions=2)
def a_planned_research(t: RequestBuilder) -> Steps:
    """A run that shall plan, and one that continues it and shall report."""
    planned: Exchange = yield Send(t.create(_research(t, QUESTION, planning=True)))
    seen: Exchanges = {
        "planned": planned,
        "plan": (yield from runs.poll_until_settled(t, runs.need_id(planned)))[-1],
    }
    go_on = _research(t, "The plan is good. Go on.", planning=False)
    seen["begun"] = yield Send(t.create(go_on, previous_interaction_id=runs.id_of(planned)))
    seen["report"] = seen["begun"]
    if seen["begun"].status in SUCCESS:
        seen["report"] = (yield from runs.poll_until_settled(t, runs.need_id(seen["begun"])))[-1]
    return seen


def _research(t: RequestBuilder, text: str, *, planning: bool) -> dict[str, Any]:
    agent = t.agent if t.agent.startswith("deep-research") else RESEARCHER
    config = {"type": "deep-research", "collaborative_planning": planning}
    return {"agent": agent, "input": text, "agent_config": config, "background": True}


def completes(answer: Exchange, what: str) -> Iterator[Finding]:
    status = runs.status_of(answer)
    if status in ("failed", "cancelled", "incomplete"):
        raise Unmet(f"{what} was not created: {format_answer(answer)}")
    if status != "completed":
        yield finding(f"{what} does not complete", "completed", status or format_answer(answer))
    elif not output_text(interaction_in(answer)):
        yield finding(f"{what} has no text", "a model_output with text", "none")


# --- custom agents: create, read, list in pages, run, delete

OWN = ("harness-check-one", "harness-check-two")
"""Ids of the agents to create and delete; what an earlier, interrupted run left over is deleted first."""


WITH_TOOLS = "harness-check-tools"
INSTRUCTION = "Answer in one word."
CHANGED = "Changed by interactions-harness."


@exercise(requests=18, interactions=1)
def agents_of_our_own(t: RequestBuilder) -> Steps:
    """Create two agents; read, list, run and delete them; try ids that are taken, reserved or unknown."""
    creates = [t.request("POST", "agents", describe_agent(t, name)) for name in OWN]
    seen: Exchanges = {"made": []}
    for name, create in zip(OWN, creates, strict=True):
        made: Exchange = yield Send(create)
        if made.status in CLIENT_ERROR:
            yield Send(t.request("DELETE", f"agents/{name}"))
            made = yield Send(create)
        seen["made"].append(made)
    if any(answer.status not in SUCCESS for answer in seen["made"]):
        return stop_exercise(seen, f"the target did not create all agents: {format_answer(seen['made'][-1])}")
    seen["twice"] = yield Send(t.request("POST", "agents", describe_agent(t, OWN[0])))
    seen["reserved"] = yield Send(t.request("POST", "agents", describe_agent(t, "gemini-harness-check")))
    seen["unknown"] = yield Send(t.request("GET", f"agents/{runs.NOBODY}"))
    seen["fetched"] = yield Send(t.request("GET", f"agents/{OWN[0]}"))
    change = {"description": CHANGED}
    seen["patched"] = yield Send(
        t.request("PATCH", f"agents/{OWN[0]}", change, query={"update_mask": "description"})
    )
    seen["listed"] = yield from resources.list_with(t, "agents", OWN[1], page_size=50)
    seen |= {"expected": OWN, "paged": (yield from resources.pages_holding(t, "agents", OWN))}
    seen["ran"] = yield from runs.start_agent(t, {"agent": OWN[0], "input": HELLO, "background": True})
    seen |= yield from resources.delete_and_read(t, f"agents/{OWN[0]}", listed=seen["listed"])
    ran = runs.id_of(seen["ran"])
    seen["left"] = (yield from runs.poll_until_found(t, ran))[-1] if ran else None
    yield Send(t.request("DELETE", f"agents/{OWN[1]}"))
    yield Send(creates[1])  # a table that keeps what is deleted may have no place for another of its name
    yield Send(t.request("DELETE", f"agents/{OWN[1]}"))
    return seen


TOOLS: tuple[dict[str, Any], ...] = (
    {"type": "code_execution"},
    {"type": "google_search"},
    {"type": "url_context"},
    {"type": "mcp_server", "name": "harness", "url": "https://mcp.example.org/mcp"},
    {"type": "function", "name": "harness_check", "description": "Nothing.", "parameters": {"type": "object"}},
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
        t.request("POST", "agents", {**describe_agent(t, WITH_TOOLS), "tools": list(tools)})
    )
    shown: Exchange = yield Send(t.request("GET", path))
    yield Send(t.request("DELETE", path))
    return made, shown


def describe_agent(t: RequestBuilder, name: str) -> dict[str, Any]:
    return {"id": name, "base_agent": t.agent, "system_instruction": INSTRUCTION}


def are_made(made: list[Exchange]) -> Iterator[Finding]:
    for number, (name, answer) in enumerate(zip(OWN, made, strict=False)):
        yield from at(f"made[{number}]", expect_object(answer))
        # Vertex returns the operation that creates it (documented)
        begins = f"/agents/{name}/operations/" in str(object_in(answer).get("name", ""))
        if answer.status in SUCCESS and runs.id_of(answer) != name and not begins:
            yield finding(
                "the agent has another id", name, runs.id_of(answer) or "none", exchange=f"made[{number}]"
            )


def can_be_managed(*, made: list[Exchange], **answers: Any) -> Iterator[Finding]:
    yield from at("made[0]", expect_status(made[0], accepts=SUCCESS))
    yield from resources.judge_life("agents", {"id": OWN[0]}, **answers)


take(can_be_managed, "fetched", "deleted", "gone", "unlisted", made="list[Exchange]")


def changes_one_field(patched: Exchange) -> Iterator[Finding]:
    if patched.status in CLIENT_ERROR or patched.status == 501:
        raise NotApplicable(f"the target does not offer PATCH of agents: {format_answer(patched)}")
    yield from expect_object(patched)
    yield from resources.judge_values(patched, {"description": CHANGED, "system_instruction": INSTRUCTION})


def keeps_its_tools(together: Exchange, shown: Exchange, alone: list[Exchange]) -> Iterator[Finding]:
    kinds = [str(tool["type"]) for tool in TOOLS]
    if together.status in CLIENT_ERROR:
        refused = [kind for kind, answer in zip(kinds, alone, strict=False) if answer.status in CLIENT_ERROR]
        if len(refused) == len(alone):
            raise NotApplicable(f"the target saves no agent with a tool: {format_answer(together)}")
        if refused:
            message, actual = "not every kind of tool is accepted", f"no {', '.join(refused)}"
            yield finding(message, ", ".join(kinds), actual, exchange="together")
        return
    yield from at("together", expect_object(together))
    tools = as_list(object_in(shown).get("tools"))
    kept = {tool.get("type") for tool in objects_in(tools)}
    if tools and (lost := [kind for kind in kinds if kind not in kept]):
        yield finding("the saved agent lacks a tool", ", ".join(lost), format_value(tools), exchange="shown")


def lists_them(listed: Exchange) -> Iterator[Finding]:
    body = read(listed).json
    if not isinstance(body, dict):
        yield finding("the list is not an object", "an object with `agents`", format_value(body))
        return
    if not isinstance(body.get("agents", []), list):
        yield finding("`agents` is not an array", "an array", format_value(body.get("agents")))
    names = [entry.get("id") for entry in resources.entries(listed, "agents")]
    for name in OWN:
        if name not in names:
            say = note if body.get("next_page_token") else finding
            yield say("the list lacks a new agent", name, format_value(names))


pages_hold_each_once = resources.judge_pages("agents")
