"""Mutants: what a create request may contain, and what of it is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulator.create.validation import CreateValidator
from harness.emulator.mutants.changes import Json, assign, crash, drop, put, refuse, when
from harness.emulator.mutants.hooks import admit, create, request
from harness.emulator.mutants.parts import before
from harness.emulator.mutants.rows import row
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _is_contents(validator: CreateValidator, body: Json) -> bool:
    given = body.get("input")
    return isinstance(given, list) and bool(given) and given[0].get("type") in validator.contract.contents


def _is_steps(validator: CreateValidator, body: Json) -> bool:
    given = body.get("input")
    return isinstance(given, list) and any(item.get("type") not in validator.contract.contents for item in given)


def _has_bare_step(given: Any) -> bool:
    return isinstance(given, list) and any(isinstance(item.get("content"), str) for item in given)


def _names_nobody(body: Json) -> bool:
    return "model" not in body and "agent" not in body


def _with_texts(order: CreateRequest, change: Callable[[str], str]) -> list[Json]:
    """Return the input of a create with every text changed."""
    return [
        {**step, "content": [_with_text(part, change) for part in step["content"]]}
        if isinstance(step.get("content"), list)
        else step
        for step in order.given
    ]


def _with_text(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {**part, "text": change(part["text"])}
    return part


MUTANTS = table(
    "inputs",
    row("content-input-refused", "A single content is not accepted as input.",
        admit("needs_input", when(
            lambda body: isinstance(body.get("input"), dict), refuse("'input' must be a string.")))),
    row("contents-input-refused", "A list of contents is not accepted as input.",
        before(CreateValidator.needs_input, when(_is_contents, refuse("'input' must be steps.")))),
    row("steps-input-refused", "A list of steps is not accepted as input.",
        before(CreateValidator.needs_input, when(_is_steps, refuse("'input' must be a string or contents.")))),
    row("bare-step-refused", "A bare string is not accepted as the content of a step.",
        admit("needs_input", when(
            lambda body: _has_bare_step(body.get("input")), refuse("'content' must be a list.")))),
    row("author-not-needed", "A create that names neither model nor agent is answered by a default model.",
        admit("shape", when(_names_nobody, put(model="gemini-3.5-flash")))),
    row("author-missing-crashes", "A create that names neither model nor agent is answered with 500.",
        admit("one_author", when(_names_nobody, crash))),
    row("agent-beside-model-dropped", "A create that names both model and agent runs the model.",
        admit("shape", when(lambda body: "model" in body, drop("agent")))),
    row("input-not-needed", "A create without input is accepted.",
        admit("shape", when(lambda body: not body.get("input"), put(input="?")))),
    row("input-missing-crashes", "A create without input is answered with 500.",
        admit("needs_input", when(
            lambda body: not body.get("input") and "continuation_token" not in body, crash))),
    row("agent-config-dropped", "agent_config with a model is silently dropped.",
        admit("shape", when(lambda body: "model" in body, drop("agent_config")))),
    row("generation-config-dropped", "generation_config with an agent is silently dropped.",
        admit("shape", when(lambda body: "agent" in body, drop("generation_config")))),
    row("webhook-crashes", "A create with webhook_config but without background is answered with 500.",
        admit("webhook", when(lambda body: body.get("background") is not True, crash))),
    row("labels-crash", "A create with labels is answered with 500.",
        admit("between_fields", when(lambda body: "labels" in body, crash))),
    row("labels-unchecked", "Labels are not validated.",
        admit("shape", drop("labels"))),
    row("input-ascii-only", "Characters beyond ASCII in the input are stored as question marks.",
        create(assign(given=lambda order, _: _with_texts(
            order, lambda text: text.encode("ascii", "replace").decode())))),
    row("input-trimmed", "White space around the input, and control characters in it, are not stored.",
        create(assign(given=lambda order, _: _with_texts(order, lambda text: " ".join(text.split()))))),
    row("large-crashes", "A create of more than half a megabyte is answered with 500.",
        request("POST interactions", when(lambda call, _: len(call.request.body) > 500_000, crash))),
)  # fmt: skip
