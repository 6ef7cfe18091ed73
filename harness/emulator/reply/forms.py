"""Other forms of an answer, which a script asks for: an output in several steps, MCP steps without their content.

Layer 2. Sources: the guide on long decoding (the service decodes in hops; each adds a model_output step under the
same id, and the outputs join), the SDK's types (a status update may carry a continuation token), and probes of a
third party (an MCP call as a bare `tool_call` step). Must not know what is said.
"""

from __future__ import annotations

import base64
from typing import Any

from harness.emulator.script.scripts import Script
from harness.emulator.values.ids import IdSequence
from harness.emulator.values.text_split import pieces
from harness.emulator.values.usage import CHARACTERS

Json = dict[str, Any]


def reshape(steps: list[Json], script: Script) -> list[Json]:
    """Return the steps of an answer in the form that its script asks for."""
    if script.mcp_steps == "tool_call":
        steps = [bare for step in steps for bare in _strip_mcp_step(step)]
    if script.hops > 1:
        steps = [hop for step in steps for hop in _split(step, script.hops)]
    return steps


def end_segment(steps: list[Json], limit: int, *, background: bool) -> tuple[list[Json], list[Json]]:
    """Return the steps that fit in a segment of `limit` tokens of output, and those that are left for later.

    In the background nothing is left: each segment becomes an output of its own (guide on long decoding).
    """
    done: list[Json] = []
    for at, step in enumerate(steps):
        content = step.get("content") or [{}]
        text = content[0].get("text")
        if step["type"] != "model_output" or not isinstance(text, str) or len(text) <= limit * CHARACTERS:
            done.append(step)
            continue
        size = limit * CHARACTERS
        hops = [_say(text[start : start + size]) for start in range(0, len(text), size)]
        if not background:
            return [*done, hops[0]], [_say(text[size:]), *steps[at + 1 :]]
        done += hops
    return done, []


def _say(text: str) -> Json:
    return {"content": [{"text": text, "type": "text"}], "type": "model_output"}


def issue_checkpoints(steps: list[Json], script: Script, ids: IdSequence) -> dict[int, str]:
    """Return a continuation token for each step that ends a hop and is not the last one, by the step's number."""
    if not script.checkpoints:
        return {}
    ends = (at for at, step in enumerate(steps[:-1]) if step["type"] == "model_output")
    return {at: make_token(ids) for at in ends}


def make_token(ids: IdSequence) -> str:
    """Return a new continuation token."""
    return base64.b64encode(ids.number().to_bytes(8, "big")).decode("ascii")


def _split(step: Json, hops: int) -> list[Json]:
    """Split an output of one text; its annotations, which speak of the whole of it, are left out."""
    content = step.get("content") or [{}]
    text = content[0].get("text")
    if step["type"] != "model_output" or len(content) != 1 or not isinstance(text, str):
        return [step]
    return [{**step, "content": [{"text": piece, "type": "text"}]} for piece in pieces(text, hops)] or [step]


def _strip_mcp_step(step: Json) -> list[Json]:
    if step["type"] == "mcp_server_tool_call":
        return [{"id": step["id"], "type": "tool_call", "signature": step["signature"]}]
    return [] if step["type"] == "mcp_server_tool_result" else [step]
