"""Mutants: running agents."""

from __future__ import annotations

from harness.emulator.create.validation import CreateValidator
from harness.emulator.mutants.changes import Json, crash, drop, put, refuse, skip, when
from harness.emulator.mutants.hooks import admit, body, error, output, status
from harness.emulator.mutants.parts import after, before, instead
from harness.emulator.mutants.rows import row
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _runs_research(body: Json) -> bool:
    return str(body.get("agent", "")).startswith("deep-research")


def _plans(order: CreateRequest) -> bool:
    return bool((order.body.get("agent_config") or {}).get("collaborative_planning"))


def _misses_environment(refusal: Refusal, call: Call) -> bool:
    return refusal.status == 404 and "environment" in refusal.message


def _names_agent_as_model(validator: CreateValidator, body: Json, project: str) -> bool:
    return "model" in body and validator.is_agent(body["model"], project)


def _names_unknown_agent(validator: CreateValidator, body: Json, project: str) -> bool:
    return "agent" in body and not validator.is_agent(body["agent"], project)


def _is_built_in(validator: CreateValidator, name: str, project: str) -> bool:
    return validator._resources.agent(name, project) is None and CreateValidator.is_agent(validator, name, project)


def _make_environment(validator: CreateValidator, order: CreateRequest) -> None:
    order.environment_id = str(validator._resources.create_environment("remote", order.project)["id"])


def _make_new_environment(result: None, validator: CreateValidator, order: CreateRequest) -> None:
    if order.environment_id is not None:
        _make_environment(validator, order)


def _make_missing_environment(validator: CreateValidator, order: CreateRequest) -> None:
    try:
        CreateValidator.environment(validator, order)
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        _make_environment(validator, order)


MUTANTS = table(
    "agents",
    row("agent-refused", "No agent can be run.",
        instead(CreateValidator.is_agent, lambda validator, name, project: False)),
    row("agent-never-settles", "An agent's run stays in progress forever.",
        status(lambda status, run: status if run.agent is None else "in_progress")),
    row("environment-not-told", "A run in an environment does not name its environment.",
        body(drop("environment_id"))),
    row("environment-always-told", "Every interaction names an environment, even if it has none.",
        body(when(lambda body, run: run.environment_id is None, put(environment_id="0" * 32)))),
    row("chain-without-environment", "A managed agent may be continued without an environment.",
        instead(CreateValidator.needs_environment, lambda validator, order: False)),
    row("chain-with-environment-refused", "A create with both a parent and an environment is refused.",
        admit("environment", when(
            lambda order: order.previous is not None and "environment" in order.body,
            refuse("'environment' cannot be changed.")))),
    row("environment-always-new", "A named environment is not reused: every turn gets a fresh one.",
        after(CreateValidator.environment, _make_new_environment)),
    row("mixed-chain-refused", "A model cannot continue an agent's work.",
        admit("environment", when(
            lambda order: order.previous is not None and order.previous.agent is not None and order.agent is None,
            refuse("An agent's interaction is continued by the agent.")))),
    row("agent-in-model-refused", "An agent's name is not accepted in `model`.",
        before(CreateValidator.author, when(
            _names_agent_as_model, refuse("There is no such model.", 404, "model_not_found")))),
    row("agent-unknown-accepted", "Any name that is not a model is accepted as an agent.",
        instead(CreateValidator.is_agent, lambda validator, name, project: not validator.is_model(name))),
    row("agent-unknown-crashes", "A create with an agent that does not exist is answered with 500.",
        before(CreateValidator.author, when(_names_unknown_agent, crash))),
    row("environment-unknown-accepted", "An environment that does not exist is silently replaced by a new one.",
        instead(CreateValidator.environment, _make_missing_environment)),
    row("environment-unknown-crashes", "A create with an environment that does not exist is answered with 500.",
        error("POST interactions", when(_misses_environment, crash))),
    row("research-in-foreground", "Deep research may run in the foreground.",
        admit("shape", when(_runs_research, skip)),
        admit("agent_rules", skip)),
    row("research-in-foreground-crashes", "Deep research without background is answered with 500.",
        admit("shape", when(
            lambda body: _runs_research(body) and body.get("background") is not True, crash))),
    row("research-plan-empty", "Deep research that shall plan completes without a word.",
        output(when(lambda steps, order: _plans(order), lambda steps, order: [
            step for step in steps if step["type"] != "model_output"]))),
    row("research-plan-final", "What deep research planned cannot be carried out.",
        admit("environment", when(
            lambda order: order.previous is not None and _runs_research({"agent": order.agent}),
            refuse("'previous_interaction_id' is not supported by this agent.")))),
    row("agents-saved-not-run", "A saved agent cannot be run: its id is not recognised.",
        instead(CreateValidator.is_agent, _is_built_in)),
    row("agent-limit-ignored", "An agent spends more than its max_total_tokens, and completes.",
        instead(ReplyBuilder.over_budget, lambda replies, order, steps: False)),
    row("agent-config-refused", "`agent_config` is refused even with an agent.",
        admit("configs", when(lambda body: "agent_config" in body, refuse("'agent_config' is not supported.")))),
)  # fmt: skip
