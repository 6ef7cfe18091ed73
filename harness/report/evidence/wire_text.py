"""Texts of the wire in a line: short values whole, long ones by their beginning and their length.

The one way of a body into a line of a terminal. With -vv, and in reports, it stands in full (`evidence_text`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from harness.outcome.words import shorten
from harness.report.screen import Line, Role
from harness.wire.json_value import json_or_none

LONG, ROW = 40, 66
"""Most characters of a value that is shown whole, and of a row of a body in a terminal."""

_TOKEN = re.compile(rf"[\w=%+~-]{{{LONG + 1},}}…?")
_PART = re.compile(r"(?<=[/=])[\w%+~-]{17,}(?![\w%+~.-])")
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
"""A step of the pointer of a finding: the name of a member, or the index of an element."""


def shorten_token(text: str) -> str:
    """`Eo4C… (344)`; of a long text with spaces, its first words."""
    if len(text) <= LONG:
        return text
    begin = text[: LONG - 8].rpartition(" ")[0] or text[:4]
    return f"{begin}… ({len(text)})"


def shorten_tokens(text: str) -> str:
    """A text, such as a path or a sentence, with its long words shortened so; of a cut one no length is known."""
    return _TOKEN.sub(
        lambda found: f"{found[0][:4]}…" if found[0].endswith("…") else shorten_token(found[0]), text
    )


def shorten_target(text: str) -> str:
    """The path of a request with its ids shortened, which are long from 17 characters on."""
    return _PART.sub(lambda found: f"{found[0][:4]}… ({len(found[0])})", text)


def shorten_values(value: Any) -> Any:
    """A value of JSON with its long strings shortened so."""
    match value:
        case str():
            return shorten_token(value)
        case list():
            return [shorten_values(item) for item in value]
        case dict():
            return {shorten_token(name): shorten_values(item) for name, item in value.items()}
    return value


def quote(text: str, most: int = 150) -> str:
    """A body in a line of at most so many characters, by default two rows of a terminal; never ends in a word."""
    line = shorten_tokens(" ".join(text.split()))
    try:
        if isinstance(value := json_or_none(text.encode("utf-8", "replace")), dict | list | str):
            line = json.dumps(shorten_values(value), ensure_ascii=False)
    except RecursionError:  # nested so deep that nobody reads it
        pass
    if len(line) <= most:
        return line
    return f"{line[: max(most, LONG // 2) - 1].rpartition(' ')[0] or shorten(line, most - 1)} …"


def quote_place(text: str, pointer: str) -> Iterator[Line]:
    """The member of a body that a finding names, between its two neighbors; nothing if the body has none there."""
    value = json_or_none(text.encode("utf-8", "replace"))
    steps: list[str | int] = [name or int(index) for name, index in STEP.findall(pointer)]
    for step in steps[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return
    members: list[tuple[str | int, Any]]
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    else:
        return
    at = next((number for number, (name, _) in enumerate(members) if steps and name == steps[-1]), None)
    if at is None:
        return
    for number, (name, item) in enumerate(members):
        if abs(number - at) <= 1:
            label = f"{json.dumps(name, ensure_ascii=False)}: " if isinstance(name, str) else ""
            most = 150 if number == at and not isinstance(item, dict | list) else ROW - len(label)
            row = f"{label}{quote(json.dumps(item, ensure_ascii=False), most)}"
            arrow, role = ("->", Role.ACTUAL) if number == at else ("  ", Role.QUIET)
            yield Line(f"  {arrow} {row}", role, hang=5 + len(label))
