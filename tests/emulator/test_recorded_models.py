"""Each recording of a model is reproduced with the table of that model: steps, fields, events, usage, errors.

The request of a recording is sent again where it is known, and else made from what the answer shows. What differs
is listed in `DIFFERENT`, with the reason; a reason that is not needed any more fails, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.contract.corpus import FOLDER, files, needs_corpus
from tests.emulator.client import Api

Json = dict[str, Any]

DIFFERENT: dict[str, str] = {
    r"^rig-2026-08-08-.*: usage: adds \.raw_prompt_token$": "recorded before this model had the field",
    r"same_tool_twice.*: usage: adds \.raw_prompt_token$": "the one later recording without the field",
    r"same_tool_twice.*: events: ": "the model decides how often it calls; two calls are two steps there, too",
    r"^rig-2026-08-08-.*: events: .*event_type,interaction,metadata": "in two recordings of one day only",
    r"^rubyllm-mcp\.1\.json: usage: adds .*\.thoughts_tokens_details$": "that answer came without thinking",
    r"^vercel-v3-video-response-format\.events": "its recorder edited the usage of the stream by hand",
    r"^vercel-v3-video-static-processing-success.*: (fields|steps)": "cut by a limit that is not known",
}
"""Expressions for differences → why the emulator does otherwise."""

COUNTED = re.compile(r"modality|tokens")


def recordings() -> list[Path]:
    """The answers, streamed or not, that name a model."""
    return [path for kind in ("response", "sse") for path in files(kind) if model_of(answer_of(path)) is not None]


@cache
def answer_of(path: Path) -> Any:
    """A body, or the events of a stream."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    lines = (line.removeprefix("data: ") for line in text.splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


def model_of(answer: Any) -> str | None:
    """The model that an answer names."""
    first = answer[0]["interaction"] if isinstance(answer, list) else answer
    return first.get("model")


def steps_of(answer: Any) -> list[Json]:
    """The steps of a body, or those that a stream starts."""
    if isinstance(answer, list):
        return [event["step"] for event in answer if event["event_type"] == "step.start"]
    return answer.get("steps", [])


def request_of(path: Path) -> Json:
    """The recorded request, else one that leads to such an answer; what it continues is left out."""
    answer = answer_of(path)
    recorded = path.with_name(f"{path.name.removesuffix(path.suffix)}.request.json")
    if recorded.is_file():
        body = json.loads(recorded.read_text("utf-8"))
        given = body.get("input")
        if body.pop("previous_interaction_id", None) or not given:
            body["input"] = "Go on."
        return body
    final = answer[-1]["interaction"] if isinstance(answer, list) else answer
    kinds = [step["type"] for step in steps_of(answer)]
    body = {"model": model_of(answer), "input": "Say something.", "stream": isinstance(answer, list)}
    if "google_search_call" in kinds:
        body["tools"] = [{"type": "google_search"}]
    if "function_call" in kinds:
        body["tools"] = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    if not final.get("id"):
        body["store"] = False
    if any(entry["modality"] == "video" for entry in final["usage"].get("input_tokens_by_modality", ())):
        video = {"type": "video", "data": "AAAA", "mime_type": "video/mp4"}
        body["input"] = [{"type": "user_input", "content": [video, {"type": "text", "text": "What is this?"}]}]
    return body


def describe(answer: Any) -> Iterator[tuple[str, Any]]:
    """Yield what must be alike, each with a name: the fields of the interaction and its steps, in their order."""
    if isinstance(answer, list):
        told = [describe_event(event) for event in answer]
        yield "events", [event for event, _ in groupby(told)]
        answer = answer[-1]["interaction"]
    yield "fields", sorted(answer)
    for step in answer.get("steps", []):
        yield f"fields of {step['type']}", sorted(step)
    yield "steps", [step["type"] for step in answer.get("steps", [])]
    yield "usage", set(list_places(answer.get("usage", {})))


def describe_event(event: Json) -> str:
    """An event by its type, that of its step or delta, and the fields of both."""
    inner = event.get("step") or event.get("delta") or {}
    return f"{event['event_type']} {inner.get('type', '')} {','.join(sorted(event))} {','.join(sorted(inner))}"


def list_places(value: Any, place: str = "") -> Iterator[str]:
    """Yield the path of each member, without those that only say what was counted."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not COUNTED.fullmatch(name):
                yield f"{place}.{name}"
                yield from list_places(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from list_places(item, f"{place}[]")


def compare(path: Path) -> Iterator[str]:
    """Yield what differs between a recording and what the emulator answers to its request."""
    answer = answer_of(path)
    body = request_of(path)
    sent = Api().call("POST", "interactions", body)
    if sent.status != 200:
        yield f"{path.name}: refused: {sent.message}"
        return
    ours = sent.events[:-1] if isinstance(answer, list) else sent.json
    theirs, mine = dict(describe(answer)), dict(describe(ours))
    for name in sorted(theirs.keys() | mine.keys()):
        recorded, answered = theirs.get(name), mine.get(name)
        if recorded == answered:
            continue
        if name == "usage":
            lacking, added = (" ".join(sorted(some)) for some in (recorded - answered, answered - recorded))
            yield f"{path.name}: usage:" + f" lacks {lacking}" * bool(lacking) + f" adds {added}" * bool(added)
        else:
            yield f"{path.name}: {name}: recorded {recorded}, answered {answered}"


@needs_corpus
def test_every_recording_is_reproduced() -> None:
    """What differs is listed with its reason, and every reason is needed."""
    found = [difference for path in recordings() for difference in compare(path)]
    assert len(recordings()) > 60
    unexplained = [line for line in found if not any(re.search(known, line) for known in DIFFERENT)]
    assert unexplained == []
    assert [known for known in DIFFERENT if not any(re.search(known, line) for line in found)] == []


WORD = {"type": "audio", "data": "%%%", "mime_type": "audio/wav"}
VIDEO = {"type": "video", "data": "AAAA", "mime_type": "video/mp4"}
OFFSETS = {"type": "static", "start_offset": "10s", "end_offset": "5s"}
VOCABULARY = {"custom_vocabulary": ["word"], "diarization_mode": "speaker"}
ERRORS: dict[str, Json] = {
    "stt-error-corrupt-base64.json": {"model": "gemini-3.5-transcribe", "input": [WORD]},
    "stt-error-custom-vocabulary.json": {
        "model": "gemini-3.5-transcribe",
        "generation_config": {"transcription_config": VOCABULARY},
    },
    "missing-text.json": {"input": [{"type": "text", "text": ""}]},
    "vercel-v3-video-static-processing-invalid-offsets.json": {
        "model": "gemini-3.8-flash",
        "input": [{"type": "user_input", "content": [{**VIDEO, "processing": OFFSETS}]}],
    },
}
"""Recorded refusals, and requests that lead to them."""


@needs_corpus
@pytest.mark.parametrize("name", ERRORS)
def test_refusals_are_the_recorded_ones(name: str) -> None:
    """A refusal has the recorded code, and its message begins with the recorded one."""
    recorded = json.loads((FOLDER / "files" / name).read_text("utf-8"))["error"]
    body = {"model": "gemini-3.5-flash", "input": "Hi.", **ERRORS[name]}
    answer = Api().call("POST", "interactions", body)
    assert answer.error == (400, recorded["code"])
    assert answer.message.startswith(recorded["message"])
