"""Forms of an answer on demand: long decoding with its checkpoints, bare MCP calls, transcripts."""

from __future__ import annotations

import pytest

from harness.contract import StreamJudge, judge_interaction, load
from harness.contract.transcript import assemble_steps

TEXT = "One two three four five six."
MCP = {"type": "mcp_server", "name": "docs", "url": "https://mcp.example"}


def outputs(steps):
    """The texts of the model's outputs."""
    return [step["content"][0]["text"] for step in steps if step["type"] == "model_output"]


def test_long_decoding_has_several_outputs_under_one_id(api):
    """The hops join to the text, streams and GET show the same steps, and the contract allows all of them."""
    api.emulator.reply(TEXT, hops=3)
    streamed = api.create(stream=True, background=True)
    judge = StreamJudge(load())
    judge.feed(streamed.data)
    assert judge.finish().findings == ()
    steps = assemble_steps(streamed.events[:-1], load())
    assert (len(outputs(steps)), "".join(outputs(steps))) == (3, TEXT)
    assert len({event["interaction"]["id"] for event in streamed.events[:-1] if "interaction" in event}) == 1
    read = api.get(streamed.events[0]["interaction"]["id"]).json
    assert outputs(read["steps"]) == outputs(steps)
    assert judge_interaction(read, load()) == []


def test_the_default_answer_can_be_split_too(api):
    """A script that only says `hops` keeps the words that the emulator makes up."""
    whole = outputs(api.create().json["steps"])
    api.emulator.script({"hops": 2})
    parts = outputs(api.create().json["steps"])
    assert (len(parts), "".join(parts)) == (2, whole[0])


def test_a_checkpoint_continues_with_the_rest(api):
    """Between outputs comes a status update with a token; a create with it answers what came after that point."""
    api.emulator.reply(TEXT, hops=3, checkpoints=True)
    events = api.create(stream=True).events[:-1]
    updates = [event for event in events if event.get("continuation_token")]
    assert {(event["event_type"], event["status"]) for event in updates} == {
        ("interaction.status_update", "in_progress")
    }
    first, second = (event["continuation_token"] for event in updates)
    pieces = outputs(assemble_steps(events, load()))
    for token, rest in ((first, pieces[1:]), (second, pieces[2:]), (first, pieces[1:])):
        assert outputs(api.create(continuation_token=token).json["steps"]) == rest
    assert load().schemas.validator("event", closed=True).problems(updates[0]) == []


def test_a_checkpoint_belongs_to_its_project(api):
    """Another project cannot continue from it, and without `checkpoints` no stream has any."""
    api.emulator.change(keys={"a": "one", "b": "two"})
    api.key = "a"
    api.emulator.reply(TEXT, hops=2, checkpoints=True).reply(TEXT, hops=2)
    events = api.create(stream=True).events
    token = next(event["continuation_token"] for event in events if "continuation_token" in event)
    assert not any("continuation_token" in event for event in api.create(stream=True).events)
    api.key = "b"
    assert api.create(continuation_token=token).error == (400, "invalid_request")


def test_mcp_calls_come_in_a_second_form(api):
    """One bare step with id and signature, whole in its start; it is taken back, and no call is made again."""
    api.emulator.script({"mcp_steps": "tool_call"})
    streamed = api.create("Look it up.", tools=[MCP], stream=True).events[:-1]
    starts = [event["step"] for event in streamed if event["event_type"] == "step.start"]
    (start,) = [step for step in starts if step["type"] == "tool_call"]
    assert start.keys() == {"id", "type", "signature"}
    assert not any("mcp_server_tool" in str(event) for event in streamed)
    api.emulator.script({"mcp_steps": "tool_call"})
    first = api.create("Look it up.", tools=[MCP], store=False).json["steps"]
    turn = [{"type": "user_input", "content": "Look it up."}, *first, {"type": "user_input", "content": "More."}]
    again = api.create(turn, tools=[MCP], store=False).json["steps"]
    assert [step["type"] for step in again] == ["thought", "model_output"]


MODEL = "gemini-3.5-transcribe"
SPEECH = [{"type": "audio", "data": "AAAA", "mime_type": "audio/wav"}]
TIMED = {"type": "verbatim", "timestamp_granularities": ["word"]}
SPOKEN = {"type": "verbatim", "diarization_mode": "speaker"}


def words(api, **config):
    """The annotations of a transcript, and its text."""
    answer = api.create(SPEECH, model=MODEL, generation_config={"transcription_config": config}).json
    assert judge_interaction(answer, load()) == []
    content = answer["steps"][-1]["content"][0]
    return content.get("annotations", []), content["text"]


def test_every_word_has_its_time(api):
    """The spans are byte offsets into the text, and the times follow each other in the recorded form."""
    infos, text = words(api, mode=TIMED)
    assert [info["text"] for info in infos] == text.split()
    assert [text.encode()[info["start_index"] : info["end_index"]].decode() for info in infos] == text.split()
    assert [infos[0][name] for name in ("start_offset", "end_offset")] == ["0.000s", "0.300s"]
    assert [info["end_offset"] for info in infos[:-1]] == [info["start_offset"] for info in infos[1:]]
    assert {info["type"] for info in infos} == {"word_info"}


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"mode": SPOKEN}, {"speaker"}),
        ({"mode": {**TIMED, **SPOKEN}}, {"speaker", "start_offset", "end_offset"}),
        ({"timestamp_granularities": ["word"]}, {"start_offset", "end_offset"}),
        ({"mode": "verbatim"}, None),
        ({}, None),
    ],
)
def test_only_what_was_asked_for_is_told(api, config, names):
    """Speakers and times are asked for separately, also by the older names; without either there are no words."""
    infos, _ = words(api, **config)
    told = {name for info in infos for name in info} - {"type", "text", "start_index", "end_index"}
    assert (told, bool(infos)) == (names or set(), names is not None)
