"""The steps of tools: call and result for tools that the service executes, only the call for the client's tools.

Source: the step tables of the SDK, and recordings for the field order and MCP; that computer use is treated like a
function call is inferred. Of tool search: the announcement of Tool Retrieval (the model sees names and short
descriptions of deferred functions, asks for them by name, and calls them in the same turn); the order of its
steps, and that a search which the client executes is a call of the function that the tool describes, are inferred.
Without a tool_search tool a deferred function is called like any other, which is a guess, too. Must not know runs
or streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from harness.contract.transcript import results
from harness.emulator.values.samples import SampleBudget, sample
from harness.emulator.values.stamps import IdSequence, sign
from harness.wire.bodies import objects_in

Json = dict[str, Any]

PAGE = "https://example.org/page"


def _choose_query(prompt: str) -> str:
    return " ".join(prompt.split())[:60] or "example"


def _find_urls(prompt: str) -> list[str]:
    return [word for word in prompt.split() if word.startswith(("http://", "https://"))] or [PAGE]


def _retrieve(tool: Json, prompt: str) -> tuple[Json, Json]:
    call: Json = {"arguments": {"queries": [_choose_query(prompt)]}}
    kinds = tool.get("retrieval_types")
    if kinds:
        call["retrieval_type"] = kinds[0]
    return call, {"is_error": False}


def _call_mcp_server(tool: Json, prompt: str) -> tuple[Json, Json]:
    server = tool.get("name") or "server"
    allowed = tool.get("allowed_tools") or [{}]
    first = allowed[0] if isinstance(allowed, list) else {}
    names = first.get("tools") if isinstance(first, dict) else [first]
    who = {"name": f"{server}:{names[0] if names else 'lookup'}", "server_name": server}
    # recordings give the result of an MCP server in three forms; two are JSON in a string
    content = {"results": ["one match"]}
    text = msgspec.json.encode(content).decode()
    whole = {"content": [{"type": "text", "text": text}], "structuredContent": content}
    result = {
        "structured_content": content,
        "result": text,
        "call_tool_result_json": msgspec.json.encode(whole).decode(),
    }
    return {**who, "arguments": {"query": _choose_query(prompt)}}, {**who, "result": result}


_PAIRS: dict[str, Callable[[Json, str], tuple[Json, Json]]] = {
    "google_search": lambda tool, prompt: (
        {"arguments": {"queries": [_choose_query(prompt)]}, "search_type": "web_search"},
        {"is_error": False, "result": [{"search_suggestions": "<div>example query</div>"}]},
    ),
    "code_execution": lambda tool, prompt: (
        {"arguments": {"code": "print(6 * 7)", "language": "python"}},
        {"is_error": False, "result": "42\n"},
    ),
    "url_context": lambda tool, prompt: (
        {"arguments": {"urls": _find_urls(prompt)}},
        {"is_error": False, "result": [{"status": "success", "url": url} for url in _find_urls(prompt)]},
    ),
    "google_maps": lambda tool, prompt: (
        {"arguments": {"queries": [_choose_query(prompt)]}},
        {"result": [{"places": [{"name": "Example Square", "place_id": "place-1", "url": PAGE}]}]},
    ),
    "file_search": lambda tool, prompt: ({}, {}),
    "retrieval": _retrieve,
    "mcp_server": _call_mcp_server,
}
"""What a tool of the service asks and finds, without the fields that every call and result has."""


def server_pair(tool: Json, prompt: str, ids: IdSequence, *, signed: bool = True) -> list[Json]:
    """Return the call step and the result step of one server tool; empty for an unknown tool.

    Steps without a signature leave it out of bodies, and show an empty one when they start in a stream (recorded).
    """
    kind = str(tool.get("type"))
    if kind not in _PAIRS:
        return []
    call, result = _PAIRS[kind](tool, prompt)
    stem, call_id = ("mcp_server_tool", ids.mcp_call()) if kind == "mcp_server" else (kind, ids.call())
    steps = [
        {"id": call_id, **call, "type": f"{stem}_call"},
        {"call_id": call_id, **result, "type": f"{stem}_result"},
    ]
    return [{**step, "signature": sign(ids.number())} for step in steps] if signed else steps


def own_call(name: str, arguments: Json, result: Json, ids: IdSequence) -> list[Json]:
    """Return a call of an agent's own tool and its result, as function steps: that is how recordings show them."""
    call_id = ids.call()
    return [
        {"id": call_id, "type": "function_call", "name": name, "arguments": arguments},
        {"call_id": call_id, "name": name, "is_error": False, "type": "function_result", "result": result},
    ]


