"""The steps of an interaction that the run itself produced, and the text in them.

Layer 1, pure, and safe for any value: what is not a step is left out. GET returns steps that may begin with the
caller's own input; a create or a stream returns only what the run produced. Without that input they are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.contract.data.json_parse import as_list, as_object, objects_in

USER_INPUT = "user_input"
_GIVEN = (USER_INPUT, "function_result")
_PRODUCED = ("model_output", "function_call", "thought")


def steps_of(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that are objects; `interaction` may be malformed."""
    return objects_in(interaction.get("steps"))


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
