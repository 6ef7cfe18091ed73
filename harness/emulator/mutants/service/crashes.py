"""Mutants: servers that crash on one feature of a create and answer everything else."""

from __future__ import annotations

from collections.abc import Callable

from harness.emulator.mutants.changes import Json, crash, read_json, when
from harness.emulator.mutants.hooks import request
from harness.emulator.mutants.parts import Defect
from harness.emulator.mutants.rows import row
from harness.kit.mutant import table
from harness.wire import At, Ending, How, Response


def _crash_on(asks: Callable[[Json], object]) -> Defect:
    return request("POST interactions", when(lambda call, _: asks(read_json(call)), crash))


def _declares(body: Json, kind: str) -> bool:
    tools = body.get("tools")
    return isinstance(tools, list) and any(isinstance(tool, dict) and tool.get("type") == kind for tool in tools)


def _is_not_ascii(body: Json) -> bool:
    text = body.get("input")
    return isinstance(text, str) and not text.isascii()


def _hang_up(*context: object) -> Response:
    return Response.dead(Ending(how=How.RST, at=At.BEFORE_HEADERS))


def _forbids_calls(body: Json) -> bool:
    config = body.get("generation_config")
    return isinstance(config, dict) and config.get("tool_choice") == "none"


def _has_roles(body: Json) -> bool:
    items = body.get("input")
    return isinstance(items, list) and any(isinstance(item, dict) and "role" in item for item in items)


MUTANTS = table(
    "crashes",
    row("unstored-crashes", "A create with store=false is answered with 500.",
        _crash_on(lambda body: body.get("store") is False)),
    row("stream-crashes", "A create with stream=true is answered with 500.",
        _crash_on(lambda body: body.get("stream") is True)),
    row("stream-hangs-up", "A create with stream=true is not answered: the connection is cut.",
        request("POST interactions", when(lambda call, _: read_json(call).get("stream") is True, _hang_up))),
    row("streamed-tools-crash", "A streaming create with tools is answered with 500.",
        _crash_on(lambda body: body.get("stream") is True and "tools" in body)),
    row("unicode-crashes", "A create whose input is not plain ASCII is answered with 500.",
        _crash_on(_is_not_ascii)),
    row("format-crashes", "A create with a response_format is answered with 500.",
        _crash_on(lambda body: "response_format" in body)),
    row("functions-crash", "A create that declares a function is answered with 500.",
        _crash_on(lambda body: _declares(body, "function"))),
    row("search-crashes", "A create that declares the search tool is answered with 500.",
        _crash_on(lambda body: _declares(body, "google_search"))),
    row("choice-crashes", "A create whose tool_choice forbids calls is answered with 500.",
        _crash_on(_forbids_calls)),
    row("turns-crash", "A create whose input is a list of turns with a role is answered with 500.",
        _crash_on(_has_roles)),
)  # fmt: skip
