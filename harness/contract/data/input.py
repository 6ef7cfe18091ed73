"""Normalises the forms that `input` may have to one, a list of steps.

Layer 1. Source: the create request's schema (string, content, list of contents, list of steps) and recordings, in
which a function result is also found inside a user_input step. Must not refuse anything;
who takes the create does that.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

Json = dict[str, Any]

_OBSERVED = {"tool_call": frozenset({"type", "id", "signature"})}
"""Step types that no published schema lists, with their fields; third parties got them and could resend them."""


def without_unpublished(value: Any) -> Any:
    """Return `input` without unpublished steps (`_OBSERVED`); anything but a list is returned as it is."""
    if not isinstance(value, list):
        return value
    return [item for item in value if not _observed(item)]


def _observed(item: Any) -> bool:
    kind = item.get("type") if isinstance(item, dict) else None
    return isinstance(kind, str) and kind in _OBSERVED and item.keys() <= _OBSERVED[kind]


def as_steps(value: Any, contents: Container[str]) -> list[Json]:
    """Return `input` as steps. Consecutive contents outside of a step become one user_input step.

    `contents` are the types of contents (`Contract.contents`).
    """
    if isinstance(value, str):
        return [{"type": "user_input", "content": [{"type": "text", "text": value}]}]
    if isinstance(value, dict):
        value = [value]
    steps: list[Json] = []
    loose: list[Json] = []
    for item in value or ():
        if item.get("type") in contents:
            loose.append(item)
            continue
        if loose:
            steps.append({"type": "user_input", "content": loose})
            loose = []
        steps.append(_with_content_list(item))
    if loose:
        steps.append({"type": "user_input", "content": loose})
    return steps


def _with_content_list(step: Json) -> Json:
    """Turn a content that is a bare string, as the function-calling guides send it, into a list with one text."""
    content = step.get("content")
    return {**step, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else step


def items(steps: list[Json]) -> Iterator[Json]:
    """Yield the steps, and after each user_input step the parts of its content."""
    for step in steps:
        yield step
        if step.get("type") == "user_input":
            yield from (part for part in step.get("content") or () if isinstance(part, dict))


def results(steps: list[Json]) -> list[Json]:
    """Return the function results in `steps`."""
    return [item for item in items(steps) if item.get("type") == "function_result"]


def pending_calls(steps: list[Json]) -> list[Json]:
    """Return the function calls without a result in the same steps."""
    calls: list[Json] = []
    for step in steps:
        if step.get("type") == "function_call":
            calls.append(step)  # noqa: PERF401 - hot: before Python 3.12 a comprehension is a call
    if not calls:
        return calls
    answered = {item.get("call_id") for item in results(steps)}
    return [call for call in calls if call.get("id") not in answered]


def text_of(steps: list[Json]) -> str:
    """Return the texts of all user_input steps, joined by newlines."""
    texts = (item.get("text") for item in items(steps) if item.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