def annotation(tools: list[Json], text: str, documents: Sequence[str] | None = None) -> Json | None:
    """Return the citation that the tools add to all of `text`, or None: byte offsets, the end exclusive.

    `documents` are the titles of what a file search finds, None if it names no store: then it finds some file.
    """
    kinds = {tool.get("type") for tool in tools}
    end = len(text.encode())
    if not end:
        return None
    span = {"start_index": 0, "end_index": end}
    if kinds & {"google_search", "url_context"}:
        return {**span, "url": PAGE, "title": "Example page", "type": "url_citation"}
    if "file_search" in kinds and documents != []:
        title = documents[0] if documents else "notes.txt"
        return {**span, "file_name": title, "page_number": 1, "type": "file_citation"}
    if "google_maps" in kinds:
        return {**span, "place_id": "place-1", "name": "Example Square", "url": PAGE, "type": "place_citation"}
    return None


def client_calls(tools: list[Json], choice: Any, prompt: str, ids: IdSequence, budget: SampleBudget) -> list[Json]:
    """Return the function calls that a run ends with: functions named in the prompt, else the first declared.

    Raises SampleTooLarge.
    """
    # a `tool_choice` is a word, or `{allowed_tools: {mode, tools}}`
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    mode, wanted = (allowed.get("mode"), allowed.get("tools")) if isinstance(allowed, dict) else (choice, ())
    if mode == "none":
        return []
    functions = [tool for tool in tools if tool.get("type") == "function" and tool.get("name")]
    if wanted:
        functions = [tool for tool in functions if tool["name"] in wanted]
    named = [tool for tool in functions if tool["name"] in prompt]
    calls = [_call(tool["name"], sample(tool.get("parameters") or {"type": "object"}, budget=budget), ids)
             for tool in named or functions[:1]]  # fmt: skip
    if not calls and any(tool.get("type") == "computer_use" for tool in tools):
        calls = [_call("navigate", {"url": PAGE, "intent": "open the page"}, ids)]
    return calls


def _call(name: str, arguments: Any, ids: IdSequence) -> Json:
    fitting = arguments if isinstance(arguments, dict) else {}
    return {"id": ids.call(), "name": name, "arguments": fitting, "type": "function_call"}


def find_search(tools: Iterable[Json]) -> Json | None:
    """Return the first tool_search among the tools, or None."""
    return next((tool for tool in tools if tool.get("type") == "tool_search"), None)


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
    shown = ("name", "description", "parameters")
    loaded = [
        {"type": "function", **{name: function[name] for name in shown if name in function}}
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


def describe_mcp_tool(call: Json) -> Json:
    """Return the function that a search loads for a call of a deferred MCP server, named as in the SDK's tests."""
    name = str(call["name"]).replace(":", "_")
    properties = {"query": {"type": "string"}}
    return {
        "name": name,
        "description": "Looks something up.",
        "parameters": {"type": "object", "properties": properties},
    }


def loaded_by_client(given: list[Json]) -> list[Json]:
    """Return the functions that the client's own search found: the function blocks in the results it sends."""
    pieces = (piece for result in results(given) for piece in objects_in(result.get("result")))
    return [piece for piece in pieces if piece.get("type") == "function"]
