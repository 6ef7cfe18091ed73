"""Mutants: the search for deferred functions."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, each, put, refuse, when
from harness.emulator.mutants.hooks import admit, output
from harness.emulator.mutants.rows import row
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _without_results(steps: list[Json], order: CreateRequest) -> list[Json]:
    return [step for step in steps if step["type"] != "tool_search_result"]


def _owes_a_search(order: CreateRequest) -> bool:
    parent = order.previous.steps if order.previous is not None else []
    return any(step["type"] == "tool_search_call" for step in parent)


MUTANTS = table(
    "tool search",
    row("tool-search-unanswered", "A search for tools is shown without its result.",
        output(_without_results)),
    row("tool-search-mismatched", "The result of a search for tools names another call.",
        output(each("tool_search_result", put(call_id="call_0")))),
    row("tool-search-loads-others", "A search for tools loads a function that the request does not declare.",
        output(each("tool_search_result", put(result=[{"type": "function", "name": "delete_everything"}])))),
    row("tool-search-pending", "The client is asked for the result of a search that the service executed.",
        admit("function_results", when(_owes_a_search, refuse("The tool_search_call got no result.")))),
)  # fmt: skip
