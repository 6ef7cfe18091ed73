"""Hand-made streams: the events of one small answer, for tests to cut, alter and break."""

from __future__ import annotations

from typing import Any

from harness.checks.vocabulary.streams import Event
from harness.wire import Exchange
from tests.checks._play import SSE, answer, stream_of

DONE = b"[DONE]"
USAGE = {"total_tokens": 5, "total_input_tokens": 2, "total_output_tokens": 3}
CALL = {"type": "function_call", "id": "call_1", "name": "get_weather", "arguments": {"location": "Paris"}}


def event(event_type: str, **fields: Any) -> Event:
    """One event, with its type last, as the API sends it."""
    return {**fields, "event_type": event_type}


def text_events(*parts: str, status: str = "completed", found: str = "v1_one") -> list[Event]:
    """The whole stream of a text answer that begins with a thought; `parts` are its text deltas."""
    return _between(
        [
            *_step(0, {"type": "thought"}, {"type": "thought_signature", "signature": "c2ln"}),
            *_step(1, {"type": "model_output"}, *({"type": "text", "text": part} for part in parts)),
        ],
        status,
        found,
    )


def call_events(*fragments: str, status: str = "requires_action", name: str = "get_weather") -> list[Event]:
    """The whole stream of a function call whose arguments arrive in `fragments`."""
    shell = {"type": "function_call", "id": "call_1", "name": name, "arguments": {}}
    deltas = ({"type": "arguments_delta", "arguments": part} for part in fragments)
    return _between(_step(0, shell, *deltas), status, "v1_one")


def search_events(arguments: Event, *signatures: str) -> list[Event]:
    """The whole stream of a search, whose arguments arrive in one delta, and each of its signatures in another."""
    shell = {"type": "google_search_call", "id": "s1", "signature": ""}
    deltas = [{"type": "google_search_call", "arguments": arguments}]
    deltas += [{"type": "google_search_call", "arguments": arguments, "signature": one} for one in signatures]
    return _between(_step(0, shell, *deltas), "completed", "v1_one")


def thought_events(*summaries: str) -> list[Event]:
    """The whole stream of a thought, whose summary arrives in parts."""
    parts = ({"type": "thought_summary", "content": {"type": "text", "text": text}} for text in summaries)
    return _between(_step(0, {"type": "thought"}, *parts), "completed", "v1_one")


def two_call_events(*ids: str, name: str = "get_weather") -> list[Event]:
    """The whole stream of two function calls, each with arguments of its own."""
    steps = []
    for index, (one, place) in enumerate(zip(ids, ("Paris", "Rome"), strict=False)):
        shell = {"type": "function_call", "id": one, "name": name, "arguments": {}}
        steps += _step(index, shell, {"type": "arguments_delta", "arguments": f'{{"location": "{place}"}}'})
    return _between(steps, "requires_action", "v1_one")


def numbered(events: list[Event], *, only: str = "", name: str = "") -> list[Event]:
    """The same events, each with an event_id. `only` limits ids to one event type; `name` is one id for all."""
    return [
        {**one, "event_id": name or f"ev{place}"} if not only or one["event_type"] == only else one
        for place, one in enumerate(events)
    ]


def streamed(events: list[Event]) -> Exchange:
    """The events as the response to a create or a replay, with the sentinel."""
    return stream_of(*events, DONE)


def begun(events: list[Event], *, only: str = "", name: str = "") -> Exchange:
    """The events, with ids as `numbered` gives them, as the response to a create in the background."""
    sent = {"background": True, "stream": True}
    body = stream_of(*numbered(events, only=only, name=name), DONE).body
    return answer(body=body, label=SSE, method="POST", target="/v1beta/interactions", sent=sent)


def resumed(events: list[Event]) -> Exchange:
    """The events as the response to a resume, with the sentinel."""
    body = stream_of(*events, DONE).body
    return answer(body=body, label=SSE, target="/v1beta/interactions/v1_one?stream=true&last_event_id=x")


def _step(index: int, shell: dict[str, Any], *deltas: dict[str, Any]) -> list[Event]:
    return [
        event("step.start", index=index, step=shell),
        *(event("step.delta", index=index, delta=delta) for delta in deltas),
        event("step.stop", index=index),
    ]


def _between(steps: list[Event], status: str, found: str) -> list[Event]:
    shell = {"id": found, "object": "interaction", "model": "gemini-3.8-flash"}
    return [
        event("interaction.created", interaction={**shell, "status": "in_progress"}),
        event("interaction.status_update", interaction_id=found, status="in_progress"),
        *steps,
        event("interaction.completed", interaction={**shell, "status": status, "usage": USAGE}),
    ]
