"""Long answers: where they break off, and how they go on."""

from __future__ import annotations

import pytest

from tests.emulator.client import Api

SHORT, LONG = 32_768, 65_536
"""Tokens of a segment."""


def words(tokens: int) -> str:
    """A text of so many tokens, each a number."""
    return "".join(f"{number % 65_536:04x}" for number in range(tokens))


def text_of(body):
    """The output of a body."""
    return "".join(
        content["text"] for step in body["steps"] if step["type"] == "model_output" for content in step["content"]
    )


@pytest.mark.parametrize(("model", "stream", "limit"), [
    ("gemini-4-carbon", False, SHORT), ("gemini-4-argon", False, SHORT), ("gemini-4-carbon", True, LONG),
    ("gemini-4-hydrogen", False, LONG), ("gemini-4-neon", True, LONG),
])  # fmt: skip
def test_a_foreground_answer_ends_with_its_segment(model, stream, limit):
    """A segment that is full is whole; one token more, and the answer requires a continuation."""
    api = Api()
    for tokens, status in ((limit, "completed"), (limit + 1, "requires_continuation")):
        api.emulator.reply(words(tokens))
        answer = api.create(model=model, stream=stream)
        end = answer.events[-2]["interaction"] if stream else answer.json
        assert end["status"] == status
        assert ("continuation_token" in end) is (status != "completed")
        said = answer.text if stream else text_of(answer.json)
        assert said == words(tokens)[: limit * 4]
        assert end["usage"]["total_output_tokens"] == limit


@pytest.mark.parametrize("store", [True, False])
def test_a_token_goes_on(store):
    """Creates with the latest token bring the rest, each with its own output, until it is complete."""
    api, whole = Api(), words(2 * SHORT + 100)
    api.emulator.reply(whole)
    body = api.create("Write.", model="gemini-4-carbon", store=store).json
    said, ids = [text_of(body)], {body.get("id")}
    while body["status"] == "requires_continuation":
        if store:
            fields = {"previous_interaction_id": body["id"], "text": None}
        else:
            fields = {"text": "Write.", "store": False}
        answer = api.create(model="gemini-4-carbon", continuation_token=body["continuation_token"], **fields)
        assert answer.status == 200, answer.data
        body = answer.json
        said.append(text_of(body))
        ids.add(body.get("id"))
    assert body["status"] == "completed"
    assert len(ids) == (3 if store else 1)
    assert [len(part) for part in said] == [SHORT * 4, SHORT * 4, 400]
    assert "".join(said) == whole


def test_the_background_writes_on():
    """In the background each segment is an output of the same interaction, which completes."""
    api, whole = Api(), words(2 * LONG + 1)
    api.emulator.reply(whole)
    found = api.created(model="gemini-4-argon", background=True)
    while (body := api.get(found).json)["status"] == "in_progress":
        pass
    outputs = [step for step in body["steps"] if step["type"] == "model_output"]
    assert (body["status"], len(outputs), text_of(body)) == ("completed", 3, whole)


def test_older_models_have_no_segments():
    """Long decoding began with Gemini 4."""
    api = Api()
    api.emulator.reply(words(LONG + 1))
    assert api.create(model="gemini-3.8-flash").json["status"] == "completed"


def test_every_background_run_lasts():
    """With the setting a run is still there when it is cancelled; a script may say otherwise."""
    api = Api.with_settings(lasts=60.0)
    assert api.create().json["status"] == "completed"
    stream = api.emulator
    stream.reply("At once.", lasts=0.001)
    quick = api.created(background=True)
    stream.clock.reached(stream.clock.now + 1)
    assert api.status(quick) == "completed"
    found = api.created(background=True)
    assert api.status(found) == "in_progress"
    assert api.cancel(found).json["status"] == "cancelled"


@pytest.mark.parametrize(("result", "words"), [
    ("21 degrees", "21 degrees"), ({"degrees": 21}, '{"degrees":21}'),
    ([{"type": "text", "text": "mild"}], "mild"),
], ids=str)  # fmt: skip
def test_the_default_answer_repeats_a_result(result, words):
    """The answer to a function's result holds its words, as suites look for them."""
    api = Api()
    body = api.create("Weather?", tools=[{"type": "function", "name": "f"}]).json
    (call,) = [step for step in body["steps"] if step["type"] == "function_call"]
    step = {"type": "function_result", "name": "f", "call_id": call["id"], "result": result}
    answer = api.create([step], previous_interaction_id=body["id"])
    assert words in answer.json["steps"][-1]["content"][0]["text"]
