"""Builds the events a stream would still have sent, from an interaction fetched as a whole.

Layer 3, sans-IO. For a client that can no longer stream: it sees the rest of the text once, and the completion.
In a partly seen step only text, a thought and the arguments of a call can be continued; the fetched interaction
holds everything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.contract.data.transcript import output_steps, text_of
from harness.contract.tables.protocol import COMPLETED_EVENT
from harness.errors import Contradiction

Event = dict[str, Any]


def remainder(
    seen: Sequence[Mapping[str, Any]], is_open: Callable[[int], bool], interaction: Mapping[str, Any]
) -> Iterator[Event]:
    """Yield the events missing after the steps in `seen`, then interaction.completed. Raises Contradiction.

    Steps are matched by type, in order: a step without text that was seen whole, a thought say, may be absent.
    """
    steps = output_steps(interaction)
    told = 0
    for index, step in enumerate(seen):
        found = next((at for at in range(told, len(steps)) if steps[at].get("type") == step.get("type")), None)
        if found is not None:
            yield from _rest(index, step, steps[found], is_open=is_open(index))
            told = found + 1
        elif is_open(index) or text_of(step.get("content")):
            raise Contradiction(f"step {index} of the stream, a {step.get('type')}, is not in the interaction now")
    for index, step in enumerate(steps[told:], start=len(seen)):
        yield from _write_step(index, step)
    yield {"interaction": dict(interaction), "event_type": COMPLETED_EVENT}


def _list_parts(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = step.get("content")
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _write_step(index: int, step: Mapping[str, Any]) -> Iterator[Event]:
    kind = step.get("type")
    if kind == "model_output":
        yield {"index": index, "step": {"type": kind}, "event_type": "step.start"}
        for part in _list_parts(step):
            yield {"index": index, "delta": dict(part), "event_type": "step.delta"}
    else:
        yield {"index": index, "step": dict(step), "event_type": "step.start"}
    yield {"index": index, "event_type": "step.stop"}


def _rest(index: int, seen: Mapping[str, Any], step: Mapping[str, Any], *, is_open: bool) -> Iterator[Event]:
    had, whole = text_of(seen.get("content")), text_of(step.get("content"))
    if not whole.startswith(had) if is_open else whole != had:
        raise Contradiction(f"step {index} has another text than in the stream")
    if not is_open:
        return
    if len(whole) > len(had):
        delta = {"text": whole[len(had) :], "type": "text"}
        yield {"index": index, "delta": delta, "event_type": "step.delta"}
    for rest in _rest_of_thought(seen, step):
        yield {"index": index, "delta": rest, "event_type": "step.delta"}
    if step.get("arguments") != seen.get("arguments"):
        yield {"index": index, "delta": _rest_of_arguments(index, seen, step), "event_type": "step.delta"}
    yield {"index": index, "event_type": "step.stop"}


def _rest_of_thought(seen: Mapping[str, Any], step: Mapping[str, Any]) -> Iterator[Event]:
    """The deltas that complete a thought; a signature comes last. One that is another now is left as it is."""
    if step.get("type") != "thought":
        return
    had, whole = text_of(seen.get("summary")), text_of(step.get("summary"))
    if whole.startswith(had) and whole != had:
        yield {"content": {"text": whole[len(had) :], "type": "text"}, "type": "thought_summary"}
    begun, signature = (str(one.get("signature") or "") for one in (seen, step))
    if signature.startswith(begun) and signature != begun:
        yield {"signature": signature[len(begun) :], "type": "thought_signature"}


def _rest_of_arguments(index: int, seen: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, str]:
    """The delta that completes the arguments of a call; what was seen of them is JSON that breaks off."""
    had = seen.get("arguments")
    begun = had if isinstance(had, str) else ""
    for separators in ((",", ":"), (", ", ": ")):
        whole = json.dumps(step.get("arguments"), ensure_ascii=False, separators=separators)
        if whole.startswith(begun) and not (had and not begun):
            return {"arguments": whole[len(begun) :], "type": "arguments_delta"}
    raise Contradiction(f"step {index} has other arguments than in the stream")
