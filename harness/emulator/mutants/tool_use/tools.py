"""Mutants: function calls."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, each, inside, put, turn, without
from harness.emulator.mutants.hooks import deltas, event, output, status, steps
from harness.emulator.mutants.parts import after, before
from harness.emulator.mutants.rows import row
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.run import Run
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _hide_calls_in_reads(steps: list[Json], run: Run, timeline: bool) -> list[Json]:
    return [step for step in steps if step["type"] != "function_call"] if timeline else steps


def _rename_calls_in_reads(steps: list[Json], run: Run, timeline: bool) -> list[Json]:
    return each("function_call", put(id="call_0"))(steps) if timeline else steps


def _ignore_choice(replies: ReplyBuilder, order: CreateRequest, script: object) -> None:
    order.body = {**order.body, "generation_config": without(order.generation, "tool_choice")}


def _force_nothing(replies: ReplyBuilder, order: CreateRequest, script: object) -> None:
    words = {word for tool in order.tools for word in str(tool.get("name", "")).split("_")}
    if order.generation.get("tool_choice") == "any" and not any(word in order.text for word in words):
        order.body = {**order.body, "generation_config": {"tool_choice": "none"}}


def _ignore_allowed(replies: ReplyBuilder, order: CreateRequest, script: object) -> None:
    if isinstance(order.generation.get("tool_choice"), dict):
        order.body = {**order.body, "generation_config": {"tool_choice": "any"}}


def _search_by_function(steps: list[Json], order: CreateRequest) -> list[Json]:
    shown = [step for step in steps if step["type"] != "google_search_result"]
    return each("google_search_call", _as_function)(shown)


def _as_function(step: Json) -> Json:
    return {"id": step["id"], "name": "google_search", "arguments": step["arguments"], "type": "function_call"}


MUTANTS = table(
    "tools",
    row("call-completed", "An interaction with a pending call is shown as completed.",
        status(turn(requires_action="completed"))),
    row("call-without-id", "A function call has no id.",
        steps(each("function_call", lambda step: without(step, "id")))),
    row("call-arguments-string", "The arguments of a function call are a string of JSON, as in other APIs.",
        steps(each("function_call", put(arguments='{"city":"Paris"}')))),
    row("call-undeclared", "A function is called that was not declared.",
        output(each("function_call", put(name="something_else")))),
    row("call-arguments-misfit", "The arguments of a call do not match the function's declaration.",
        output(each("function_call", put(arguments={"unexpected": 1})))),
    row("call-not-stored", "A read does not show the pending call.",
        steps(_hide_calls_in_reads)),
    row("call-renamed-when-stored", "A read shows the pending call with a different id.",
        steps(_rename_calls_in_reads)),
    row("choice-none-ignored", "A function is called although tool_choice is none.",
        before(ReplyBuilder.default_steps, _ignore_choice)),
    row("call-ids-same", "All calls of an interaction have the same id.",
        output(each("function_call", put(id="call_1")))),
    row("call-streamed-completed", "A stream with a pending call ends as completed.",
        event("interaction.completed", inside("interaction", inside(
            "status", turn(requires_action="completed"))))),
    row("call-streamed-without-arguments", "A streamed call has no arguments.",
        deltas("arguments", lambda deltas, step: []),
        after(EventWriter.shell, lambda shell, *_: without(shell, "arguments"))),
    row("choice-any-ignored", "tool_choice any is taken for auto: a question that needs no function gets no call.",
        before(ReplyBuilder.default_steps, _force_nothing)),
    row("choice-allowed-ignored", "Functions are called that tool_choice does not allow.",
        before(ReplyBuilder.default_steps, _ignore_allowed)),
    row("search-as-function", "A search is returned to the client as a function call.",
        output(_search_by_function)),
)  # fmt: skip
