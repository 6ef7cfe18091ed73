"""Running agents: names, environments, and the neighbouring resources they come from."""

from __future__ import annotations

import pytest

from harness.contract.transcript import output_steps, output_text
from tests.emulator.client import AGENT

VERTEX = "/v1beta1/projects/p/locations/global"


def test_server_side_calls_do_not_wait(api):
    """The service answers an agent's own file calls itself, so the run is completed, not requires_action."""
    body = api.create(agent=AGENT, environment="remote").json
    types = [step["type"] for step in body["steps"]]
    assert types[1:3] == ["function_call", "function_result"]
    assert body["status"] == "completed"


def test_pending_call_beside_answered_ones(api):
    """A call to a declared function is pending even if the agent's own call was answered."""
    function = {"type": "function", "name": "pay", "parameters": {}}
    body = api.create(agent=AGENT, environment="remote", tools=[function]).json
    assert body["status"] == "requires_action"
    pending = body["steps"][-1]
    answer = [{"type": "function_result", "call_id": pending["id"], "name": "pay", "result": "done"}]
    again = api.create(answer, agent=AGENT, environment=body["environment_id"], previous_interaction_id=body["id"])
    assert again.json["status"] == "completed"


def test_what_an_agent_writes_is_in_its_sandbox(api):
    """The files that its steps write, made up or scripted, can be listed and downloaded; other paths are not."""
    body = api.create(agent=AGENT, environment="remote").json
    written = next(step["arguments"] for step in body["steps"] if step.get("name") == "write_file")
    files = f"environments/{body['environment_id']}/files"
    assert [entry["path"] for entry in api.call("GET", files).json["files"]] == [written["path"]]
    assert api.call("GET", f"{files}/{written['path']}?alt=media").data.decode() == written["content"]
    calls = [{"path": "out/report.md", "content": "# Done"}, {"path": "../up", "content": "x"}, {"path": 7}]
    api.emulator.reply(
        steps=[{"type": "function_call", "id": str(n), "name": "write_file", "arguments": call}
               for n, call in enumerate(calls)],
        status="completed",
    )  # fmt: skip
    api.create(agent=AGENT, environment=body["environment_id"], previous_interaction_id=body["id"])
    assert api.call("GET", f"{files}/out/report.md?alt=media").data == b"# Done"
    listed = api.call("GET", f"{files}?recursive=true").json["files"]
    assert [entry["path"] for entry in listed] == [written["path"], "out", "out/report.md"]


FIRST, SECOND = (
    "Create a folder named project/ and write hello.py inside.",
    "List all files in the project/ directory.",
)


@pytest.mark.parametrize("named", ["id", "remote"])
@pytest.mark.parametrize(("root", "tool"), [("/v1beta", "list_files"), (VERTEX, "list_dir")])
def test_a_second_turn_works_where_the_first_one_did(api, root, tool, named):
    """It lists the file that the first turn wrote where it was to, in its steps and in its words."""
    api.root = root
    first = settle(api, api.create(FIRST, agent=AGENT, environment="remote", background=True))
    if root == VERTEX:  # its agent runs commands, so the file comes from the client
        target = f"/upload{root}/environments/{first['environment_id']}/files/project/hello.py"
        assert api.call("PUT", target, b"print()").status == 200
    again = {"environment": "remote" if named == "remote" else first["environment_id"]}
    answer = api.create(SECOND, agent=AGENT, background=True, previous_interaction_id=first["id"], **again)
    second = settle(api, answer)
    assert second["environment_id"] == first["environment_id"]
    steps = output_steps(second)
    (call,) = (step for step in steps if step.get("name") == tool and step["type"] == "function_call")
    (result,) = (step for step in steps if step.get("call_id") == call["id"])
    assert result["result"] == {"results" if root == VERTEX else "files": ["project/hello.py"]}
    assert "project/hello.py" in output_text(second)
    assert not any(step.get("name") == "write_file" for step in steps)


def test_a_model_may_have_an_environment(api):
    """A sample in Java sends one; the interaction names it."""
    made = api.create(environment="remote", background=True)
    assert api.get(made.json["id"]).json["environment_id"] == made.json["environment_id"] != ""


@pytest.mark.parametrize("environment", ["remote", {"type": "remote", "network": "disabled"}])
def test_another_sandbox_is_a_new_one(api, environment):
    """Without an earlier turn in one that is still there, or with rules of its own."""
    first = api.create(agent=AGENT, environment="remote").json
    if environment == "remote":
        assert api.call("DELETE", f"environments/{first['environment_id']}").status == 200
    for chain in ({}, {"previous_interaction_id": first["id"]}):
        made = api.create(agent=AGENT, environment=environment, **chain).json["environment_id"]
        assert made != first["environment_id"]


def settle(api, answer):
    """The interaction of a create, polled to its end."""
    body = answer.json
    while body["status"] == "in_progress":
        body = api.get(body["id"]).json
    return body


def test_names_may_have_their_collection_before_them(api):
    """`agents/` and `environments/` are accepted wherever a body names one: as agent, base and sandbox."""
    made = api.call("POST", "environments", {}).json["id"]
    named = f"environments/{made}"
    assert api.create(agent=f"agents/{AGENT}", environment=named).json["environment_id"] == made
    body = {"type": "remote", "environment_id": named, "network": "disabled"}
    assert api.create(agent=AGENT, environment=body).json["environment_id"] == made
    assert api.call("POST", "environments", {"from_environment": named}).json["network"] == "disabled"
    saved = {"id": "helper", "base_agent": f"agents/{AGENT}", "base_environment": named}
    assert api.call("POST", "agents", saved).status == 200
    run = api.create(agent="agents/helper", environment="remote").json
    assert (run["agent"], run["environment_id"] != made) == ("helper", True)
    trigger = {"schedule": "0 9 * * *", "time_zone": "UTC", "environment_id": named,
               "interaction": {"agent": "agents/helper", "input": "Go."}}  # fmt: skip
    target = api.call("POST", "triggers", trigger).json["id"]
    executed = api.call("POST", f"triggers/{target}/executions").json
    assert executed["environment_id"] == made
    assert api.get(executed["interaction_id"]).json["agent"] == "helper"


def test_streamed_agent_counts_as_it_goes(api):
    """Each step.stop in an agent's stream has the usage so far."""
    events = api.create(agent=AGENT, environment="remote", stream=True).events
    totals = [event["usage"]["total_tokens"] for event in events[:-1] if event["event_type"] == "step.stop"]
    assert totals == sorted(totals)
    assert totals[-1] == events[-2]["interaction"]["usage"]["total_tokens"]
