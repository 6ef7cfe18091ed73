"""From deltas to steps: what a client must end up with after it read a stream.

Layer 1. Its memory grows with the output, so it runs only on request and never as part of judging. Takes any
decoded event and never raises; an unknown event adds nothing. The automaton judges whether events are in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from harness.contract.data.json_parse import loads
from harness.contract.tables.steps import DELTAS_OF

_STEP_OF = {delta: step for step, deltas in DELTAS_OF.items() for delta in deltas}

Step = dict[str, Any]


class Fragments(list[str]):
    """A string that is still growing; it is joined only when it is needed, so that growth is linear."""


class Assembler:
    """Call `event` for each event of a stream, or of its parts in order, and `steps` at any time.

    A step that started before the first event (in a resumed stream) gets the type that its first delta implies.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._at: dict[int, Step] = {}

    def event(self, payload: Mapping[str, Any]) -> None:
        """Add the content of one event."""
        index = payload.get("index")
        if not isinstance(index, int):
            return
        kind = payload.get("event_type")
        if kind == "step.start" and isinstance(payload.get("step"), Mapping):
            self._begin(index, dict(payload["step"]))
        elif kind == "step.delta" and isinstance(payload.get("delta"), Mapping):
            self._grow(index, payload["delta"])

    def steps(self) -> list[Step]:
        """The steps so far, in the order they started; an unfinished step holds what has arrived of it."""
        return [_settled_step(step) for step in self._steps]

    def _begin(self, index: int, step: Step) -> Step:
        for name in ("content", "summary"):
            if isinstance(step.get(name), list):  # copied, because parts grow in place and the event is not ours
                step[name] = [dict(part) if isinstance(part, Mapping) else part for part in step[name]]
        self._steps.append(step)
        self._at[index] = step
        return step

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if not isinstance(kind, str) or kind not in _STEP_OF:
            return
        step = self._at.get(index)
        if step is None:
            step = self._begin(index, {"type": _STEP_OF[kind]})
        _GROW.get(kind, _merge)(step, delta)


def assembled(events: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps that these events add up to."""
    assembler = Assembler()
    for event in events:
        assembler.event(event)
    return assembler.steps()


def _add(holder: dict[str, Any], field: str, text: str) -> None:
    """Append to a string field; start one if there is none."""
    had = holder.get(field)
    if isinstance(had, Fragments):
        had.append(text)
    else:
        holder[field] = Fragments([had, text] if isinstance(had, str) else [text])


def _parts(step: Step, field: str) -> list[Any]:
    parts = step.get(field)
    if not isinstance(parts, list):
        parts = step[field] = []
    return parts


def _text(step: Step, delta: Mapping[str, Any]) -> None:
    _append_text(_parts(step, "content"), delta)


def _summary(step: Step, delta: Mapping[str, Any]) -> None:
    content = delta.get("content")
    if not isinstance(content, Mapping):
        return
    if content.get("type", "text") == "text":
        _append_text(_parts(step, "summary"), content)
    else:
        _parts(step, "summary").append(dict(content))


def _append_text(parts: list[Any], piece: Mapping[str, Any]) -> None:
    """Append to the last part if that is text; otherwise start a new part."""
    text = piece.get("text")
    if not isinstance(text, str):
        return
    last = parts[-1] if parts else None
    if _is_text(last):
        _add(last, "text", text)
    else:
        parts.append({**piece, "type": "text"})


def _is_text(part: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(part, dict) and part.get("type", "text") == "text"


def _annotate(step: Step, delta: Mapping[str, Any]) -> None:
    annotations = delta.get("annotations")
    if not isinstance(annotations, list):
        return
    parts = _parts(step, "content")
    if not parts or not _is_text(parts[-1]):
        parts.append({"type": "text", "text": ""})
    had = parts[-1].get("annotations")
    parts[-1]["annotations"] = [*(had if isinstance(had, list) else ()), *annotations]


def _media(step: Step, delta: Mapping[str, Any]) -> None:
    """Audio and video arrive as fragments of one part; an image or a document arrives whole."""
    parts = _parts(step, "content")
    last = parts[-1] if parts else None
    if isinstance(last, dict) and _continues(last, delta):
        _add(last, "data", delta["data"])
        last.update({name: value for name, value in delta.items() if name != "data"})
    else:
        parts.append(dict(delta))


def _continues(last: dict[str, Any], delta: Mapping[str, Any]) -> bool:
    """Whether `delta` continues the part `last`. Padded base64 is complete, so what follows is a new part."""
    had = last.get("data")
    tail = had[-1] if isinstance(had, Fragments) else had
    return (
        delta["type"] in ("audio", "video")
        and last.get("type") == delta["type"]
        and isinstance(tail, str)
        and not tail.endswith("=")
        and isinstance(delta.get("data"), str)
        and delta.get("mime_type", last.get("mime_type")) == last.get("mime_type")
    )


def _sign(step: Step, delta: Mapping[str, Any]) -> None:
    if isinstance(delta.get("signature"), str):
        _add(step, "signature", delta["signature"])


def _arguments(step: Step, delta: Mapping[str, Any]) -> None:
    if isinstance(delta.get("arguments"), str):
        _add(step, "arguments", delta["arguments"])


def _merge(step: Step, delta: Mapping[str, Any]) -> None:
    """A delta with the type of its step carries the step's own fields, whole or in fragments."""
    for name, value in delta.items():
        had = step.get(name)
        if name == "type":
            continue
        if name in ("signature", "result") and isinstance(value, str):
            _add(step, name, value)
        elif isinstance(had, list) and not isinstance(had, Fragments) and isinstance(value, list):
            step[name] = [*had, *value]
        elif isinstance(had, dict) and isinstance(value, dict):
            step[name] = {**had, **value}
        else:
            step[name] = value


def _settled_step(step: Step) -> Step:
    """A copy with fragments joined and arguments parsed; arguments that are not JSON stay a string."""
    settled = _settled(step)
    for name in ("content", "summary"):
        if isinstance(settled.get(name), list):
            settled[name] = [_settled(part) if isinstance(part, dict) else part for part in settled[name]]
    if isinstance(step.get("arguments"), Fragments) and settled["arguments"]:
        read = loads(settled["arguments"].encode("utf-8", "surrogatepass"))
        settled["arguments"] = settled["arguments"] if read.fault else read.value
    return settled


def _settled(holder: dict[str, Any]) -> dict[str, Any]:
    return {name: "".join(value) if isinstance(value, Fragments) else value for name, value in holder.items()}


_GROW: dict[str, Callable[[Step, Mapping[str, Any]], None]] = {
    "text": _text,
    "text_annotation_delta": _annotate,
    "image": _media,
    "audio": _media,
    "video": _media,
    "document": _media,
    "thought_summary": _summary,
    "thought_signature": _sign,
    "arguments_delta": _arguments,
}
"""How each delta type grows its step; the other deltas have the type of their step and merge into it."""
