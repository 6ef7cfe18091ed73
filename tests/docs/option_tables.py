"""Writes what editors and readers get of the options: a JSON Schema of `[tool.harness]`, and tables of its keys.

`python -m tests.docs.option_tables` writes both into a checkout; a test compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cli.arguments import load_options
from harness.cli.main import COMMANDS
from harness.cli.options import Option, Options, Trust
from harness.files import write_file
from harness.resources import folder

SCHEMA = "output/configuration.schema.json"
PAGE = "docs/configuration.md"
_TABLES = re.compile(r"(?<=<!-- tables -->\n).*?(?=<!-- end of tables -->)", re.DOTALL)


def make_schema() -> dict[str, Any]:
    """The JSON Schema of a pyproject.toml, of which it knows the table `[tool.harness]`."""
    properties: dict[str, Any] = {}
    for name, cls in _list_tables():
        own = {item.key: _describe(item) for item in _list_keys(cls)}
        if not name:
            properties |= own
        else:
            about = f"Options of `harness {cls.page.name}`."
            properties[name] = {
                "type": "object", "description": about, "properties": own, "additionalProperties": False
            }  # fmt: skip
    table = {
        "type": "object",
        "description": "Defaults of the options of harness; the command line takes precedence.",
        "properties": properties,
        "additionalProperties": False,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"https://interactions-harness.invalid/schemas/{SCHEMA}",
        "title": "[tool.harness] of a pyproject.toml",
        "type": "object",
        "properties": {"tool": {"type": "object", "properties": {"harness": table}}},
    }


def _describe(item: Option) -> dict[str, Any]:
    one = dict(item.kind.schema)
    if item.choices:
        one["enum"] = list(item.choices)
    value: dict[str, Any] = {"type": "array", "items": one} if item.repeats else one
    return {**value, "description": f"{item.help[0].upper()}{item.help[1:]}."}


def make_tables() -> str:
    """The tables of the page, one for each table of a file."""
    lines: list[str] = []
    for name, cls in _list_tables():
        lines.append(f"\n### `[tool.harness{'.' if name else ''}{name}]`: `harness {cls.page.name}`\n")
        if cls.page.shares:
            allowed = {item.key for item in _list_keys(load_options("check"))}
            keys = ", ".join(f"`{key}`" for key in sorted(allowed.intersection(cls.page.shares)))
            lines.append(f"It also takes from `[tool.harness]`: {keys}.\n")
        lines.append("| Key | Value | Meaning |\n|---|---|---|")
        shared = load_options("check").list_options() if name else {}
        for item in _list_keys(cls):
            if item.key in cls.page.shares and item.name in shared:
                continue
            words = ", ".join(f"`{choice}`" for choice in item.choices) or item.kind.words
            value = f"list: {words}" if item.repeats else words
            where = f"; {item.allowed}" if item.allowed is Trust.INSIDE else ""
            lines.append(f"| `{item.key}` | {value} | {item.help.replace('|', '/')}{where} |")
    return "\n".join(lines)


def _list_keys(cls: type[Options]) -> Iterator[Option]:
    return (item for item in cls.list_options().values() if item.is_key)


def _list_tables() -> Iterator[tuple[str, type[Options]]]:
    tables = {entry.table: name for name, entry in COMMANDS.items() if entry.table is not None}
    return ((table, load_options(name)) for table, name in sorted(tables.items()))


def list_files(root: Path) -> Iterator[tuple[Path, str]]:
    """The files of a checkout that follow from the options, and their text."""
    yield folder("schemas") / SCHEMA, json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n"
    page = root / PAGE
    yield page, _TABLES.sub(lambda _: make_tables() + "\n", page.read_text("utf-8"))


if __name__ == "__main__":
    for path, text in list_files(Path(__file__).parents[2]):
        write_file(path, text)
