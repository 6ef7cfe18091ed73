"""Judges the body of a recorded create, which a client wrote: its schema, and what would be refused besides.

Layer 1, pure, and safe for any bytes. A live check writes its requests itself and needs none of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.contract.contract import Contract
from harness.contract.data import json_parse
from harness.outcome import Finding, Severity, Where


def judge_create_request(body: bytes, contract: Contract, *, refused: bool) -> list[Finding]:
    """Findings about a create; what is wrong with one that was refused tells why it was, and is no fault."""
    parsed = json_parse.loads(body)
    if parsed.fault in ("", "surrogate"):
        problems = contract.schemas.validator("requests/create-interaction", closed=True).problems(parsed.value)
        found = [*(problem.finding("request.schema") for problem in problems), *_judge_names(parsed.value)]
    else:
        found = [_report_no_json(body)]
    if not refused:
        return found
    return [
        replace(one, message=f"the create was rejected: {one.message}", severity=Severity.INFORMATION)
        for one in found
    ]


def _report_no_json(body: bytes) -> Finding:
    shown = body[:80].decode("utf-8", "replace") or "an empty body"
    return Finding.from_code("request.schema/json", "the body of the request is not JSON", "a JSON object", shown)


def list_judged_in_request(body: bytes) -> frozenset[str]:
    """The rules that this create could have broken."""
    value = json_parse.loads(body).value
    return frozenset({"request.schema", *("tool.result-name" for _ in _list_results(value))})


def _judge_names(value: Any) -> Iterator[Finding]:
    for pointer, step in _list_results(value):
        if not isinstance(step.get("name"), str) or not step["name"]:
            message = "a function_result does not name its function"
            yield Finding("tool.result-name", message, "a name", "none", Where(pointer=f"{pointer}.name"))


def _list_results(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The function results among the input of a create, each with its place."""
    given = value.get("input") if isinstance(value, Mapping) else None
    items = enumerate(given) if isinstance(given, list) else ()
    for number, item in items:
        parts = [(f"$.input[{number}]", item)]
        content = item.get("content") if isinstance(item, Mapping) else None
        if isinstance(content, list):
            parts += [(f"$.input[{number}].content[{at}]", part) for at, part in enumerate(content)]
        for pointer, part in parts:
            if isinstance(part, Mapping) and part.get("type") == "function_result":
                yield pointer, part
