"""The unmodified Python SDK, sync and async, goes through the documented lifecycle against `harness serve`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

from tests.e2e.serving import control, serving

# Before any toy run in this process: what such a run imports first is removed after it, and half of the SDK stays.
genai = pytest.importorskip("google.genai", reason="google-genai is not installed: pip install -e '.[sdk]'")

pytestmark = pytest.mark.e2e

MODEL = "gemini-3.8-flash"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """One server process for the module; every test creates its own interactions."""
    with serving("--setting", "event_ids=all") as url:
        yield url


class Sync:
    """The sync client, behind the small interface that both clients share, so that they run the same tests."""

    def __init__(self, base_url: str, **options: Any) -> None:
        http = genai.types.HttpOptions(base_url=base_url, **options)
        self._client = genai.Client(api_key="test-key", http_options=http)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of `client.interactions`."""
        return getattr(self._client.interactions, name)(*args, **kwargs)

    def stream(self, name: str, *args: Any, limit: int | None = None, **kwargs: Any) -> list[Any]:
        """Return the events of a streaming call; disconnect after `limit` events."""
        with closing(getattr(self._client.interactions, name)(*args, stream=True, **kwargs)) as stream:
            return list(islice(stream, limit))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class Async:
    """The async client behind the same interface, on its own event loop."""

    def __init__(self, base_url: str, **options: Any) -> None:
        http = genai.types.HttpOptions(base_url=base_url, **options)
        self._client = genai.Client(api_key="test-key", http_options=http)
        self._loop = asyncio.new_event_loop()

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of `client.aio.interactions`."""
        return self._loop.run_until_complete(getattr(self._client.aio.interactions, name)(*args, **kwargs))

    def stream(self, name: str, *args: Any, limit: int | None = None, **kwargs: Any) -> list[Any]:
        """Return the events of a streaming call; disconnect after `limit` events."""
        return self._loop.run_until_complete(self._stream(name, *args, limit=limit, **kwargs))

    async def _stream(self, name: str, *args: Any, limit: int | None, **kwargs: Any) -> list[Any]:
        stream = await getattr(self._client.aio.interactions, name)(*args, stream=True, **kwargs)
        events = []
        try:
            async for event in stream:
                events.append(event)
                if len(events) == limit:
                    break
        finally:
            await stream.close()
        return events

    def close(self) -> None:
        """Close the connections and the loop."""
        self._loop.run_until_complete(self._client.aio.aclose())
        self._client.close()
        self._loop.close()


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def client(request: pytest.FixtureRequest, base_url: str) -> Iterator[Any]:
    """Each client in turn."""
    with closing(request.param(base_url)) as client:
        yield client


def test_drop_and_resume(client: Any) -> None:
    """Disconnecting after any number of events and resuming at the cursor gives every event once."""
    started = client.call("create", model=MODEL, input="Think aloud.", background=True)
    whole = client.stream("get", started.id)
    for cut in range(1, len(whole)):
        early = client.stream("get", started.id, limit=cut)
        rest = client.stream("get", started.id, last_event_id=early[-1].event_id)
        assert [e.event_id for e in early + rest] == [e.event_id for e in whole], f"cut after {cut}"


def test_tool_search(client: Any) -> None:
    """A deferred function is searched, loaded and called in one turn; its result alone completes the next one."""
    tools = [{"type": "tool_search"}, {**WEATHER, "defer_loading": True, "short_description": "Weather."}]
    asked = client.call("create", model=MODEL, input="How is the weather in Paris?", tools=tools)
    kinds = [step.type for step in asked.steps]
    assert kinds == ["thought", "tool_search_call", "tool_search_result", "thought", "function_call"]
    assert asked.steps[1].arguments.function_names == [asked.steps[2].result[0].name] == ["get_weather"]
    assert asked.steps[2].call_id == asked.steps[1].id
    answer = {"type": "function_result", "call_id": asked.steps[-1].id, "name": "get_weather", "result": "Sunny."}
    done = client.call("create", model=MODEL, input=[answer], tools=tools, previous_interaction_id=asked.id)
    assert (asked.status, done.status) == ("requires_action", "completed")
    question = {"type": "user_input", "content": [{"type": "text", "text": "How is the weather in Paris?"}]}
    steps = [step.model_dump(mode="json", exclude_none=True) for step in asked.steps]
    resent = client.call("create", model=MODEL, input=[question, *steps, answer], tools=tools, store=False)
    assert resent.status == "completed"


def upload(base_url: str, name: str) -> str:
    """Upload a text and return its uri."""
    with closing(genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=base_url))) as plain:
        config = {"mime_type": "text/plain", "display_name": name}
        return str(plain.files.upload(file=io.BytesIO(b"text"), config=config).uri)


@pytest.mark.slow
def test_parts_of_media(client: Any, base_url: str) -> None:
    """The options that say which part of a document, a sheet, an audio or a video is read are accepted."""
    pages = {"type": "static", "page_options": {"start_page": 1, "end_page": 2, "content_layers": ["page_text"]}}
    cells = {"type": "static", "spreadsheet_options": {"sheet_index": 1, "visible_cells": "A1:D10"}}
    window = {"type": "static", "start_offset": "1.5s", "end_offset": "3s"}
    contents = [
        {"type": "document", "uri": "files/a", "resolution": "ultra_high", "processing": pages},
        {"type": "document", "uri": "files/b", "processing": cells},
        {"type": "audio", "uri": "files/c", "processing": window},
        {"type": "video", "uri": "files/d", "processing": {**window, "content_layers": ["transcript"]}},
        {"type": "document", "uri": "files/e", "processing": "static"},
    ]
    for content in contents:
        content["uri"] = upload(base_url, str(content["uri"]).rpartition("/")[2])
    assert client.call("create", model=MODEL, input=contents).status == "completed"


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_automatic_continuation(client: Any, base_url: str, streamed: bool) -> None:
    """The SDK follows requires_continuation by itself: two interactions give one text."""
    control(
        base_url,
        "scripts",
        [
            {"text": "first half ", "status": "requires_continuation", "continuation_token": "dG9rZW4="},
            {"text": "second half"},
        ],
    )
    if streamed:
        events = client.stream("create", model=MODEL, input="Write a lot.")
        text = "".join(e.delta.text for e in events if e.event_type == "step.delta" and e.delta.type == "text")
        assert [e.event_type for e in events].count("interaction.completed") == 2
    else:
        interaction = client.call("create", model=MODEL, input="Write a lot.")
        text = "".join(
            part.text for step in interaction.steps if step.type == "model_output" for part in step.content
        )
        assert len(interaction.continuation_ids) == 2
    assert text == "first half second half"
