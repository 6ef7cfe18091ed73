"""Scripts and scenario files: which are accepted, how the others are refused, which create gets which script."""

from __future__ import annotations

import json

import pytest

from harness import resources
from harness.emulator import Emulator, Script, ScriptFault, Settings
from harness.emulator.scripts import EMPTY, ScriptQueue, parse, read_scenario
from tests.emulator.client import AGENT, MODEL, Api
from tests.in_one_test import in_one_test

ACCEPTED = [
    {},
    {"text": "x", "deltas": 3, "thought": False},
    {"text": "xy", "deltas": ["x", "y"]},
    {"deltas": ["x", "y"]},
    {"steps": [{"type": "anything", "whatever": 1}]},
    {"hold": True},
    {"hold": {"after": 3}},
    {"status": "failed", "errors": [{"code": "api_error", "message": "x"}]},
    {"refuse": {"status": 503, "headers": {"retry-after": "1"}}},
    {"error_event": {"after": 2, "code": "api_error", "message": "x", "id": True, "fatal": False}},
    {"match": {"model": MODEL, "previous": False, "further": False, "input_contains": "x"}, "times": 0},
    {"continuation_token": "dG9r", "usage": {"total_tokens": 1}, "environment_id": "e", "ticks": 0, "queued": 1},
]

REFUSED = [
    ("text", "an object"),
    ({"txt": "x"}, "'text'"),
    ({"text": 5}, "$.text"),
    ({"queued": -1}, "`int` >= 0 - at `$.queued`"),
    ({"ticks": "two"}, "$.ticks"),
    ({"hold": {"till": 1}}, "hold has no key 'till'. Its keys are after."),
    ({"hold": {"after": -1}}, "hold"),
    ({"text": "x", "steps": []}, "one of them"),
    ({"steps": [{"text": "x"}]}, "steps[0]"),
    ({"status": "in_progress"}, "in_progress"),
    ({"deltas": 0}, "$.deltas"),
    ({"refuse": {"status": 200}}, ">= 400 - at `$.refuse.status`"),
    ({"times": -1}, "$.times"),
    ({"error_event": {"after": -1}}, "$.error_event.after"),
    ({"match": {"contains": "y"}}, "match has no key 'contains'. Did you mean 'input_contains'?"),
    ({"refuse": {"statsu": 503}}, "refuse has no key 'statsu'. Did you mean 'status'?"),
    ({"lasts": 0}, "> 0.0 - at `$.lasts`"),
    ({"fragments": 0}, "$.fragments"),
    ({"hidden": {"status": 200}}, "$.hidden.status"),
    ({"hidden": {"polls": -1}}, "$.hidden.polls"),
    ({"hops": 0}, "hops"),
    ({"mcp_steps": "bare"}, "mcp_steps"),
    ({"checkpoints": 3}, "checkpoints"),
]

REFUSED_BEYOND_SCHEMA = [
    ({"text": "xy", "deltas": ["x"]}, "join"),
    ({"refuse": {"headers": {"a b": "x"}}}, "'a b': 'x' cannot be sent"),
    ({"refuse": {"headers": {"a": "x\r\ny"}}}, "a value one line"),
    ({"continuation_token": "x", "status": "completed"}, "requires_continuation"),
    ({"steps": [{"type": "model_output", "content": [{"type": "text"}]}]}, "steps[0].content"),
    ({"steps": [{"type": "thought", "summary": ["x"]}]}, "steps[0].summary"),
]
"""Scripts that the parser refuses although the schema accepts them."""


def schema(name: str):
    """Return a validator for one definition of the scenario schema, or for the whole schema if `name` is empty."""
    import jsonschema_rs

    document = json.loads((resources.folder("schemas") / "scenario.schema.json").read_bytes())
    part = document if not name else {"$defs": document["$defs"], "$ref": f"#/$defs/{name}"}
    return jsonschema_rs.Draft202012Validator(part)


@pytest.mark.parametrize("script", ACCEPTED, ids=str)
def test_scripts_that_can_be_played(script):
    """The parser and the schema both accept the script."""
    assert isinstance(parse(script), Script)
    assert schema("script").is_valid(script)


@in_one_test(REFUSED + REFUSED_BEYOND_SCHEMA)
def test_scripts_that_cannot_be_played(script, words):
    """The parser names the wrong key; the schema also refuses the script if a schema can express the rule."""
    with pytest.raises(ScriptFault) as refused:
        parse(script)
    assert words in str(refused.value)
    assert schema("script").is_valid(script) == ((script, words) in REFUSED_BEYOND_SCHEMA)


def test_schema_names_every_key_and_setting():
    """Code and schema have the same script keys and the same settings."""
    document = json.loads((resources.folder("schemas") / "scenario.schema.json").read_bytes())["$defs"]
    assert set(document["script"]["properties"]) == set(Script.__struct_fields__)
    assert set(document["settings"]["properties"]) == set(Settings.__struct_fields__)


