"""Forms of an answer: texts in pieces, outputs in several steps, bare MCP steps, times of words.

Sources: the guide on long decoding (the service decodes in hops; each adds a model_output step under the same id,
and the outputs join), the SDK's types (a status update may carry a continuation token; the annotations of a
transcript), probes of a third party (an MCP call as a bare `tool_call` step), and recordings for the form of
offsets (`0.300s`) and speakers (`spk:0`). Must not know what the answer means.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from harness.emulator.scripts import Script
from harness.emulator.values.stamps import IdSequence
from harness.emulator.values.usage import CHARACTERS


def pieces(text: str, number: int) -> list[str]:
    """Split `text` into at most `number` non-empty pieces of about equal length, which join to `text` again."""
    size = max(1, -(-len(text) // number))
    return [text[start : start + size] for start in range(0, len(text), size)]


Json = dict[str, Any]


def reshape(steps: list[Json], script: Script) -> list[Json]:
    """Return the steps of an answer in the form that its script asks for."""
    if script.mcp_steps == "tool_call":
        steps = [
            {"id": step["id"], "type": "tool_call", "signature": step["signature"]}
            if step["type"] == "mcp_server_tool_call"
            else step
            for step in steps
            if step["type"] != "mcp_server_tool_result"
        ]
    if script.hops > 1:
        steps = [hop for step in steps for hop in _split_output(step, script.hops)]
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
        hops = [_make_output(text[start : start + size]) for start in range(0, len(text), size)]
        if not background:
            return [*done, hops[0]], [_make_output(text[size:]), *steps[at + 1 :]]
        done += hops
    return done, []


def _make_output(text: str) -> Json:
    return {"content": [{"text": text, "type": "text"}], "type": "model_output"}


def make_token(ids: IdSequence) -> str:
    """Return a new continuation token."""
    return base64.b64encode(ids.number().to_bytes(8, "big")).decode("ascii")


def _split_output(step: Json, hops: int) -> list[Json]:
    """Split an output of one text; its annotations, which speak of the whole of it, are left out."""
    content = step.get("content") or [{}]
    text = content[0].get("text")
    if step["type"] != "model_output" or len(content) != 1 or not isinstance(text, str):
        return [step]
    return [{**step, "content": [{"text": piece, "type": "text"}]} for piece in pieces(text, hops)] or [step]


def annotate_words(generation: Json, text: str) -> list[Json]:
    """Return a `word_info` for each word of a transcript if timestamps or speakers are requested, else nothing."""
    config = generation.get("transcription_config") or {}
    mode = config.get("mode")
    wanted = {**config, **(mode if isinstance(mode, dict) else {})}
    timed = "word" in (wanted.get("timestamp_granularities") or ())
    told_apart = bool(wanted.get("diarization_mode"))
    words = re.finditer(r"\S+", text) if timed or told_apart else ()
    infos: list[Json] = []
    for number, word in enumerate(words):
        info: Json = {
            "type": "word_info",
            "text": word[0],
            "start_index": len(text[: word.start()].encode()),
            "end_index": len(text[: word.end()].encode()),
        }
        if told_apart:
            info["speaker"] = "spk:0"
        if timed:
            info["start_offset"], info["end_offset"] = (f"{at * 0.3:.3f}s" for at in (number, number + 1))
        infos.append(info)
    return infos
