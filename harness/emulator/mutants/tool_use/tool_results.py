"""Mutants: the results that a client sends for function calls."""

from __future__ import annotations

from typing import Any

from harness.contract.data.input import results
from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import Json, crash, edit_json, put, refuse, skip, when
from harness.emulator.mutants.hooks import admit, error
from harness.emulator.mutants.parts import Change, after, instead
from harness.emulator.mutants.rows import row
from harness.emulator.run.run import Run
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table
from harness.wire import Response


def _any_result(test: Change) -> Change:
    """Return the test whether any result that a create sends passes `test`."""
    return lambda order: any(test(result) for result in results(order.given))


def _any_thought(order: CreateRequest) -> bool:
    return any(step.get("type") == "thought" for step in order.given)


def _crash_without_signature(validator: CreateValidator, step: Json) -> None:
    if not step.get("signature"):
        crash()


def _show_as(status: str) -> Change:
    """Give another status to the interaction that answers a result."""

    def edit(response: Response, engine: Engine, opened: tuple[Run, CreateRequest]) -> Any:
        return edit_json(response, put(status=status)) if results(opened[1].given) else None

    return edit


MUTANTS = table(
    "tool results",
    row("result-refused", "Function results are refused.",
        admit("function_results", when(
            lambda order: results(order.given), refuse("'function_result' is not supported.")))),
    row("result-string-refused", "A result must be an object; strings are refused.",
        admit("function_results", when(
            _any_result(lambda result: isinstance(result.get("result"), str)),
            refuse("'result' must be an object.")))),
    row("result-list-crashes", "A result that is a list of contents is answered with 500.",
        admit("function_results", when(
            _any_result(lambda result: isinstance(result.get("result"), list)), crash))),
    row("result-needs-tools", "A result is refused unless the tools are declared again.",
        admit("function_results", when(
            lambda order: results(order.given) and not order.tools, refuse("'tools' is missing.")))),
    row("result-orphan-accepted", "A result is accepted without any call before it.",
        admit("function_results", when(lambda order: order.previous is None, skip))),
    row("result-bad-id-crashes", "A result that belongs to no call is answered with 500.",
        error("POST interactions", when(lambda refusal, _: "function_result" in refusal.message, crash))),
    row("parallel-results-refused", "Only one result is accepted at a time.",
        admit("function_results", when(
            lambda order: len(results(order.given)) > 1, refuse("Send one function_result.")))),
    row("stateless-refused", "Steps that are sent back are refused: a tool loop needs a stored parent.",
        admit("signatures", when(_any_thought, refuse("Unknown step type 'thought'.")))),
    row("signature-unchecked", "A thought is accepted as input without its signature.",
        admit("signatures", skip)),
    row("signature-missing-crashes", "A thought as input without its signature is answered with 500.",
        instead(CreateValidator.thought_signature, _crash_without_signature)),
    row("result-id-unchecked", "A result is accepted whatever call it names.",
        admit("function_results", when(lambda order: order.previous is not None, skip))),
    row("result-error-refused", "A result that reports an error is refused.",
        admit("function_results", when(
            _any_result(lambda result: result.get("is_error")), refuse("The tool failed.")))),
    row("result-answer-running", "The answer to a result is in progress, as if it ran in the background.",
        after(Engine.answer, _show_as("in_progress"))),
    row("result-answer-queued", "The answer to a result is queued.",
        after(Engine.answer, _show_as("queued"))),
)  # fmt: skip
