"""A turn in which the model searches for a deferred function, and the turns that follow it."""

from __future__ import annotations

import pytest

from harness.contract import StreamJudge, judge_interaction, load
from harness.contract.transcript import assemble_steps

SEARCH = {"type": "tool_search"}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of one place, today and tomorrow.",
    "short_description": "Weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "defer_loading": True,
}
LOADED = {name: WEATHER[name] for name in ("type", "name", "description", "parameters")}
TURN = ["thought", "tool_search_call", "tool_search_result", "thought", "function_call"]


def kinds(answer):
    """The types of the steps of an answer."""
    return [step["type"] for step in answer.json["steps"]]


@pytest.mark.parametrize("search", [SEARCH, {**SEARCH, "execution": "server"}], ids=["default", "server"])
def test_a_deferred_function_is_searched_loaded_and_called(api, search):
    """The model asks by name, gets the declaration, and calls: only the function call waits for the client."""
    answer = api.create("How is the weather?", tools=[search, WEATHER])
    _, call, result, _, function_call = answer.json["steps"]
    assert kinds(answer) == TURN
    assert answer.json["status"] == "requires_action"
    assert call["arguments"] == {"function_names": ["get_weather"]}
    assert result["call_id"] == call["id"]
    assert result["result"] == [LOADED]
    assert function_call["name"] == "get_weather"
    assert judge_interaction(answer.json, load()) == []


def test_the_search_is_streamed_like_other_tools_of_the_service(api):
    """The start shows ids and an empty signature, one delta brings the rest, and it assembles to the steps."""
    answer = api.create("How is the weather?", tools=[SEARCH, WEATHER], stream=True)
    events = answer.events[:-1]
    starts = {event["step"]["type"]: event["step"] for event in events if event["event_type"] == "step.start"}
    assert starts["tool_search_call"].keys() == {"id", "signature", "type"}
    assert starts["tool_search_result"].keys() == {"call_id", "signature", "type"}
    deltas = [event["delta"] for event in events if event["event_type"] == "step.delta"]
    assert [delta["type"] for delta in deltas].count("tool_search_result") == 1
    assert [step["type"] for step in assemble_steps(events, load())] == TURN
    judge = StreamJudge(load())
    judge.feed(answer.data)
    assert judge.finish().findings == ()


def test_a_client_executes_its_own_search(api):
    """The model calls the function that the tool describes; a function in the result is then called."""
    search = {**SEARCH, "execution": "client", "name": "find_tools", "parameters": {"type": "object"}}
    first = api.create("How is the weather?", tools=[search, WEATHER]).json
    call = first["steps"][-1]
    assert (first["status"], call["type"], call["name"]) == ("requires_action", "function_call", "find_tools")
    found = {"type": "function_result", "call_id": call["id"], "name": "find_tools", "result": [LOADED]}
    second = api.create([found], tools=[search, WEATHER], previous_interaction_id=first["id"]).json
    assert (second["status"], second["steps"][-1]["name"]) == ("requires_action", "get_weather")


@pytest.mark.parametrize(
    ("tools", "config"),
    [([SEARCH], {}), ([SEARCH, {**WEATHER, "defer_loading": False}], {}), ([WEATHER], {}),
     ([SEARCH, WEATHER], {"tool_choice": "none"})],
    ids=["nothing to find", "not deferred", "no search", "no tools"],
)  # fmt: skip
def test_nothing_is_searched_without_need(api, tools, config):
    """Without a search tool, a deferred function or a call there is no search."""
    answer = api.create("How is the weather?", tools=tools, generation_config=config)
    assert "tool_search_call" not in kinds(answer)


@pytest.mark.parametrize(
    ("search", "deferred", "searches"),
    [([SEARCH], True, True), ([SEARCH], False, False), ([], True, False),
     ([{**SEARCH, "execution": "client", "name": "find"}], True, False)],
    ids=["deferred", "not deferred", "no search", "search of the client"],
)  # fmt: skip
def test_the_tool_of_a_deferred_server_is_loaded_first(api, search, deferred, searches):
    """The search names the server and its tool, as in the tests of the SDK; then the tool is called."""
    server = {"type": "mcp_server", "name": "weather", "allowed_tools": ["today"], "defer_loading": deferred}
    steps = api.create("How is it?", tools=[*search, server]).json["steps"]
    called = [step["type"] for step in steps[: 2 + 2 * searches]]
    assert called == [*["tool_search_call", "tool_search_result"] * searches,
                      "mcp_server_tool_call", "mcp_server_tool_result"]  # fmt: skip
    if searches:
        assert steps[0]["arguments"] == {"function_names": ["weather_today"]}
        assert [one["name"] for one in steps[1]["result"]] == ["weather_today"]
