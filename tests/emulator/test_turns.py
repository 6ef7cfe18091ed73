"""Turns after the first: parents, tokens, function results, steps sent back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from .client import AGENT, Api

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALLS = [
    {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}},
    {"type": "function_call", "id": "c2", "name": "get_weather", "arguments": {"city": "Rome"}},
]


def result(call_id: str, value: object = "sunny") -> dict:
    """A function result."""
    return {"type": "function_result", "call_id": call_id, "name": "get_weather", "result": value}


def asked(api: Api, *calls: dict) -> str:
    """An interaction with pending calls."""
    api.emulator.reply(steps=[*calls])
    return api.created("Weather?", tools=[WEATHER])


def test_chain_carries_the_history(api):
    """Each turn's input tokens hold all that was said before it."""
    counts, parent = [], None
    for _ in range(4):
        body = api.create("Say hi.", previous_interaction_id=parent).json
        usage = body["usage"]
        counts.append((usage["total_input_tokens"], usage["total_output_tokens"]))
        parent = body["id"]
    for (before, made), (after, _) in pairwise(counts):
        assert after == before + made + counts[0][0]


def test_chain_leaves_the_parent_alone(api):
    """A parent reads the same after two children, and they have their own steps only."""
    parent = api.created("One")
    before = api.get(parent).data
    for text in ("Two", "Three"):
        child = api.create(text, previous_interaction_id=parent).json
        assert len(child["steps"]) == 2
        assert api.get(child["id"]).json["steps"][0]["content"][0]["text"] == text
    assert api.get(parent).data == before


def test_nothing_is_inherited(api):
    """Tools are not inherited: a child without tools calls nothing."""
    parent = api.create(tools=[{"type": "google_search"}]).json["id"]
    child = api.create("More", previous_interaction_id=parent).json
    assert {step["type"] for step in child["steps"]} == {"thought", "model_output"}


def broken_parents(api: Api) -> dict[str, tuple[str, tuple[int, str]]]:
    """Parents that cannot be continued, and how they are refused."""
    gone = api.created()
    api.delete(gone)
    return {
        "unknown": ("v1_nothing", (404, "not_found")),
        "empty": ("", (404, "not_found")),
        "deleted": (gone, (404, "not_found")),
        "running": (api.created(background=True), (400, "failed_precondition")),
    }


def test_parents_that_cannot_be_continued(api):
    """A parent must be stored and settled; a run in progress is a 400."""
    for name, (parent, error) in broken_parents(api).items():
        assert api.create(previous_interaction_id=parent).error == error, name


def test_queued_parent_is_refused(api):
    """A queued run cannot be continued either."""
    api.emulator.reply(queued=1)
    assert api.create(previous_interaction_id=api.created(background=True)).error == (400, "failed_precondition")


def test_foreign_parent_does_not_exist():
    """Another project's interaction cannot be continued."""
    api = Api.with_settings(keys={"a": "one", "b": "two"})
    api.key = "a"
    parent = api.created()
    api.key = "b"
    assert api.create(previous_interaction_id=parent).error == (404, "not_found")


@pytest.mark.parametrize("goal", ["completed", "failed", "cancelled", "incomplete"])
def test_settled_parents_can_be_continued(api, goal):
    """Whatever it settled in, a stored parent can be continued."""
    api.emulator.reply("So far.", status=goal)
    assert api.create(previous_interaction_id=api.created()).status == 200


def test_settled_background_parent(api):
    """A background run can be continued as soon as it has settled."""
    parent = api.created(background=True)
    while api.status(parent) == "in_progress":
        assert api.create(previous_interaction_id=parent).status == 400
    assert api.create(previous_interaction_id=parent).status == 200


RESULTS = {"string": "sunny", "object": {"sky": "blue"}, "contents": [{"type": "text", "text": "sunny"}]}


@pytest.mark.parametrize("value", RESULTS.values(), ids=RESULTS)
def test_results_answer_a_call(api, value):
    """A result may be a string, an object or contents; the run then completes."""
    parent = asked(api, CALLS[0])
    body = api.create([result("c1", value)], previous_interaction_id=parent, tools=[WEATHER]).json
    assert body["status"] == "completed"
    assert api.get(body["id"]).json["steps"][0] == result("c1", value)


def test_result_inside_user_input(api):
    """A result inside a user_input step counts, as recordings show."""
    step = {"type": "user_input", "content": [result("c1")]}
    assert api.create([step], previous_interaction_id=asked(api, CALLS[0])).status == 200


def test_parallel_results_in_any_order(api):
    """All pending calls are answered in one request, in any order."""
    given = [result("c2"), result("c1")]
    assert api.create(given, previous_interaction_id=asked(api, *CALLS)).status == 200


WRONG_RESULTS = {
    "other id": ([result("c9")], "pending are c1, c2"),
    "twice": ([result("c1"), result("c1")], "c1"),
    "one missing": ([result("c1")], "c2"),
}


