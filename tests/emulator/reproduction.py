"""Recordings of models beside what the emulator answers to their requests.

The request of a recording is sent again where it is known, and else made from what the answer shows. What differs
is listed in `DIFFERENT` and in the table of `docs/models.md`, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.contract.corpus import files
from tests.emulator.client import Api

Json = dict[str, Any]

DIFFERENT: dict[str, tuple[str, str]] = {
    r"same_tool_twice.*: usage: adds \.raw_prompt_token$": (
        "`raw_prompt_token` in the usage of `gemini-3-flash-preview`, in one later recording",
        "18 of 19 later recordings have the field",
    ),
    r"^rig-2026-08-08-.*: events: .*event_type,interaction,metadata": (
        "`metadata` in the events of a stream",
        "in two recordings of one day only",
    ),
    r"^rubyllm-mcp\.1\.json: usage: adds .*\.thoughts_tokens_details$": (
        "the thought in the usage of `gemini-3.8-flash`",
        "that response came without thinking",
    ),
    r"^vercel-v3-video-response-format\.events": (
        "the usage of a stream of `gemini-omni-1.1-flash`",
        "its recorder edited it by hand",
    ),
}
"""Expressions for differences → what differs, and why the emulator does otherwise."""

CALL = {"type": "function_call", "name": "add"}
DECIDED: dict[str, Json] = {
    "rig-head-streaming_grammar__interactions_same_tool_twice.0.sse": {
        "steps": [
            {"type": "thought", "signature": "c2ln"},
            {**CALL, "id": "c1", "arguments": {"x": 2, "y": 3}},
            {**CALL, "id": "c2", "arguments": {"x": 10, "y": 20}},
        ]
    }
}
"""Recordings of what a model chose to do, such as two calls → the script with which the emulator does it, too."""

LIMITED = {"vercel-v3-video-static-processing-success.json": 20}
"""Recordings of responses that a limit cut, whose request is not known → a limit of output tokens."""

COUNTED = re.compile(r"modality|tokens")


def recordings() -> list[Path]:
    """The answers, streamed or not, that name a model."""
    found = (path for kind in ("response", "sse") for path in files(kind))
    return [path for path in found if model_of(answer_of(path)) is not None]


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
    if limit := LIMITED.get(path.name):
        body["generation_config"] = {"max_output_tokens": limit}
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
    day = re.match(r"rig-(2026-\d\d-\d\d)-", path.name)
    api = Api.with_settings(lifecycle=day[1]) if day else Api()
    if script := DECIDED.get(path.name):
        api.emulator.reply(**script)
    sent = api.call("POST", "interactions", request_of(path))
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


def explain(difference: str) -> str | None:
    """Return the expression that a difference fits."""
    return next((known for known in DIFFERENT if re.search(known, difference)), None)
