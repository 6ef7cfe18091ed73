"""The events that a dropped stream would still have sent, computed from the fetched interaction."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import Contradiction
from harness.resume.progress import remainder


def text(words: str) -> dict[str, Any]:
    """A step of text."""
    return {"type": "model_output", "content": [{"type": "text", "text": words}]}


def summary(words: str) -> dict[str, Any]:
    """A thought with a summary."""
    return {"type": "thought", "summary": [{"type": "text", "text": words}]}


THOUGHT = {"type": "thought", "signature": "c2ln"}
BEGUN = {"type": "thought", "signature": "c2"}
CALL = {"type": "function_call", "id": "1", "name": "f", "arguments": {}}
FULL_CALL = {**CALL, "arguments": {"a": 1, "b": "é"}}


def told(seen: list[Any], fetched: list[Any], *, open_steps: tuple[int, ...] = ()) -> list[str]:
    """The missing events in short form, without the completion that always comes last."""
    *events, last = remainder(seen, open_steps.__contains__, {"status": "completed", "steps": fetched})
    assert last["event_type"] == "interaction.completed"
    return [f"{event['event_type'].partition('.')[2]} {event['index']}{said(event)}" for event in events]


def said(event: dict[str, Any]) -> str:
    """The text or type of an event."""
    if "delta" in event:
        delta = event["delta"]
        return f" {next(delta[name] for name in ('text', 'arguments', 'signature', 'content') if name in delta)}"
    return f" {event['step']['type']}" if "step" in event else ""


@pytest.mark.parametrize(
    ("seen", "open_steps", "fetched", "events"),
    [
        ([], (), [text("ab")], ["start 0 model_output", "delta 0 ab", "stop 0"]),
        ([text("a")], (0,), [text("ab")], ["delta 0 b", "stop 0"]),
        ([text("ab")], (0,), [text("ab")], ["stop 0"]),
        ([text("ab")], (), [text("ab")], []),
        ([THOUGHT, text("a")], (1,), [THOUGHT, text("ab")], ["delta 1 b", "stop 1"]),
        ([THOUGHT, text("a")], (1,), [text("ab")], ["delta 1 b", "stop 1"]),
        ([THOUGHT], (), [text("a")], ["start 1 model_output", "delta 1 a", "stop 1"]),
        ([CALL], (0,), [CALL], ["stop 0"]),
        ([CALL], (0,), [FULL_CALL], ['delta 0 {"a":1,"b":"é"}', "stop 0"]),
        ([{**CALL, "arguments": '{"a":1,"b'}], (0,), [FULL_CALL], ['delta 0 ":"é"}', "stop 0"]),
        ([{**CALL, "arguments": '{"a": 1, "'}], (0,), [FULL_CALL], ['delta 0 b": "é"}', "stop 0"]),
        ([text("a")], (), [text("a"), CALL], ["start 1 function_call", "stop 1"]),
        ([BEGUN], (0,), [THOUGHT], ["delta 0 ln", "stop 0"]),
        ([THOUGHT], (0,), [{**THOUGHT, "signature": "other"}], ["stop 0"]),
        ([summary("On")], (0,), [summary("One.")], ["delta 0 {'text': 'e.', 'type': 'text'}", "stop 0"]),
    ],
    ids=[
        "nothing",
        "half",
        "unstopped",
        "all",
        "thought",
        "no thought now",
        "only a thought",
        "a call without arguments",
        "a call",
        "half a call",
        "spaced",
        "a call more",
        "half a signature",
        "another signature",
        "half a summary",
    ],
)
def test_the_rest_is_what_was_not_seen(
    seen: list[Any], open_steps: tuple[int, ...], fetched: list[Any], events: list[str]
) -> None:
    """Each step continues where the stream stopped, with the indices of the stream."""
    assert told(seen, fetched, open_steps=open_steps) == events


@pytest.mark.parametrize(
    ("seen", "open_steps", "fetched", "why"),
    [
        ([text("a")], (0,), [text("xy")], "step 0 has another text"),
        ([text("a")], (), [text("ab")], "step 0 has another text"),
        ([text("a"), text("b")], (), [text("a")], "step 1 of the stream, a model_output, is not in"),
        ([text("a")], (), [THOUGHT], "step 0 of the stream, a model_output, is not in"),
        ([{**CALL, "arguments": '{"x'}], (0,), [FULL_CALL], "step 0 has other arguments"),
        ([CALL], (0,), [text("a")], "step 0 of the stream, a function_call, is not in"),
    ],
    ids=["open", "closed", "fewer", "other type", "other arguments", "open call"],
)
def test_what_cannot_be_joined_is_refused(
    seen: list[Any], open_steps: tuple[int, ...], fetched: list[Any], why: str
) -> None:
    """An interaction that contradicts what was streamed is rejected, so that the reader gets no wrong text."""
    with pytest.raises(Contradiction, match=why):
        told(seen, fetched, open_steps=open_steps)
