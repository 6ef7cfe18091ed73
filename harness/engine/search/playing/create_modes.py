"""The bodies of creates for each mode of an operation.

Layer 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

UNKNOWN_ID = "v1_aGFybmVzcy11bmtub3duLWludGVyYWN0aW9u"
"""Has the form of ids in public recordings, but belongs to no interaction."""

NO_CURSOR = "harness-unknown-cursor"

WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Gives the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

_FORCED: Json = {
    "input": "Weather in Paris?",
    "tools": [WEATHER],
    "generation_config": {"tool_choice": "any"},
}

LEGAL: Mapping[str, Json] = {
    "plain": {},
    "stream": {"stream": True},
    "background": {"background": True},
    "background-stream": {"background": True, "stream": True},
    "unstored": {"store": False},
    "unstored-stream": {"store": False, "stream": True},
    "tools": _FORCED,
    "tools-stream": {**_FORCED, "stream": True},
}

NEEDS: Mapping[str, frozenset[str]] = {
    "stream": frozenset({"stream"}),
    "background": frozenset({"background"}),
    "background-stream": frozenset({"background", "stream"}),
    "unstored-stream": frozenset({"stream"}),
    "tools": frozenset({"functions"}),
    "tools-stream": frozenset({"functions", "stream"}),
    "unstored-background": frozenset({"background"}),
}
"""The capabilities that a mode needs to be played."""

ILLEGAL: Mapping[str, tuple[str, Json]] = {
    "unstored-background": ("store.false-bg", {"store": False, "background": True}),
    "no-author": ("create.model-xor-agent", {"model": None}),
    "two-authors": ("create.both", {"agent": "antigravity-preview-09-2026"}),
    "no-input": ("create.input-missing", {"input": None}),
    "unknown-field": ("err.unknown-field", {"harness_unknown_field": 1}),
    "wrong-type": ("err.wrong-type", {"input": 7}),
    "unknown-model": ("err.unknown-model", {"model": "harness-no-such-model"}),
}
"""For each illegal create, the rule that it must be refused and its changes to the plain body."""


def result_of(call_id: str, name: str) -> Json:
    """The result of a function call."""
    return {"type": "function_result", "call_id": call_id, "name": name, "result": {"weather": "rain"}}


def body_of(model: str, text: str, changes: Mapping[str, Any]) -> Json:
    """The body of a create: the plain one with `changes`, where None removes a field."""
    body = {"model": model, "input": text, **changes}
    return {name: value for name, value in body.items() if value is not None}
