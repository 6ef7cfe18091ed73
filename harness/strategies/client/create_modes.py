"""The bodies of creates for each mode of an operation.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, Own

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

ILLEGAL: Mapping[str, tuple[str, str]] = {
    "unstored-background": ("store.false-bg", "refused"),
    "no-author": ("create.model-xor-agent", "neither"),
    "two-authors": ("create.both", "both"),
    "no-input": ("create.input-missing", "no_input"),
    "unknown-field": ("err.unknown-field", "unknown_field"),
    "wrong-type": ("err.wrong-type", "number_input"),
    "unknown-model": ("err.unknown-model", "unknown_model"),
}
"""For each wrong create, the rule that it must be refused and the name of its changes in `tables/refusals`."""


def wrong_changes(mode: str, target: RequestBuilder) -> Json:
    """The changes that a wrong create makes to the plain body."""
    rule, name = ILLEGAL[mode]
    own = {Own.MODEL: target.model, Own.AGENT: target.agent, Own.ENVIRONMENT: target.environment}
    return dict(REFUSALS[rule].bodies({}, own))[name]


def result_of(call_id: str, name: str) -> Json:
    """The result of a function call."""
    return {"type": "function_result", "call_id": call_id, "name": name, "result": {"weather": "rain"}}


def body_of(model: str, text: str, changes: Mapping[str, Any]) -> Json:
    """The body of a create: the plain one with `changes`, where None removes a field."""
    body = {"model": model, "input": text, **changes}
    return {name: value for name, value in body.items() if value is not None}
