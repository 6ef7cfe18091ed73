"""The table of clients as it is kept in version control: a line for each cell, and what is said in many once.

Layer 6. `expand` gives back the record of `schemas/output/clients.schema.json`, to the byte. A fifth of its size,
and a change of one cell is a change of one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_STARTS = "harness torture "


def format_compact(record: Mapping[str, Any]) -> str:
    """The record of a table as compact JSON. A name must not be both a fault and an incident."""
    sayings: dict[str, int] = {}
    columns = [_draw_column(column, sayings) for column in record["clients"]]
    parts = [
        f'"faults": {_dump(record["faults"])}',
        f'"incidents": {_dump(record["incidents"])}',
        '"sayings": [\n' + ",\n".join(map(_dump, sayings)) + "\n]",
        '"clients": [\n' + ",\n".join(columns) + "\n]",
    ]
    return "{" + ",\n".join(parts) + "}\n"


def expand(compact: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a compact table."""
    sayings, incidents = compact["sayings"], compact["incidents"]
    return {
        "faults": compact["faults"],
        "incidents": incidents,
        "clients": [
            {**column, "cells": [dict(_read_cell(cell, column, sayings, incidents)) for cell in column["cells"]]}
            for column in compact["clients"]
        ],
    }


def _draw_column(column: Mapping[str, Any], sayings: dict[str, int]) -> str:
    about = _dump({name: value for name, value in column.items() if name != "cells"})
    cells = ",\n".join(_dump(_shorten_cell(cell, column, sayings)) for cell in column["cells"])
    return f'{about[:-1]},"cells":[\n{cells}\n]}}'


def _shorten_cell(cell: Mapping[str, Any], column: Mapping[str, Any], sayings: dict[str, int]) -> list[Any]:
    short = [cell.get("incident") or cell["fault"], cell["outcome"], cell.get("again", "")]
    if "problem" in cell:
        said = [sayings.setdefault(line, len(sayings)) for line in (cell["problem"], *cell["timeline"])]
        command = cell["command"].removeprefix(_STARTS).removesuffix(_name_client(column))
        short += [cell["rule"], cell["level"], said, command]
    return short


def _read_cell(
    short: list[Any], column: Mapping[str, Any], sayings: list[str], incidents: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    name, outcome, again, *finding = short
    yield ("incident" if name in incidents else "fault"), name
    yield "outcome", outcome
    if again:
        yield "again", again
    if finding:
        rule, level, said, command = finding
        yield from (("rule", rule), ("level", level), ("problem", sayings[said[0]]))
        yield "timeline", [sayings[line] for line in said[1:]]
        yield "command", f"{_STARTS}{command}{_name_client(column)}"


def _name_client(column: Mapping[str, Any]) -> str:
    version = f"=={column['version']}" if column["version"] else ""
    return f" --client {column['client']}{version}"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