@pytest.mark.parametrize(("given", "words"), WRONG_RESULTS.values(), ids=WRONG_RESULTS)
def test_wrong_results_are_refused(api, given, words):
    """Results must name pending calls, each once, and all of them."""
    answer = api.create(given, previous_interaction_id=asked(api, *CALLS))
    assert answer.error == (400, "invalid_request")
    assert words in answer.message


def test_orphan_result_is_refused(api):
    """A result without a parent and without its call is a 400 that says what to send."""
    answer = api.create([result("c1")])
    assert answer.error == (400, "invalid_request")
    assert "previous_interaction_id" in answer.message


def test_text_after_a_pending_call(api):
    """A turn that brings text instead of results is taken."""
    assert api.create("Never mind.", previous_interaction_id=asked(api, CALLS[0])).status == 200


def stateless(api: Api) -> list[dict]:
    """The steps of a first turn that called a function, as a stateless client keeps them."""
    body = api.create("Weather?", tools=[WEATHER], store=False).json
    question = {"type": "user_input", "content": [{"type": "text", "text": "Weather?"}]}
    return [question, *body["steps"], result(body["steps"][-1]["id"])]


SEEN = {"type": "tool_call", "id": "c1", "signature": "c2ln"}


@pytest.mark.parametrize(
    ("step", "status"),
    [(SEEN, 200), ({**SEEN, "name": "x"}, 400), ({**SEEN, "type": "foo_call"}, 400)],
    ids=["as seen", "more", "another"],
)
def test_a_step_that_was_only_seen_is_taken_back(api, step, status):
    """`tool_call` with id and signature, which third-party probes saw, may be sent back; strangers are refused."""
    asked = {"type": "user_input", "content": [{"type": "text", "text": "Hi."}]}
    answer = api.create([asked, step, asked], store=False)
    assert answer.status == status, answer.data


def test_stateless_turn(api):
    """All steps sent back with their signatures, and the result, bring an answer."""
    assert api.create(stateless(api), tools=[WEATHER], store=False).json["status"] == "completed"


DAMAGES = {
    "missing": (lambda thought: thought.pop("signature"), "missing_thought_signature"),
    "empty": (lambda thought: thought.update(signature=""), "missing_thought_signature"),
    "cut": (lambda thought: thought.update(signature=thought["signature"][:-4]), "invalid_request"),
    "bit": (lambda thought: thought.update(signature=thought["signature"][:9] + "A" + thought["signature"][10:]),
            "invalid_request"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "code"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_signatures_are_noticed(api, damage, code):
    """A thought that lost its signature, or came back with another, is refused."""
    steps = stateless(api)
    damage(next(step for step in steps if step["type"] == "thought"))
    assert api.create(steps, tools=[WEATHER], store=False).error == (400, code)


def test_dropped_thought_is_noticed(api):
    """A call sent back without the thought before it is refused."""
    steps = [step for step in stateless(api) if step["type"] != "thought"]
    for model in ("gemini-3.5-flash", "models/gemini-3.5-flash"):
        refused = api.create(steps, store=False, model=model)
        assert refused.error == (400, "missing_thought_signature"), model


def test_foreign_signatures_pass(api):
    """Signatures of recordings and scripts are taken as they are."""
    for signature in ("signature_REDACTED_1", "CiQBDDnWxzCnKBoG0"):
        given = [{"type": "thought", "signature": signature}, {"type": "user_input", "content": "Hi"}]
        assert api.create(given).status == 200, signature


def test_continuation_hops(api):
    """Token and parent without input continue a paused answer, hop after hop, each with its own id."""
    api.emulator.reply("One ", continuation_token="dDE=").reply("two ", continuation_token="dDI=").reply("three")
    body, seen = api.create().json, []
    while body["status"] == "requires_continuation":
        seen.append(body["id"])
        body = api.create(
            None, previous_interaction_id=body["id"], continuation_token=body["continuation_token"]
        ).json
    assert body["status"] == "completed"
    assert len({*seen, body["id"]}) == 3
    assert body["steps"][-1]["content"][0]["text"] == "three"


def test_continuation_unstored(api):
    """Without storage the token comes with the original input."""
    api.emulator.reply("One", continuation_token="dDE=")
    token = api.create(store=False).json["continuation_token"]
    assert api.create("Say hi.", store=False, continuation_token=token).status == 200


def test_continuation_token_of_somebody_else():
    """A token is good for its own project only."""
    api = Api.with_settings(keys={"a": "one", "b": "two"})
    api.key = "a"
    api.emulator.reply("One", continuation_token="dDE=")
    api.created()
    api.key = "b"
    assert api.create(continuation_token="dDE=").error == (400, "invalid_request")


def test_stream_hands_out_the_token(api):
    """A stream that pauses says so in its last event."""
    api.emulator.reply("One", continuation_token="dDE=")
    last = api.create(stream=True).events[-2]["interaction"]
    assert (last["status"], last["continuation_token"]) == ("requires_continuation", "dDE=")


def test_agents_and_models_take_turns(api):
    """A model may continue an agent's work, and an agent a model's."""
    first = api.created(agent=AGENT, environment="remote")
    second = api.created(previous_interaction_id=first)
    assert api.create(agent=AGENT, environment="remote", previous_interaction_id=second).status == 200
