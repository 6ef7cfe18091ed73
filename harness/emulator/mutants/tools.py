"""Mutants: function calls, their results, tool choice, tool search."""

from __future__ import annotations

from collections.abc import Callable

from harness.contract.transcript import results
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    assign,
    crash,
    each,
    edit_json,
    inside,
    put,
    refuse,
    skip,
    turn,
    when,
    without,
)
from harness.emulator.mutants.hooks import admit, create, event, events, output, row, status, steps
from harness.emulator.mutants.parts import Change, Defect, after, before
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.run.run import Run
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _configure(test: Change, make: Callable[[CreateRequest], Json]) -> Defect:
    """Answer as if a create that passes the test had another `generation_config`."""
    change = assign(body=lambda order: {**order.body, "generation_config": make(order)})
    return before(ReplyBuilder.default_steps, when(
        lambda replies, order, _: test(order), lambda replies, order, _: change(order)))  # fmt: skip


def _use_first_index(events: list[Json], run: Run) -> list[Json]:
    starts = [event for event in events if event["event_type"] == "step.start"]
    calls = [event["index"] for event in starts if event["step"]["type"] == "function_call"]
    return [
        {**event, "index": calls[0]} if event["event_type"] == "step.delta" and event["index"] in calls else event
        for event in events
    ]


def _is_forced_in_vain(order: CreateRequest) -> bool:
    words = {word for tool in order.tools for word in str(tool.get("name", "")).split("_")}
    is_forced = order.generation.get("tool_choice") == "any" and order.body.get("stream")
    return bool(is_forced) and not any(word in order.text for word in words)


def _any_result(test: Change) -> Change:
    """Return the test whether any result that a create sends passes `test`."""
    return lambda order: any(test(result) for result in results(order.given))


MUTANTS = table(
    "tools",
    row("call-completed", "An interaction with a pending call is shown as completed.",
        status(turn(requires_action="completed"))),
    row("call-without-id", "A function call has no id.",
        steps(each("function_call", lambda step: without(step, "id")))),
    row("mixed-tools-crash", "A create that declares a built-in tool and a function returns 500.",
        create(when(lambda order, _: len({tool.get("type") == "function" for tool in order.tools}) == 2, crash))),
    row("call-undeclared", "A function is called that was not declared.",
        output(each("function_call", put(name="something_else")))),
    row("call-arguments-misfit", "The arguments of a call do not match the function's declaration.",
        output(each("function_call", put(arguments={"unexpected": 1})))),
    row("call-renamed-when-stored", "A read shows the pending call with a different id.",
        steps(lambda steps, _, timeline: each("function_call", put(id="call_0"))(steps) if timeline else steps)),
    row("call-ids-same", "All calls of an interaction have the same id.",
        output(each("function_call", put(id="call_1")))),
    row("call-streamed-completed", "A stream with a pending call ends as completed.",
        event("interaction.completed", inside("interaction", inside(
            "status", turn(requires_action="completed"))))),
    row("choice-any-ignored", "In a stream tool_choice any is taken for auto: a needless call is not made.",
        _configure(_is_forced_in_vain, lambda order: {"tool_choice": "none"})),
    row("choice-allowed-ignored", "Functions are called that tool_choice does not allow.",
        _configure(
            lambda order: isinstance(order.generation.get("tool_choice"), dict),
            lambda order: {"tool_choice": "any"})),
    row("result-refused", "Function results are refused.",
        admit("function_results", when(
            lambda order: results(order.given), refuse("'function_result' is not supported.")))),
    row("result-list-crashes", "A result that is a list of contents returns 500.",
        admit("function_results", when(
            _any_result(lambda result: isinstance(result.get("result"), list)), crash))),
    row("result-needs-tools", "A result is refused unless the tools are declared again.",
        admit("function_results", when(
            lambda order: results(order.given) and not order.tools, refuse("'tools' is missing.")))),
    row("result-orphan-accepted", "A result is accepted without any call before it.",
        admit("function_results", when(lambda order: order.previous is None, skip))),
    row("parallel-deltas-first-index", "The arguments of a second call are streamed under the index of the first.",
        events(_use_first_index)),
    row("parallel-results-refused", "Only one result is accepted at a time.",
        admit("function_results", when(
            lambda order: len(results(order.given)) > 1, refuse("Send one function_result.")))),
    row("stateless-refused", "Steps that are sent back are refused: a tool loop needs a stored parent.",
        admit("signatures", when(
            lambda order: any(step.get("type") == "thought" for step in order.given),
            refuse("Unknown step type 'thought'.")))),
    row("signature-unchecked", "A thought is accepted as input without its signature.",
        admit("signatures", when(
            lambda order: any(step.get("type") in ("thought", "function_call") for step in order.given), skip))),
    row("result-id-unchecked", "A result is accepted for any call that it names.",
        admit("function_results", when(lambda order: order.previous is not None, skip))),
    row("result-error-refused", "A result that reports an error is refused.",
        admit("function_results", when(
            _any_result(lambda result: result.get("is_error")), refuse("The tool failed.")))),
    row("result-answer-running", "The response to a function result is in progress, as if in the background.",
        after(Engine.answer, when(
            lambda response, _, opened: results(opened[1].given),
            lambda response, *_: edit_json(response, put(status="in_progress"))))),
    row("tool-search-unanswered", "A search for tools is shown without its result.",
        output(lambda steps, _: [step for step in steps if step["type"] != "tool_search_result"])),
    row("tool-search-loads-others", "A search for tools loads a function that the request does not declare.",
        output(each("tool_search_result", put(result=[{"type": "function", "name": "delete_everything"}])))),
    row("tool-search-not-taken", "The steps of a tool search are refused in an input.",
        create(when(lambda order, _: any(step.get("type") == "tool_search_call" for step in order.given),
                    refuse("Unknown step 'tool_search_call'.")))),
    row("tool-search-pending", "The client must return the result of a search that the service executed.",
        admit("function_results", when(
            lambda order: order.previous is not None and any(
                step["type"] == "tool_search_call" for step in order.previous.steps),
            refuse("The tool_search_call got no result.")))),
    row("format-ignored-with-tools", "A format is ignored where the request declares tools.",
        create(when(lambda order, _: {"tools", "response_format"} <= order.body.keys(), assign(
            body=lambda order, _: without(order.body, "response_format"))))),
)  # fmt: skip
