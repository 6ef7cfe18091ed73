"""Streams: their bytes and events; the contract's own judge finds nothing wrong with any of them."""

from __future__ import annotations

import base64

import pytest

from harness.contract import StreamJudge, judge_interaction, load
from tests.emulator.client import AGENT, Api, read

FUNCTION = {"type": "function", "name": "f", "parameters": {"properties": {"text": {"type": "string"}}}}
MOST_TOOLS = [{"type": kind} for kind in ("google_search", "code_execution", "url_context", "google_maps")]
STEPS = [
    {"type": "thought", "summary": [{"type": "text", "text": "Hm."}], "signature": "c2ln"},
    {"type": "processing_call", "id": "p1", "signature": "c2ln"},
    {"type": "processing_result", "call_id": "p1", "signature": "c2ln"},
    {
        "type": "model_output",
        "content": [
            {"type": "text", "text": "Zwölf 🦊", "annotations": [
                {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://example.org/"},
            ]},
            {"type": "image", "mime_type": "image/png", "data": "aGk="},
            {"type": "text", "text": "end"},
        ],
    },
]  # fmt: skip


def frame(name: str, payload: str) -> str:
    """One frame in the format of the recordings."""
    return f"event: {name}\ndata: {payload}\n\n"


def test_stream_bytes_are_those_of_recordings(api):
    """A foreground stream matches the recordings in every byte: frames, order of events and fields, sentinel."""
    api.emulator.reply("Hi.", deltas=["H", "i."], thought=False)
    answer = api.create("Say hi.", model="gemini-3.8-flash", stream=True)
    found = answer.events[0]["interaction"]["id"]
    usage = (
        '{"total_tokens":3,"total_input_tokens":2,"input_tokens_by_modality":[{"modality":"text","tokens":2}],'
        '"total_cached_tokens":0,"total_output_tokens":1,"total_tool_use_tokens":0,"total_thought_tokens":0,"raw_prompt_token":23,'
        '"model_invocation_token_counts":[{"prompt_tokens_details":[{"modality":"text","tokens":23}],'
        '"candidates_tokens_details":[{"modality":"text","tokens":1}]}]}'
    )
    times = '"created":"2026-06-09T00:00:00Z","updated":"2026-06-09T00:00:00Z","service_tier":"standard"'
    about = '"object":"interaction","model":"gemini-3.8-flash"'
    expected = [
        ("interaction.created", f'{{"interaction":{{"id":"{found}","status":"in_progress",{about}}}'),
        ("interaction.status_update", f'{{"interaction_id":"{found}","status":"in_progress"'),
        ("step.start", '{"index":0,"step":{"type":"model_output"}'),
        ("step.delta", '{"index":0,"delta":{"text":"H","type":"text"}'),
        ("step.delta", '{"index":0,"delta":{"text":"i.","type":"text"}'),
        ("step.stop", '{"index":0'),
        (
            "interaction.completed",
            f'{{"interaction":{{"id":"{found}","status":"completed","usage":{usage},{times},{about}}}',
        ),
    ]
    text = "".join(frame(name, f'{payload},"event_type":"{name}"}}') for name, payload in expected)
    assert answer.data.decode() == text + frame("done", "[DONE]")
    assert answer.headers.items() == (("content-type", "text/event-stream"), ("x-gemini-service-tier", "standard"))


STREAMS = {
    "default": ({}, {}),
    "summary": ({}, {"generation_config": {"thinking_summaries": "auto"}}),
    "call": ({}, {"tools": [FUNCTION]}),
    "all tools": ({}, {"tools": MOST_TOOLS}),
    "files searched": ({}, {"tools": [{"type": "file_search"}]}),
    "mcp": ({}, {"tools": [{"type": "mcp_server", "name": "shop", "url": "https://example.org/mcp"}]}),
    "computer": ({}, {"tools": [{"type": "computer_use", "environment": "browser"}]}),
    "json": ({}, {"response_format": {"type": "text", "mime_type": "application/json", "schema": {}}}),
    "media": ({}, {"model": "gemini-3-pro-image", "response_modalities": ["text", "image"]}),
    "video": ({}, {"model": "gemini-omni-1.2-flash"}),
    "speech": ({}, {"model": "gemini-3.8-flash-tts"}),
    "incomplete": ({}, {"generation_config": {"max_output_tokens": 1}}),
    "unstored": ({}, {"store": False}),
    "agent": ({}, {"agent": AGENT, "environment": "remote"}),
    "research": ({}, {"agent": "deep-research-preview-04-2026", "background": True}),
    "steps": ({"steps": STEPS}, {}),
    "empty text": ({"text": ""}, {}),
    "one piece": ({"text": "Hello.", "deltas": 1}, {}),
    "no steps": ({"steps": [], "status": "incomplete"}, {}),
    "failed": ({"status": "failed"}, {}),
    "cancelled": ({"status": "cancelled", "text": "So far"}, {}),
    "continuation": ({"text": "Half", "continuation_token": "dG9r"}, {}),
    "background": ({}, {"background": True}),
    "queued": ({"queued": 2}, {"background": True}),
    "long": ({"text": "word " * 2000, "deltas": 1000}, {"background": True}),
    "error": ({"error_event": {"after": 4, "code": "api_error", "message": "Broken."}}, {}),
    "failing": ({"status": "failed", "error_event": {"after": 4}}, {}),
    "blip": ({"error_event": {"after": 4, "fatal": False}}, {}),
}


@pytest.mark.parametrize(("script", "fields"), STREAMS.values(), ids=STREAMS)
def test_every_stream_is_clean(api, script, fields):
    """The contract finds nothing wrong with any stream, fresh or replayed, nor with the body of the GET."""
    api.emulator.script({**script, "times": 0})
    answer = api.create(stream=True, **fields)
    replies = [answer]
    found = answer.events[0]["interaction"]["id"]
    if found:
        replies.append(api.get(found, stream="true"))
        body = api.get(found).json
        assert [str(finding) for finding in judge_interaction(body, load())] == []
        assert load().schemas.validator("interaction", closed=True).is_valid(body)
    for reply in replies:
        judge = StreamJudge(load())
        judge.feed(reply.data)
        assert [(finding.rule, finding.message) for finding in judge.finish().findings] == []


POLICIES = {
    "all": lambda position, event: True,
    "none": lambda position, event: False,
    "deltas": lambda position, event: event["event_type"] == "step.delta",
    "sparse": lambda position, event: position % 3 == 0,
}


@pytest.mark.parametrize("policy", POLICIES)
def test_event_id_policies(policy):
    """The setting decides which events have an id; ids are unique and stand directly before event_type."""
    api = Api.with_settings(event_ids=policy)
    events = api.create(stream=True).events[:-1]
    ids = [event["event_id"] for event in events if "event_id" in event]
    assert ["event_id" in event for event in events] == [POLICIES[policy](*each) for each in enumerate(events)]
    assert len(set(ids)) == len(ids)
    assert all(list(event)[-2:] == ["event_id", "event_type"] for event in events if "event_id" in event)


@pytest.mark.parametrize(
    ("platform", "share"), [("gemini", range(1, 5)), ("vertex", range(1)), ("any", range(10, 30))]
)
def test_event_ids_as_observed(platform, share):
    """The events of foreground streams have no ids; of background streams some have, on Vertex none."""
    api = Api.with_settings(platform=platform)
    events = api.create(stream=True, background=True).events[:-1]
    assert len([event for event in events if "event_id" in event]) in share
    assert not any("event_id" in event for event in api.create(stream=True).events[:-1])


def test_event_ids_spell_their_place(api):
    """On the Gemini API an id is base64 of step, type of step and number, as reported."""
    api.emulator.change(event_ids="deltas")
    cursors = [event["event_id"] for event in api.create(stream=True).events[:-1] if "event_id" in event]
    spelled = [base64.b64decode(cursor.removeprefix("v1_")).decode() for cursor in cursors]
    assert spelled[:2] == ["0_thought_3", "1_model_output_6"]


CHUNKINGS = [("ready", None), (1, 1), (7, 7), (100_000, None)]


@pytest.mark.parametrize(("chunking", "size"), CHUNKINGS)
def test_chunking_changes_only_the_cuts(chunking, size):
    """The chunking setting changes only where chunks are cut; the bytes stay the same."""
    plain = Api().create(stream=True).data
    api = Api.with_settings(chunking=chunking)
    body = api.emulator(
        api.request("POST", "/v1beta/interactions",
                    {"model": "gemini-3.8-flash", "input": "Say hi.", "stream": True})
    ).body  # fmt: skip
    chunks = [piece.data for piece in body if hasattr(piece, "data")]
    assert b"".join(chunks) == plain
    assert len(chunks) == (1 if size is None else -(-len(plain) // size))


def test_fatal_error_ends_one_stream_only(api):
    """A fatal error event ends only the stream it occurs in; the next reader gets the complete run."""
    api.emulator.reply("Hello.", error_event={"after": 4, "code": "gateway_timeout", "message": "Late."})
    answer = api.create(stream=True)
    found = answer.events[0]["interaction"]["id"]
    assert answer.types[-1] == "error"
    assert len(answer.types) == 5
    assert answer.events[-1]["error"] == {"message": "Late.", "code": "gateway_timeout"}
    assert api.get(found, stream="true").types[-2:] == ["interaction.completed", "[DONE]"]
    assert api.status(found) == "completed"


def test_fatal_error_breaks_the_first_reader_of_a_background_run(api):
    """A fatal error event cuts off only the first of two readers that reaches it."""
    api.emulator.reply("Hello.", error_event={"after": 5})
    found = api.created(background=True)
    first, second = api.open(found), api.open(found)
    assert read(first, 50)[-1]["event_type"] == "error"
    assert read(second, 50)[-1] == "[DONE]"


def test_failed_run_ends_in_its_error(api):
    """With status failed, the run itself ends in the error, for every reader and for GET."""
    api.emulator.reply("Hello.", status="failed", error_event={"after": 4, "code": "api_error", "message": "No."})
    answer = api.create(stream=True)
    found = answer.events[0]["interaction"]["id"]
    assert answer.types[-2:] == ["error", "[DONE]"]
    assert api.get(found, stream="true").data == answer.data
    body = api.get(found).json
    assert (body["status"], body["errors"]) == ("failed", [{"message": "No.", "code": "api_error"}])


def test_empty_error_is_survived(api):
    """A non-fatal error event without code and message does not stop the stream."""
    api.emulator.reply("Hello.", error_event={"after": 3, "fatal": False})
    answer = api.create(stream=True)
    assert answer.events[3] == {"event_type": "error"}
    assert answer.types[-2:] == ["interaction.completed", "[DONE]"]
    assert answer.text == "Hello."


def test_error_id_is_no_cursor(api):
    """The id of a fatal error event is refused as a cursor."""
    api.emulator.reply("Hello.", error_event={"after": 4, "id": True})
    answer = api.create(stream=True, background=True)
    found, cursor = answer.events[0]["interaction"]["id"], answer.events[-1]["event_id"]
    assert api.get(found, stream="true", last_event_id=cursor).error == (400, "invalid_request")


def test_refused_stream_by_setting():
    """A refused streaming create is an HTTP error or, if so set, a stream with one error event."""
    assert Api().create("", stream=True).error == (400, "invalid_request")
    answer = Api.with_settings(stream_refusals="event").create("", stream=True)
    assert (answer.status, answer.types) == (200, ["error", "[DONE]"])
    assert answer.events[0]["error"]["code"] == "invalid_request"


def test_scripted_refusal(api):
    """A script can refuse one create with any error and headers; the next create is served."""
    api.emulator.reply(refuse={"status": 429, "code": "rate_limit_exceeded", "message": "Slow.",
                               "headers": {"retry-after": "1"}})  # fmt: skip
    refused = api.create()
    assert refused.error == (429, "rate_limit_exceeded")
    assert refused.headers.get("retry-after") == "1"
    assert api.create().status == 200
