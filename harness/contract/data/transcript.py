"""The steps of an interaction, what was given to it and what it produced, and the text in them.

Pure. GET returns steps that may begin with the caller's own input; a create or a stream returns only what the run
produced. Without that input they are the same. What a target sent may be anything: what is not a step is left out.

`input` has several forms, by the schema of the create (string, content, list of contents, list of steps) and in
recordings, in which a function result is also found inside a user_input step; `as_steps` makes one of them. It
must not refuse anything; who takes the create does that.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.contract.data.json_parse import as_list, as_object, objects_in

USER_INPUT = "user_input"
_GIVEN = (USER_INPUT, "function_result")
_PRODUCED = ("model_output", "function_call", "thought")


def steps_of(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that are objects of a type; `interaction` may be malformed."""
    return [step for step in objects_in(interaction.get("steps")) if isinstance(step.get("type"), str | None)]


def count_given(steps: Sequence[Any]) -> int:
    """How many leading steps are the caller's: all up to the last user_input, and function_results next to it."""
    kinds = [as_object(step).get("type") for step in steps]
    first = len(kinds) - kinds[::-1].index(USER_INPUT) if USER_INPUT in kinds else 0
    while first < len(kinds) and kinds[first] in _GIVEN:
        first += 1
    return first


def count_transcript(given: object) -> int:
    """How many steps of a create's input are of earlier turns: all up to the last that a run produced."""
    numbered = enumerate(as_list(given), 1)
    return max((number for number, step in numbered if as_object(step).get("type") in _PRODUCED), default=0)


def output_steps(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that the run produced."""
    return output_of(steps_of(interaction))


def output_of(steps: Sequence[Any]) -> list[Any]:
    """Those of the steps that the run produced."""
    return list(steps[count_given(steps) :])


def output_text(interaction: Mapping[str, Any]) -> str:
    """The text of every model_output step that the run produced, joined."""
    return steps_text(output_steps(interaction))


def steps_text(steps: Iterable[Mapping[str, Any]]) -> str:
    """The text of every model_output step among `steps`, joined."""
    return "".join(text_of(step.get("content")) for step in steps if step.get("type") == "model_output")


def without_text(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps, with empty texts in every model_output."""
    return [
        {
            **step,
            "content": [{**part, "text": ""} if "text" in as_object(part) else part for part in step["content"]],
        }
        if step.get("type") == "model_output" and isinstance(step.get("content"), list)
        else dict(step)
        for step in steps
    ]


def output_contents(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contents of every model_output step that the run produced; none that is not an object."""
    outputs = (step for step in output_steps(interaction) if step.get("type") == "model_output")
    return [part for step in outputs for part in objects_in(step.get("content"))]


def text_of(content: object) -> str:
    """The text of a step's content, with all its parts joined; a plain string is returned as it is."""
    if isinstance(content, str):
        return content
    return "".join(text for part in objects_in(content) if isinstance(text := part.get("text"), str))


Json = dict[str, Any]

_OBSERVED = {"tool_call": frozenset({"type", "id", "signature"})}
"""Step types that no published schema lists, with their fields; third parties got them and could resend them."""


def without_unpublished(value: Any) -> Any:
    """Return `input` without unpublished steps (`_OBSERVED`); anything but a list is returned as it is."""
    if not isinstance(value, list):
        return value
    kept = []
    for item in value:
        kind = item.get("type") if isinstance(item, dict) else None
        if not (isinstance(kind, str) and kind in _OBSERVED and item.keys() <= _OBSERVED[kind]):
            kept.append(item)
    return kept


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
        content = item.get("content")
        if isinstance(content, str):  # as the function-calling guides send it
            item = {**item, "content": [{"type": "text", "text": content}]}
        steps.append(item)
    if loose:
        steps.append({"type": "user_input", "content": loose})
    return steps


def items(steps: list[Json]) -> Iterator[Json]:
    """Yield the steps, and after each user_input step the parts of its content."""
    for step in steps:
        yield step
        content = step.get("content")
        if step.get("type") == "user_input" and isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


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
    answered = [item.get("call_id") for item in results(steps)]  # a server's may be anything
    return [call for call in calls if call.get("id") not in answered]


def given_text(steps: list[Json]) -> str:
    """Return the texts of all user_input steps, joined by newlines."""
    texts = (item.get("text") for item in items(steps) if item.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
