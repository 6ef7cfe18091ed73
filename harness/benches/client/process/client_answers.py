"""Reads the answers of clients: one JSON object, on a line of standard output or in a file of its own.

Layer 5. `schemas/output/torture-answer.schema.json` describes them. Other output, such as a log, is no answer and
harms nobody; an answer that is malformed is the mistake of whoever wrote the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.benches.client.process.client_process import MOST_BYTES
from harness.outcome import UsageFault
from harness.outcome.words import shorten
from harness.wire.json_value import object_or_none

RESULTS: Mapping[str, tuple[type, str]] = {
    "text": (str, '"…"'),
    "events": (list, "[…]"),
    "steps": (list, "[…]"),
    "status": (str, '"completed"'),
}
"""What a client can report, the type of each, and an example."""

_MARKS = ("text", "events", "steps", "error")
"""The members that make an object without `case` an answer."""

_SHOWN = 200
_EXAMPLE = '{"case": "…", "text": "…", "status": "completed"}'


def parse_line(line: bytes, case: str, file: Path | None = None) -> dict[str, Any] | None:
    """The answer in a line; None if the line is no answer to this case.

    A line that names the case and nothing else says that the answer is in `file`. Raises UsageFault for an answer
    that is malformed.
    """
    value = object_or_none(line)
    if value is None or value.get("case", case) != case:
        return None
    if "case" in value and not value.keys() & {*RESULTS, "error"}:
        stored = None if file is None else read_file(file)
        if stored is None:
            raise UsageFault(
                f"the command returned {_show(line)}: a result has one of text, events, steps, status and error, "
                "or the file that the task names in `result` has"
            )
        return stored
    return _check(value, line) if "case" in value or value.keys() & set(_MARKS) else None


def refuse_second(line: bytes, case: str) -> None:
    """Raise UsageFault for an answer that names no case after `case` was answered: whose it is cannot be known."""
    value = object_or_none(line)
    if value is not None and "case" not in value and value.keys() & set(_MARKS):
        before = shorten(case, _SHOWN)
        raise UsageFault(
            f"the command returned {_show(line)} after the result of the case {before!r}: repeat the `case` of "
            "the task in every result, so that a late result is not attributed to the next case"
        )


def read_file(file: Path) -> dict[str, Any] | None:
    """The answer in a file; None if there is no file. Raises UsageFault for an answer that is malformed."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    value = object_or_none(data)
    if value is None:
        raise UsageFault(f"the result file contains {_show(data)}: write one JSON object, such as {_EXAMPLE}")
    return _check(value, data)


def _check(value: dict[str, Any], data: bytes) -> dict[str, Any]:
    if value.get("error") is not None:
        return value
    for name, (kind, example) in RESULTS.items():
        if name in value and value[name] is not None and not isinstance(value[name], kind):
            raise UsageFault(
                f'the command returned {_show(data)}: "{name}" is {type(value[name]).__name__}, write '
                f'{{"{name}": {example}}} (logs go to standard error)'
            )
    if all(value.get(name) is None for name in RESULTS):
        raise UsageFault(
            f"the command returned {_show(data)}: a result has one of text, events, steps, status and error, "
            f"such as {_EXAMPLE}"
        )
    return value


def _show(data: bytes) -> str:
    return repr(shorten(data[: _SHOWN * 4].decode(errors="replace").rstrip(), _SHOWN))
