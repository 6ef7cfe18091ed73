"""Tool search: functions whose loading is deferred, and the steps by which the model finds and loads them.

Layer 2. Source: the announcement of Tool Retrieval (the model sees names and short descriptions of deferred
functions, asks for them by name, and calls them in the same turn) and the SDK's types (fields). The order of the
steps, and that a search which the client executes is a call of the function that the tool describes, are inferred.
Without a tool_search tool a deferred function is called like any other, which is a guess, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.contract.data.input import results
from harness.emulator.values.ids import IdSequence
from harness.emulator.values.signatures import sign

Json = dict[str, Any]

KIND = "tool_search"
_SHOWN = ("name", "description", "parameters")
"""What the model is shown of a function once it is loaded."""


def find_search(tools: Iterable[Json]) -> Json | None:
    """Return the first tool_search among the tools, or None."""
    return next((tool for tool in tools if tool.get("type") == KIND), None)


def call_deferred(tools: list[Json], calls: list[Json]) -> list[Json]:
    """Return the declarations of those called functions that are deferred."""
    called = {call["name"] for call in calls}
    return [
        tool
        for tool in tools
        if tool.get("type") == "function" and tool.get("defer_loading") is True and tool.get("name") in called
    ]


def load_steps(functions: list[Json], ids: IdSequence) -> list[Json]:
    """Return the search that asks for these functions by name, and its result: their declarations."""
    call_id = ids.call()
    names = [function["name"] for function in functions]
    loaded = [
        {"type": "function", **{name: function[name] for name in _SHOWN if name in function}}
        for function in functions
    ]
    return [
        {
            "id": call_id,
            "arguments": {"function_names": names},
            "type": "tool_search_call",
            "signature": sign(ids.number()),
        },
        {"call_id": call_id, "result": loaded, "type": "tool_search_result", "signature": sign(ids.number())},
    ]


def make_client_function(search: Json) -> Json:
    """Return the function that a search executed by the client stands for."""
    return {"type": "function", "name": search.get("name") or KIND, "parameters": search.get("parameters")}


def loaded_by_client(given: list[Json]) -> list[Json]:
    """Return the functions that the client's own search found: the function blocks in the results it sends."""
    pieces = (piece for result in results(given) if isinstance(result.get("result"), list)
              for piece in result["result"])  # fmt: skip
    return [piece for piece in pieces if isinstance(piece, dict) and piece.get("type") == "function"]
