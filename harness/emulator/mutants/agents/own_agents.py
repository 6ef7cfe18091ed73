"""Mutants: saving, listing and deleting agents."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    answer,
    crash,
    lose_first,
    read_json,
    refuse,
    when,
    without_query,
)
from harness.emulator.mutants.hooks import error, request, response
from harness.emulator.mutants.lives import life_rows, unknown_rows
from harness.emulator.mutants.parts import instead
from harness.emulator.mutants.rows import row
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal, json_response
from harness.kit.mutant import table
from harness.wire import Response


def _is_taken(call: Call, engine: Engine) -> bool:
    return engine.resources.agent(read_json(call).get("id", ""), call.project) is not None


def _accept_reserved(refusal: Refusal, call: Call) -> Response | None:
    return json_response(read_json(call)) if "reserved" in refusal.message else None


def _forget_runs_of_deleted(engine: Engine, interaction_id: str, project: str) -> Run | None:
    run = Engine.find(engine, interaction_id, project)
    if run is None or run.agent is None or engine.validator.is_agent(run.agent, project):
        return run
    return None


def _list_tool_types(call: Call) -> list[str]:
    return [tool.get("type", "") for tool in read_json(call).get("tools", ())]


def _drop_tool(call: Call, kind: str) -> Call:
    body = read_json(call)
    kept = [tool for tool in body.get("tools", ()) if tool.get("type") != kind]
    data = msgspec.json.encode({**body, "tools": kept}) if "tools" in body else call.request.body
    return replace(call, request=replace(call.request, body=data))


MUTANTS = table(
    "own agents",
    *life_rows("agents", "agents", "agents"),
    *unknown_rows("agents", "agents", "agents"),
    row("agents-forget-fields", "A read of a saved agent shows only its id, under another name.",
        response("GET agents/*", lambda agent, _: {"name": agent.get("id")})),
    row("agents-overwrite", "An agent whose id is in use replaces the existing agent.",
        request("POST agents", lambda call, engine: (
            json_response(read_json(call)) if _is_taken(call, engine) else None))),
    row("agents-duplicate-crashes", "A create of an agent whose id is in use is answered with 500.",
        request("POST agents", when(_is_taken, crash))),
    row("agents-reserved-accepted", "An agent's id may begin with a reserved prefix.",
        error("POST agents", _accept_reserved)),
    row("agents-patch-ignored", "A change of an agent is answered with 200 but changes nothing.",
        request("PATCH agents/*", lambda call, _: replace(call, request=replace(call.request, body=b"{}"))),
        error("PATCH agents/*", answer({}))),
    row("agents-patch-resets", "A change of an agent clears the fields that it does not name.",
        response("PATCH agents/*", lambda agent, call: {"id": agent["id"], **read_json(call)})),
    row("agents-lose-a-tool", "A saved agent has no mcp_server among its tools, although it was saved with one.",
        request("POST agents", lambda call, _: _drop_tool(call, "mcp_server"))),
    row("agents-refuse-functions", "An agent with a function among its tools cannot be saved.",
        request("POST agents", when(
            lambda call, _: "function" in _list_tool_types(call), refuse("Invalid value at 'tools'.")))),
    row("agents-list-object", "The list of agents is an object by id.",
        response("GET agents", lambda page, _: (
            {"agents": {agent["id"]: agent for agent in page.get("agents", [])}}))),
    row("agents-page-repeats", "Every page of agents is the first one.",
        request("GET agents", lambda call, _: without_query(call, "page_token"))),
    row("agents-page-loses-one", "Every page of agents after the first lacks its first item.",
        response("GET agents", lose_first("agents"))),
    row("agents-list-bare", "The list of agents is a bare array.",
        response("GET agents", lambda page, _: page.get("agents", []))),
    row("agents-create-crashes", "A create of an agent saves it but is answered with 500.",
        response("POST agents", crash)),
    row("agents-create-renamed",
        "The response to the create of an agent shows a different id from the requested one.",
        response("POST agents", lambda agent, _: agent.update(id=f"agents/{agent.get('id')}"))),
    row("agents-delete-takes-runs", "Deleting an agent deletes the interactions that it ran.",
        instead(Engine.find, _forget_runs_of_deleted)),
)  # fmt: skip
