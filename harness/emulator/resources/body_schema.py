"""Reads a request body by its JSON Schema, and refuses what does not fit in words that name the place. Layer 2."""

from __future__ import annotations

from typing import Any

from harness.contract import Contract
from harness.emulator.resources.fields import json_name
from harness.emulator.values.call import invalid


def read_by_schema(contract: Contract, schema: str, value: Any, *, closed: bool = True) -> dict[str, Any]:
    """Return `value` if it fits the schema, whose unknown names are refused if `closed`. Raises `Refusal` 400."""
    if not isinstance(value, dict):
        raise invalid(f"The body must be a JSON object, but {json_name(value)} was sent.")
    problems = contract.schemas.validator(schema, closed=closed).problems(value, limit=1)
    if problems:
        problem = problems[0]
        place = problem.pointer.removeprefix("$").lstrip(".")
        told = problem.message if problem.message.endswith("?") else f"{problem.message}."
        raise invalid(f"Invalid value at '{place}': {told}" if place else told[0].upper() + told[1:])
    return value