GO = {"type": "user_input", "content": [{"type": "text", "text": "Go."}]}
SAID = {"type": "model_output", "content": [{"type": "text", "text": "Hello."}]}
QUEUES = {
    "the first that fits": (
        [{"text": "a", "match": {"agent": AGENT}}, {"text": "b", "match": {"input_contains": "hi"}},
         {"text": "c", "times": 2}],
        [({"text": "oh hi"}, "b"), ({"text": "hi"}, "c"), ({"agent": AGENT, "environment": "remote"}, "a"),
         ({}, "c"), ({}, "This answers")],
    ),
    "a transcript": (
        [{"text": "a", "match": {"further": True}}, {"text": "b", "match": {"further": False}}],
        [({"text": [GO, GO]}, "b"), ({"text": [GO, SAID, GO]}, "a")],
    ),
    "for ever": ([{"text": "a", "times": 0}], [({}, "a")] * 3),
    "by tool": (
        [{"text": "a", "match": {"tool": "f"}}, {"text": "b", "match": {"tool": "google_search"}}],
        [({}, "This answers"), ({"tools": [{"type": "google_search"}]}, "b"),
         ({"tools": [{"type": "function", "name": "f"}]}, "a")],
    ),
}  # fmt: skip
"""Scripts in the queue, and creates with what answers them."""


@pytest.mark.parametrize(("scripts", "creates"), QUEUES.values(), ids=QUEUES)
def test_each_create_takes_the_first_script_that_fits(api, scripts, creates):
    """By model, agent, words, tool or turn; a script serves `times` creates, and 0 is without an end."""
    for script in scripts:
        api.emulator.script(script)
    for fields, said in creates:
        assert api.create(**fields).json["steps"][-1]["content"][0]["text"].startswith(said)


def test_a_repeated_answer_has_calls_of_its_own(api):
    """Each time a script is given again, its calls have new ids, and their results refer to them."""
    call = {"type": "function_call", "id": "a", "name": "look", "arguments": {}}
    api.emulator.reply(steps=[call, {"type": "function_result", "call_id": "a", "result": "b"}], times=0)
    given = [api.create().json["steps"] for _ in range(3)]
    ids = [[step.get("id", step.get("call_id")) for step in steps] for steps in given]
    assert ids == [["a", "a"], ["a_2", "a_2"], ["a_3", "a_3"]]


def test_queue_is_bounded():
    """A full queue refuses scripts and names the setting that limits it; it adds all scripts of a call or none."""
    queue = ScriptQueue(2)
    queue.add(EMPTY)
    with pytest.raises(ScriptFault, match="max_queued"):
        queue.add(EMPTY, EMPTY)
    assert len(queue) == 1
    queue.add(EMPTY)
    with pytest.raises(ScriptFault, match="1 more"):
        queue.add(EMPTY)


def test_refused_creates_use_no_script(api):
    """A create that is refused leaves the script to the next create."""
    api.emulator.reply("Mine.")
    assert api.create("").status == 400
    assert api.create().json["steps"][-1]["content"][0]["text"] == "Mine."


def test_scripted_usage_and_environment(api):
    """A script's usage and environment_id are returned unchanged."""
    api.emulator.reply("x", usage={"total_tokens": 99, "extra": 1}, environment_id="env-1")
    body = api.create().json
    assert (body["usage"]["total_tokens"], body["usage"]["extra"], body["environment_id"]) == (99, 1, "env-1")


SCENARIO = """
description: two answers
settings: {event_ids: sparse}
replies:
  - text: First.
  - {text: Second., match: {previous: true}}
"""


def test_scenario_files(tmp_path):
    """A scenario queues its scripts and applies its settings, and the schema accepts it."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    api = Api(Emulator().load_scenario(path))
    assert api.emulator.settings.event_ids == "sparse"
    first = api.create().json
    assert first["steps"][-1]["content"][0]["text"] == "First."
    second = api.create(previous_interaction_id=first["id"]).json
    assert second["steps"][-1]["content"][0]["text"] == "Second."
    import yaml

    assert schema("").is_valid(yaml.safe_load(SCENARIO))


def test_scenario_as_a_list():
    """A bare list of scripts is also a scenario."""
    assert [script.text for script in read_scenario("- text: a\n- {}\n").replies] == ["a", None]


WRONG_SCENARIOS = [
    ("{", "not YAML"),
    ("just words", "a list of scripts"),
    ("reples: []", "'replies'"),
    ("replies: {}", "a list"),
    ("- text: a\n- txt: b\n", "reply 2"),
    ("settings: []", "an object"),
    ("[]", "the scenario is empty"),
    ("{replies: [], settings: {}}", "the scenario is empty"),
    ("description: to be written", "the scenario is empty"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_SCENARIOS)
def test_wrong_scenarios_are_explained(text, words):
    """The error says what is wrong with a scenario, and where."""
    with pytest.raises(ScriptFault, match=words.replace("'", ".")):
        read_scenario(text)


def test_wrong_scenario_files_are_named(tmp_path):
    """The error names the scenario file, even if the file does not exist."""
    path = tmp_path / "bad.yaml"
    with pytest.raises(ScriptFault, match=r"bad\.yaml"):
        Emulator().load_scenario(path)
    path.write_text("replies: 5", encoding="utf-8")
    with pytest.raises(ScriptFault, match=r"bad\.yaml"):
        Emulator().load_scenario(path)


def test_scripted_calls_have_ids(api):
    """A scripted function call without an id gets a unique one; a call with an id keeps it."""
    call = {"type": "function_call", "name": "f", "arguments": {}}
    api.emulator.script({"steps": [call, call, {**call, "id": "mine"}]})
    found = [step["id"] for step in api.create().json["steps"] if step["type"] == "function_call"]
    assert found[-1] == "mine"
    assert len(set(found)) == 3
