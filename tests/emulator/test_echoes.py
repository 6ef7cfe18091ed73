"""The emulator takes back what it sent, as each known client sends it: `echoes.yaml` has their rules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.contract import load
from harness.contract.models.profiles import ModelProfile, list_models
from harness.contract.transcript import assemble_steps, output_steps, pending_calls
from tests.emulator.client import MODEL, Answer, Api

CLIENTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("echoes.yaml").read_text(encoding="utf-8"))
Json = dict[str, Any]

FUNCTION = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
TOOLS: dict[str, list[Json]] = {
    "nothing": [],
    "function": [FUNCTION],
    "search and function": [{"type": "google_search"}, FUNCTION],
    "tool search": [{"type": "tool_search"}, {**FUNCTION, "defer_loading": True}],
    "mcp": [{"type": "mcp_server", "name": "shop", "url": "https://example.org/mcp"}],
    "computer": [{"type": "computer_use", "environment": "browser"}],
    **{
        kind: [{"type": kind}]
        for kind in ("google_search", "code_execution", "url_context", "file_search", "google_maps", "retrieval")
    },
}
FORMATS: dict[str, Json] = {
    "plain": {},
    "summaries": {"generation_config": {"thinking_summaries": "auto"}},
    "cut": {"generation_config": {"thinking_summaries": "auto", "max_output_tokens": 20}},
    "json": {"response_format": {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}}},
    "image": {"response_modalities": ["text", "image"]},
    "video by uri": {"response_format": {"type": "video", "delivery": "uri"}},
}
ASKED = {"type": "user_input", "content": [{"type": "text", "text": "Hi."}]}


def list_cells() -> Iterator[Any]:
    """Every model and agent that runs here, each client, plain and streamed.

    Of models that answer alike one is slow, in half of its cells, and the others are thorough.
    """
    seen = set()
    for number, profile in enumerate(list_models()):
        if profile.served_elsewhere is None:
            cells = ("thought", "thought_before_call", "search_steps", "tool_signatures", "function_call_start",
                     "output", "audio_type", "model_turn_last", "search_with_functions")  # fmt: skip
            alike = (profile.family == "agents", *(str(profile.value(cell)) for cell in cells))
            for (place, name), stream in itertools.product(enumerate(CLIENTS), (False, True)):
                is_more = alike in seen or (number + place) % 2 == stream
                marks = [pytest.mark.thorough if is_more else pytest.mark.slow] * (profile.name != MODEL)
                cell = f"{profile.name}-{name}-{'streamed' if stream else 'plain'}"
                yield pytest.param(profile, name, stream, marks=marks, id=cell)
            seen.add(alike)


def list_requests(profile: ModelProfile, *, all_of_them: bool) -> Iterator[Json]:
    """The fields of creates with all tools and all formats, every pair of them or most formats without tools."""
    for (name, tools), (form, fields) in itertools.product(TOOLS.items(), FORMATS.items()):
        if not all_of_them and form != "plain" and name not in ("nothing", "function"):
            continue
        wanted = fields | ({"tools": tools} if tools else {})
        if profile.family != "agents":
            yield {"model": profile.name, **wanted}
        elif profile.name.startswith("deep"):
            yield {"agent": profile.name, "background": True, **wanted}
        else:
            yield {"agent": profile.name, "background": True, "environment": "remote", **wanted}


def read_steps(api: Api, answer: Answer) -> list[Json]:
    """The steps of an answer, plain or streamed, once its run has settled."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return assemble_steps(answer.events[:-1], load())
    body = answer.json
    while body["status"] == "in_progress":
        body = api.get(body["id"]).json
    return output_steps(body)


def send_back(client: Json, steps: list[Json]) -> Iterator[Json]:
    """These steps as a client sends them."""
    rules = client["steps"]
    for step in steps:
        kind = step["type"]
        rule = rules.get(kind, rules.get(f"*_{kind.rpartition('_')[2]}", rules.get("*")))
        if rule is None or ("needs" in rule and not step.get(rule["needs"])):
            continue
        kept = {name: value for name, value in step.items() if name in rule.get("keep", step)}
        if "contents" in rule:
            fields = rule["contents"]
            kept["content"] = [
                {name: value for name, value in part.items() if name in ("type", *fields[part["type"]])}
                for part in step["content"]
                if part["type"] in fields
            ]
            if not kept["content"]:
                continue
        kept = {**rule.get("default", {}), **kept, **rule.get("set", {})}
        if kept.get("name") == "tool":
            kept["name"] = step.get("name", kind.removesuffix("_call"))
        yield {**kept, "type": rule.get("as", kind)}


def answer_calls(client: Json, calls: list[Json]) -> list[Json]:
    """The results of calls as a client sends them, or the next words of the user."""
    how = client.get("result", {})
    found = []
    for call in calls:
        result = {"type": "function_result", "call_id": call["id"], "name": call["name"], "result": "ok"}
        if how.get("repeats") in call:
            result[how["repeats"]] = call[how["repeats"]]
        found.append(result | ({"is_error": False} if "is_error" in how else {}))
    if not found:
        return [ASKED]
    return [{"type": "user_input", "content": found}] if how.get("inside") else found


def converse(
    client: Json, profile: ModelProfile, api: Api, fields: Json
) -> Iterator[tuple[Answer, bool, list[Json]]]:
    """Three turns; yield the answer of each later one, whether it brought results, and what was sent."""
    history, previous, found = [ASKED], None, []
    for turn in range(3):
        sent = found if previous is not None and client.get("chained") else history
        chain = {"previous_interaction_id": previous} if sent is found else {}
        answer = api.create(sent, **fields, **chain)
        if turn:
            yield answer, any("result" in str(step) for step in found), sent
        if answer.status != 200:
            return
        steps = read_steps(api, answer)
        calls = pending_calls(steps)
        found = [*send_back(client, steps), *answer_calls(client, calls)]
        if calls and profile.name.startswith("antigravity"):
            return  # a managed agent takes results only with `previous_interaction_id`
        history = [*history, *found]
        previous = answer.events[0]["interaction"]["id"] if "stream" in fields else answer.json["id"]


@pytest.mark.parametrize(("profile", "name", "stream"), [*list_cells()])
def test_what_was_sent_is_taken_back(profile: ModelProfile, name: str, stream: bool) -> None:
    """Each client goes on with every answer; where its source leaves out what live needs, with live's refusal.

    One model has each form on each platform. The others have each form and each platform once.
    """
    client, count = CLIENTS[name], 0
    wanted = list_requests(profile, all_of_them=name == "google-genai")
    platforms = ("gemini", "vertex") if profile.name == MODEL else ("vertex",) if stream else ("gemini",)
    for platform, fields in itertools.product(platforms, wanted):
        api = Api.with_settings(platform=platform)
        for answer, brings_results, sent in converse(
            client, profile, api, fields | ({"stream": True} if stream else {})
        ):
            count += 1
            if answer.status != 200 and brings_results and "refused" in client:
                assert profile.value("thought_before_call") == "required"
                assert answer.error == (400, client["refused"])
            else:
                assert answer.status == 200, (platform, fields, sent, answer.message)
    assert count >= 8
