"""Mutants: runs of agents, and agents that are saved."""

from __future__ import annotations

from typing import Any

from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    answer,
    crash,
    drop,
    put,
    read_json,
    refuse,
    skip,
    when,
    with_data,
)
from harness.emulator.mutants.hooks import (
    admit,
    body,
    error,
    life_rows,
    output,
    request,
    request_body,
    response,
    row,
    status,
    unknown_rows,
)
from harness.emulator.mutants.parts import Change, after, around, before, instead
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.resources.router import Resources
from harness.emulator.values.call import Call, Refusal, json_response
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _keep_reserved(inner: Change, resources: Resources, call: Call) -> Any:
    try:
        return inner(call)
    except Refusal as refusal:
        if "reserved" not in refusal.message:
            raise
        resources.kept.agents.add(call.project, call.body["id"], dict(call.body))
        return json_response(call.body)


def _make_environment(validator: CreateValidator, order: CreateRequest) -> None:
    order.environment_id = str(validator.resources.create_environment("remote", order.project)["id"])


def _make_missing_environment(validator: CreateValidator, order: CreateRequest) -> None:
    try:
        CreateValidator.environment(validator, order)
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        _make_environment(validator, order)


def _finds_run_of_deleted(engine: Engine, interaction_id: str, project: str) -> bool:
    run = engine.store.find(interaction_id, project)
    return run is not None and run.agent is not None and not engine.validator.is_agent(run.agent, project)


def _drop_servers(body: Json, call: Call) -> None:
    if "tools" in body:
        body["tools"] = [tool for tool in body["tools"] if tool.get("type") != "mcp_server"]


MUTANTS = table(
    "agents",
    row("agent-never-settles", "An agent's run stays in progress forever.",
        status(lambda status, run: status if run.agent is None else "in_progress")),
    row("environment-not-told", "A run in an environment does not name its environment.",
        body(drop("environment_id"))),
    row("environment-always-told", "Every interaction names an environment, even if it has none.",
        body(when(lambda body, run: run.environment_id is None, put(environment_id="0" * 32)))),
    row("chain-without-environment", "A managed agent may be continued without an environment.",
        instead(CreateValidator.needs_environment, when(CreateValidator.needs_environment, lambda *_: False))),
    row("chain-with-environment-refused", "A create with both a parent and an environment is refused.",
        admit("environment", when(
            lambda order: order.previous is not None and "environment" in order.body,
            refuse("'environment' cannot be changed.")))),
    row("environment-always-new", "A named environment is not reused: every turn gets a fresh one.",
        after(CreateValidator.environment, when(
            lambda result, validator, order: order.environment_id is not None,
            lambda result, validator, order: _make_environment(validator, order)))),
    row("mixed-chain-refused", "A model cannot continue an agent's work.",
        admit("environment", when(
            lambda order: order.previous is not None and order.previous.agent is not None and order.agent is None,
            refuse("An agent's interaction is continued by the agent.")))),
    row("agent-in-model-refused", "An agent's name is not accepted in `model`.",
        before(CreateValidator.author, when(
            lambda validator, body, project: "model" in body and validator.is_agent(body["model"], project),
            refuse("There is no such model.", 404, "model_not_found")))),
    row("agent-unknown-crashes", "A create with an agent that does not exist returns 500.",
        before(CreateValidator.author, when(
            lambda validator, body, project: "agent" in body and not validator.is_agent(body["agent"], project),
            crash))),
    row("environment-unknown-accepted", "An environment that does not exist is silently replaced by a new one.",
        instead(CreateValidator.environment, when(
            lambda validator, order: "environment" in order.body, _make_missing_environment))),
    row("research-in-foreground", "Deep research may run in the foreground.",
        admit("shape", when(lambda body: str(body.get("agent", "")).startswith("deep-research"), skip)),
        admit("needs_background", skip)),
    row("research-plan-empty", "Deep research that shall plan completes without text.",
        output(when(
            lambda steps, order: (order.body.get("agent_config") or {}).get("collaborative_planning"),
            lambda steps, order: [step for step in steps if step["type"] != "model_output"]))),
    row("agents-saved-not-run", "A saved agent cannot be run: its id is not recognized.",
        instead(CreateValidator.is_agent, when(
            lambda validator, *names: validator.resources.agent(*names) is not None, lambda *_: False))),
    row("agent-limit-ignored", "An agent spends more than its max_total_tokens, and completes.",
        instead(ReplyBuilder.over_budget, when(ReplyBuilder.over_budget, lambda *_: False))),
    row("agent-config-refused", "`agent_config` is refused even with an agent.",
        admit("configs", when(lambda body: "agent_config" in body, refuse("'agent_config' is not supported.")))),
    *life_rows("agents", "agents", "agents"),
    *unknown_rows("agents", "agents", "agents"),
    row("agents-overwrite", "An agent whose id is in use replaces the existing agent.",
        error("POST agents", when(
            lambda refusal, _: refusal.status == 409, lambda _, call: json_response(read_json(call))))),
    row("agents-reserved-accepted", "An agent's id may begin with a reserved prefix.",
        around(Resources.handle, _keep_reserved)),
    row("agents-patch-ignored", "A change of an agent returns 200 but changes nothing.",
        request("PATCH agents/*", lambda call, _: with_data(call, b"{}")),
        error("PATCH agents/*", answer({}))),
    row("agents-lose-a-tool", "A saved agent has no mcp_server among its tools, although it was saved with one.",
        request_body("POST agents", _drop_servers)),
    row("agents-list-bare", "The list of agents is a bare array.",
        response("GET agents", lambda page, _: page.get("agents", []))),
    row("agents-create-crashes", "A create of an agent saves it but returns 500.", response("POST agents", crash)),
    row("agents-delete-takes-runs", "Deleting an agent deletes the interactions that it ran.",
        instead(Engine.find, when(_finds_run_of_deleted, lambda *_: None))),
    row("shape-agent", "A read shows the description of a saved agent as a number.",
        response("GET agents/*", put(description=5))),
)  # fmt: skip
