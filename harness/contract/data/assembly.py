"""From deltas to steps: the result of a client that read a whole stream.

Its memory grows with the output, so it runs only on request and never as part of judging. Takes any decoded event
and never raises; an unknown event adds nothing. `judge.stream_state` judges whether events are in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from harness.contract.contract import Contract
from harness.contract.data.json_parse import loads
from harness.contract.tables.protocol import PROTOCOL
from harness.contract.tables.steps import DeltaEffect, Growth

Step = dict[str, Any]


class Fragments(list[str]):
    """A string that is still growing; it is joined only when it is needed, so that growth is linear."""


class JsonText(Fragments):
    """A growing string of JSON; once it is complete, the field has the value that it decodes to."""


class Assembler:
    """Call `event` for each event of a stream, or of its parts in order, and `steps` at any time.

    A step that started before the first event (in a resumed stream) gets the type that its first delta implies.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._steps: list[Step] = []
        self._at: dict[int, Step] = {}
        self._text: tuple[int, str, Fragments] | None = None
        """Of the last delta, if it grew a text: its step, its type and the text, which the next one may grow."""

    def event(self, payload: Mapping[str, Any]) -> None:
        """Add the content of one event."""
        index = payload.get("index")
        if not isinstance(index, int):
            return
        kind = payload.get("event_type")
        if self._text is not None and kind == "step.delta":
            at, of, text = self._text
            delta = payload.get("delta")
            if index == at and _is_plain(delta) and delta["type"] == of:
                text.append(delta["text"])
                return
        self._text = None
        if kind == "step.start" and isinstance(payload.get("step"), Mapping):
            self._begin(index, dict(payload["step"]))
        elif kind == "step.delta" and isinstance(payload.get("delta"), dict):  # hot
            self._grow(index, payload["delta"])

    def steps(self) -> list[Step]:
        """The steps so far, in the order they started; an unfinished step contains the part that has arrived."""
        return [{name: _settle_value(value) for name, value in step.items()} for step in self._steps]

    def _begin(self, index: int, step: Step) -> Step:
        for name, value in step.items():
            if isinstance(value, list):  # copied, because parts grow in place and the event is not ours
                step[name] = [dict(part) if isinstance(part, Mapping) else part for part in value]
        self._steps.append(step)
        self._at[index] = step
        return step

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        table = self._contract.steps_table
        if not isinstance(kind, str) or kind not in table.step_of:
            return
        step = self._at.get(index)
        if step is None:
            step = self._begin(index, {"type": table.step_of[kind]})
        grows = table.deltas[kind].grows
        piece = delta.get(grows.field)
        match grows.how:
            case DeltaEffect.APPEND:  # what the start had already, whole, is not appended to it once more
                if isinstance(piece, str) and step.get(grows.field) != piece:
                    _add(step, grows.field, piece)
            case DeltaEffect.JSON:
                if isinstance(piece, str):
                    _add(step, grows.field, piece, JsonText)
            case DeltaEffect.PARTS:
                _add_part(step, delta, grows)
                if grows.join == "text" and not grows.of and _is_plain(delta):
                    text = step[grows.field][-1].get("text")
                    self._text = (index, kind, text) if isinstance(text, Fragments) else None
            case DeltaEffect.MERGE:
                _merge(step, delta, grows)


def _is_plain(delta: Any) -> TypeGuard[dict[str, str]]:
    """Whether a delta only adds to a text, as nearly all do."""
    return isinstance(delta, dict) and len(delta) == 2 and "type" in delta and isinstance(delta.get("text"), str)


def assemble_steps(events: Iterable[Mapping[str, Any]], contract: Contract) -> list[Step]:
    """The steps that these events add up to."""
    assembler = Assembler(contract)
    for event in events:
        assembler.event(event)
    return assembler.steps()


def _add(holder: dict[str, Any], field: str, text: str, kind: type[Fragments] = Fragments) -> None:
    """Append to a string field; start one if there is none."""
    had = holder.get(field)
    if isinstance(had, Fragments):
        had.append(text)
    else:
        holder[field] = kind([had, text] if isinstance(had, str) else [text])


def _add_part(step: Step, delta: Mapping[str, Any], grows: Growth) -> None:
    """Add to a list of parts: notes to its last text, a fragment to a like part, or else a new part.

    Sound and video arrive as fragments, an image or a document whole.
    """
    part = delta.get(grows.of) if grows.of else delta
    if not isinstance(part, dict) or (grows.add and not isinstance(part.get(grows.add), list)):
        return
    is_text = not grows.add and grows.join == "text" and part.get("type", "text") == "text"
    if is_text and not isinstance(part.get("text"), str):
        return
    parts = step.get(grows.field)
    if not isinstance(parts, list):
        parts = step[grows.field] = []
    last: Any = parts[-1] if parts else None
    after_text = isinstance(last, dict) and last.get("type", "text") == "text"
    if grows.add:
        if not after_text:
            last = {"type": "text", "text": ""}
            parts.append(last)
        had = last.get(grows.add)
        last[grows.add] = [*(had if isinstance(had, list) else ()), *part[grows.add]]
    elif is_text and after_text:
        _add(last, "text", part["text"])
    elif is_text:
        parts.append({**part, "type": "text"})
    elif grows.join not in ("", "text") and isinstance(last, dict) and _continues(last, part, grows.join):
        _add(last, grows.join, part[grows.join])
        last.update({name: value for name, value in part.items() if name != grows.join})
    else:
        parts.append(dict(part))


def _continues(last: dict[str, Any], part: Mapping[str, Any], join: str) -> bool:
    """Whether `part` continues the part `last`. Padded base64 is complete, so what follows is a new part."""
    had = last.get(join)
    tail = had[-1] if isinstance(had, Fragments) else had
    return (
        last.get("type") == part.get("type")
        and isinstance(tail, str)
        and not tail.endswith("=")
        and isinstance(part.get(join), str)
        and part.get("mime_type", last.get("mime_type")) == last.get("mime_type")
    )


def _merge(step: Step, delta: Mapping[str, Any], grows: Growth) -> None:
    """The delta carries the step's own fields, whole or in fragments."""
    for name, value in delta.items():
        had = step.get(name)
        if name == "type":
            continue
        match had, value:
            case _, str() if name in grows.fragments:
                if name not in PROTOCOL.opaque_fields or had != value:
                    _add(step, name, value)
            case list(), list() if not isinstance(had, Fragments):
                step[name] = [*had, *value]
            case dict(), dict():
                step[name] = {**had, **value}
            case _:
                step[name] = value


def _settle_value(value: Any) -> Any:
    """A copy with fragments joined and JSON parsed; what is not JSON stays a string."""
    match value:
        case JsonText():
            joined = "".join(value)
            read = loads(joined.encode("utf-8", "surrogatepass"))
            return joined if read.fault else read.value
        case Fragments():
            return "".join(value)
        case list():
            return [
                {name: "".join(one) if isinstance(one, Fragments) else one for name, one in part.items()}
                if isinstance(part, dict)
                else part
                for part in value
            ]
    return value
