"""The steps of an interaction that the run itself produced, and the text in them.

Layer 1, pure, and safe for any value: what is not a step is left out. GET returns steps that may begin with the
caller's own input; a create or a stream returns only what the run produced. Without that input they are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

USER_INPUT = "user_input"
_GIVEN = (USER_INPUT, "function_result")
_PRODUCED = ("model_output", "function_call", "thought")


def steps_of(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that are objects; `interaction` may be malformed."""
    steps = interaction.get("steps")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def count_given(steps: Sequence[Any]) -> int:
    """How many leading steps are the caller's: all up to the last user_input, and function_results next to it."""
    kinds = [step.get("type") if isinstance(step, Mapping) else None for step in steps]
    first = len(kinds) - kinds[::-1].index(USER_INPUT) if USER_INPUT in kinds else 0
    while first < len(kinds) and kinds[first] in _GIVEN:
        first += 1
    return first


def count_transcript(given: object) -> int:
    """How many steps of a create's input are of earlier turns: all up to the last that a run produced."""
    kinds = (
        [step.get("type") if isinstance(step, Mapping) else None for step in given]
        if isinstance(given, list)
        else []
    )
    return max((number for number, kind in enumerate(kinds, 1) if kind in _PRODUCED), default=0)


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
        {**step, "content": [_blank_out(part) for part in step["content"]]}
        if step.get("type") == "model_output" and isinstance(step.get("content"), list)
        else dict(step)
        for step in steps
    ]


def _blank_out(part: Any) -> Any:
    return {**part, "text": ""} if isinstance(part, Mapping) and "text" in part else part


def output_contents(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contents of every model_output step that the run produced; none that is not an object."""
    outputs = [step for step in output_steps(interaction) if step.get("type") == "model_output"]
    contents = [step["content"] for step in outputs if isinstance(step.get("content"), list)]
    return [part for content in contents for part in content if isinstance(part, dict)]


def text_of(content: object) -> str:
    """The text of a step's content, with all its parts joined; a plain string is returned as it is."""
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))
