"""What troubles clients of the live service, scripted: long runs, runs that hide, odd members, codings."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from harness.contract import CURRENT, PROTOCOL, Assembler, load
from harness.faults import cut
from tests.emulator.client import MODEL, drain


def test_a_run_lasts_by_the_clock(api):
    """A stream of a run of 840 seconds takes them; cut at 600 it goes on, and a resume brings the rest."""
    emulator = api.emulator.script({"text": "x" * 40, "lasts": 840})
    api.emulator = cut(emulator, "time:600,end", PROTOCOL)
    api.emulator.clock = emulator.clock
    first = api.create(background=True, stream=True)
    assert emulator.clock.now == pytest.approx(600, abs=1)
    assert "interaction.completed" not in first.types
    rest = api.get(first.events[0]["interaction"]["id"], stream=True)
    assert rest.types[-2] == "interaction.completed"
    assert emulator.clock.now == pytest.approx(840, abs=1)


def test_polls_share_the_time_of_a_run(api):
    """Where time is logical, polls of a run that lasts advance it: no client polls for ever."""
    api.emulator.script({"text": "x", "lasts": 840, "ticks": 3})
    found = api.created(background=True)
    seen = [api.status(found) for _ in range(6)]
    assert seen[0] == "in_progress"
    assert seen[-1] == "completed"


@pytest.mark.parametrize(
    ("hidden", "statuses"),
    [
        ({"polls": 2}, [404, 404, 200, 200]),
        ({"polls": 0}, [404] * 4),
        ({"polls": 1, "status": 403, "code": "permission_denied"}, [403, 200, 200, 200]),
        ({"seconds": 30}, [404, 404, 200, 200]),
    ],
    ids=str,
)
def test_a_run_that_get_cannot_find(api, hidden, statuses):
    """A hidden run is refused as often as the script says, streamed or not, and found afterwards."""
    api.emulator.script({"hidden": hidden})
    found = api.created(background=True)
    assert [api.get(found).status for _ in statuses] == statuses


def test_members_that_no_schema_lists(api):
    """Extra members of the interaction and of its steps are streamed and read alike."""
    steps = [
        {"type": "thought", "signature": "c2ln", "mood": "calm"},
        {"type": "model_output", "content": [{"type": "text", "text": "x"}], "region": {"at": 1}},
        {"type": "function_call", "id": "c", "name": "f", "arguments": {}, "served_by": "pool-7"},
    ]
    api.emulator.script({"steps": steps, "extra": {"trace": ["t"]}, "times": 2, "status": "completed"})
    body = api.create().json
    assert (body["steps"], body["trace"]) == (steps, ["t"])
    events = api.create(stream=True).events
    assembler = Assembler(load(CURRENT))
    for event in events:
        if isinstance(event, dict):
            assembler.event(event)
    assert assembler.steps() == [*steps[:2], {**steps[2], "id": "c_2"}]  # a second call gets an id of its own
    told = [event["interaction"] for event in events if isinstance(event, dict) and "interaction" in event]
    assert [one["trace"] for one in told] == [["t"], ["t"]]


def test_fragments(api):
    """Arguments and inline data come in fragments of the size that the script says, and join to the whole."""
    data = base64.b64encode(bytes(range(10))).decode()
    steps = [
        {"type": "model_output", "content": [{"type": "audio", "mime_type": "audio/l16", "data": data}]},
        {"type": "function_call", "id": "c", "name": "f", "arguments": {"city": "Rome"}},
    ]
    api.emulator.script({"steps": steps, "fragments": 3, "status": "completed"})
    deltas = [event["delta"] for event in api.create(stream=True).events if "delta" in event]
    sounds = [base64.b64decode(delta["data"]) for delta in deltas if "data" in delta]
    assert [len(sound) for sound in sounds] == [3, 3, 3, 1]
    assert b"".join(sounds) == bytes(range(10))
    parts = [delta["arguments"] for delta in deltas if "arguments" in delta]
    assert all(len(part) <= 3 for part in parts)
    assert json.loads("".join(parts)) == {"city": "Rome"}


def test_a_turn_without_its_context(api):
    """A turn that forgot the one before it counts no tokens of it."""
    parent = api.created("word " * 200)
    api.emulator.script({"text": "a"}).script({"text": "a", "without_context": True})
    turns = [api.create("x", previous_interaction_id=parent).json["usage"] for _ in range(2)]
    assert turns[0]["total_input_tokens"] > 100
    assert turns[1]["total_input_tokens"] < 10


@pytest.mark.parametrize(("stops", "status"), [(True, "cancelled"), (False, "completed")])
def test_a_delete_that_does_not_stop(api, stops, status):
    """Without `delete_stops` a reader of a deleted run gets the rest of it; GET does not find it either way."""
    api.emulator.change(delete_stops=stops)
    found = api.created(background=True)
    body = api.open(found)
    next(iter(body))
    assert api.delete(found).status == 200
    assert api.get(found).status == 404
    data, _ = drain(api.emulator, body)
    assert f'"status":"{status}"'.encode() in b"".join(data)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compression(api, coding):
    """JSON, streams and errors are compressed for a client that accepts it, and for no other."""
    api.emulator.change(compression=coding)
    for body in ({"model": MODEL, "input": "x"}, {"model": MODEL, "input": "x", "stream": True}, {}):
        coded = api.call("POST", "interactions", body, **{"accept-encoding": coding})
        plain = api.call("POST", "interactions", body)
        assert coded.headers.get("content-encoding") == coding
        assert "content-encoding" not in plain.headers
        assert len(zlib.decompress(coded.data, 47)) == len(plain.data)
    assert "content-encoding" not in api.call("GET", "/__harness__/", **{"accept-encoding": coding}).headers


@pytest.mark.parametrize(
    ("client", "upgrade"),
    [
        ("1.70.0 gl-python/3.11.7", "google-genai 1.70.0 sends the legacy schema: upgrade to google-genai 2.0.0"),
        ("1.30.0 gl-node/v22", "@google/genai 1.30.0 sends the legacy schema: upgrade to @google/genai 2.0.0"),
        ("2.25.0 gl-python/3.11.7", ""),
        ("3.6.1 gl-python/3.11.7", ""),
    ],
)
def test_an_sdk_of_the_legacy_schema_is_refused(api, client, upgrade):
    """As on the live service, a version from before 2026-06-08 gets no interaction; a note names one that does."""
    headers = {"x-goog-api-client": f"google-genai-sdk/{client}"}
    answer = api.call("POST", "interactions", {"model": MODEL, "input": "Say hi."}, **headers)
    assert (answer.status, b"legacy Interactions API schema" in answer.data) == (
        (400, True) if upgrade else (200, False)
    )
    assert api.emulator.notes == ([f"{upgrade} or newer"] if upgrade else [])
