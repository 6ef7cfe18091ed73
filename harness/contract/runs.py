"""What requests, answers and events say of a run, for whoever follows traffic from outside.

Layer 1, pure; never raises on odd input. Must not know what is right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.contract.contract import Contract
from harness.contract.judge.reading import read
from harness.contract.tables.operations import operation_of
from harness.contract.tables.protocol import COLLECTION, interaction_id
from harness.wire import Exchange, Request
from harness.wire.json_value import object_or_none

_WORDS = 80


class CreateSummary(NamedTuple):
    """What a create asks for: its parent's id (`""`: none), whether it is in the background, its words."""

    parent: str
    background: bool
    words: str


def summarise_create(request: Request) -> CreateSummary | None:
    """What a request asks for, if it creates an interaction; None for any other request."""
    operation = operation_of(request)
    body = (
        object_or_none(request.body) if operation is not None and operation.call == "POST interactions" else None
    )
    if body is None:
        return None
    parent = body.get("previous_interaction_id")
    return CreateSummary(
        parent if isinstance(parent, str) else "", body.get("background") is True, _words_of(body.get("input"))
    )


def read_new_id(exchange: Exchange) -> str:
    """The id that a create was answered with; `""` if nothing new is stored, or if it is no create."""
    if summarise_create(exchange.request) is None or not exchange.succeeded:
        return ""
    asked = object_or_none(exchange.request.body) or {}
    goes_on = bool(asked.get("continuation_token"))
    return "" if goes_on or asked.get("store") is False else read(exchange).id or ""


def named_interaction(request: Request) -> str:
    """The id of the interaction that a request is about; `""` if its path names none."""
    segments = request.segments
    if COLLECTION not in segments:
        return ""
    rest = segments[segments.index(COLLECTION) + 1 :]
    return rest[0] if rest else ""


def status_of(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """(id, status) that an answer or an event gives; None if it gives no status. The id may be `""`."""
    inner = value.get("interaction")
    told: Mapping[str, Any] = inner if isinstance(inner, Mapping) else value
    status = told.get("status")
    if not isinstance(status, str) or not status:
        return None
    own = told.get("id")
    return (own if isinstance(own, str) else "") or interaction_id(value) or "", status


def _words_of(value: Any) -> str:
    """The beginning of an input, or what kind of input it is."""
    text = _text_in(value)
    if text is None:
        kinds = [part.get("type") for part in value if isinstance(part, dict)] if isinstance(value, list) else []
        return ", ".join(dict.fromkeys(str(kind).replace("_", " ") for kind in kinds if kind))
    return text if len(text) <= _WORDS else f"{text[:_WORDS]}…"


def _text_in(value: Any, depth: int = 8) -> str | None:
    """The last text in an input, as deep as inputs go; None if there is none."""
    if isinstance(value, str):
        return value
    if not depth:
        return None
    if isinstance(value, dict):
        inner = value.get("text")
        return inner if isinstance(inner, str) else _text_in(value.get("content"), depth - 1)
    if isinstance(value, list):
        return next((text for item in reversed(value) if (text := _text_in(item, depth - 1))), None)
    return None


def script_for(exchange: Exchange, contract: Contract) -> dict[str, Any] | None:
    """The script with which a reference service answers as this exchange did; None if there is no output in it."""
    reading = read(exchange, contract)
    if exchange.status is not None and exchange.status >= 400:
        code, message = reading.error or (None, None)
        told = {"status": exchange.status, "code": code, "message": message}
        return {"refuse": {name: value for name, value in told.items() if value}}
    body = object_or_none(exchange.body) or {}
    if reading.is_resumed:
        return None
    steps = reading.streamed_steps if exchange.is_stream else body.get("steps")
    steps = [step for step in steps if _is_output(step)] if isinstance(steps, list) else []
    if not steps:
        return None
    output = [step for step in steps if step.get("type") != "thought"]
    text = _find_only_text(output)
    return {"steps": steps} if text is None else {"text": text}


def _is_output(step: Any) -> bool:
    """Whether a step is of the answer: a GET also returns what was given."""
    return isinstance(step, dict) and step.get("type") not in ("user_input", "function_result")


def _find_only_text(steps: list[Any]) -> str | None:
    """The text, if these steps are one output of nothing but one text."""
    parts = steps[0].get("content") if len(steps) == 1 else None
    if not isinstance(parts, list) or len(parts) != 1 or set(parts[0]) != {"type", "text"}:
        return None
    return str(parts[0]["text"])
