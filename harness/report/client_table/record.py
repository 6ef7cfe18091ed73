"""The table of clients as plain data, and as lines for a terminal. Layer 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready.ready_clients import READY, find_ready
from harness.benches.client.ready.survey import TABLES, Cell, ClientColumn, TableRow
from harness.outcome import UsageFault
from harness.report.client_table.compact_table import expand
from harness.report.client_table.table import name_column
from harness.report.side_by_side.run_file import read_record


def make_record(columns: Sequence[ClientColumn]) -> dict[str, Any]:
    """The table as JSON (`schemas/output/clients.schema.json`)."""
    rows = [(TABLES[column.mode], cell.row) for column in columns for cell in column.cells]
    return {
        "faults": {
            name: {row.name: row.about for table, row in rows if table == name and not row.is_incident}
            for name in dict.fromkeys(TABLES.values())
        },
        "incidents": {row.name: row.about for _, row in rows if row.is_incident},
        "clients": [
            {
                "client": column.client.name,
                "package": column.client.package,
                "version": column.client.version,
                "mode": column.mode,
                "problem": column.problem,
                "cells": [_record_cell(cell) for cell in column.cells],
            }
            for column in columns
        ],
    }


def _record_cell(cell: Cell) -> dict[str, Any]:
    record = {"incident" if cell.row.is_incident else "fault": cell.row.name, "outcome": cell.outcome}
    if cell.again:
        record["again"] = cell.again
    if not cell.sentence:
        return record
    return {
        **record,
        "rule": cell.rule,
        "level": cell.level,
        "problem": cell.sentence,
        "timeline": list(cell.timeline),
        "command": cell.command,
    }


def read_columns(paths: Sequence[Path], modes: Mapping[str, str]) -> list[ClientColumn]:
    """The columns of recorded tables, in the order of a whole run; of one in several, the last that was played.

    `modes` says what each mode asks of a client. Raises UsageFault if a file is no such table, or if not all of a
    mode were played the same rows.
    """
    found: dict[tuple[str, str, str], ClientColumn] = {}
    for path in paths:
        record = read_record(path)
        try:
            record = expand(record) if "sayings" in record else record
            about = {
                **{k: v for kinds in record["faults"].values() for k, v in kinds.items()},
                **record["incidents"],
            }
            columns = [_read_column(value, about, modes) for value in record["clients"]]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as wrong:
            raise UsageFault(
                f"{str(path)!r} is not a table of clients ({wrong!r}): "
                "write one with `harness clients --report json=FILE`"
            ) from None
        for one in columns:
            key = (one.client.name, one.client.version, one.mode)
            if one.cells or key not in found:
                found[key] = one
    columns = sorted(found.values(), key=_place)
    for mode in modes:
        _check_rows([one for one in columns if one.mode == mode and one.cells])
    return columns


def _check_rows(columns: Sequence[ClientColumn]) -> None:
    """Raise UsageFault if one of these columns has rows that another one lacks."""
    for one, other in pairwise(columns):
        rows, others = [cell.row.name for cell in one.cells], [cell.row.name for cell in other.cells]
        if rows != others:
            more, fewer = (one, other) if set(rows) - set(others) else (other, one)
            missing = min(set(rows) ^ set(others), default="its rows in the same order")
            raise UsageFault(
                f"{name_column(fewer)} did not run {missing}, which {name_column(more)} ran: one table needs "
                "the same rows of all clients, so run it again"
            )


def _place(column: ClientColumn) -> tuple[int, int, int]:
    """Where a whole run has the column: by client, version and mode. Versions that it has not come last."""
    number, client = next((n, one) for n, one in enumerate(READY) if one.name == column.client.name)
    versions, modes = (client.version, *client.last), client.modes
    version = versions.index(column.client.version) if column.client.version in versions else len(versions)
    return number, version, modes.index(column.mode) if column.mode in modes else len(modes)


def _read_column(value: Mapping[str, Any], about: Mapping[str, str], modes: Mapping[str, str]) -> ClientColumn:
    client = find_ready(value["client"])
    if value["version"]:
        client = replace(client, version=value["version"])
    cells = tuple(_read_cell(cell, about) for cell in value["cells"])
    mode = value["mode"]
    return ClientColumn(client=client, mode=mode, about=modes[mode], cells=cells, problem=value["problem"])


def _read_cell(value: Mapping[str, Any], about: Mapping[str, str]) -> Cell:
    name = value.get("incident") or value["fault"]
    return Cell(
        row=TableRow(name=name, about=about[name], is_incident="incident" in value),
        outcome=value["outcome"],
        again=value.get("again", ""),
        rule=value.get("rule", ""),
        level=value.get("level", ""),
        sentence=value.get("problem", ""),
        timeline=tuple(value.get("timeline", ())),
        command=value.get("command", ""),
    )


def list_lines() -> Iterator[str]:
    """The clients that have a driver, each with its package, its version and its modes."""
    width = max(len(client.name) for client in READY)
    for client in READY:
        what = client.pinned or "no package"
        yield f"{client.name:<{width}}  {what}: {client.about} ({', '.join(client.modes)})"


def column_lines(column: ClientColumn) -> Iterator[str]:
    """A column for a terminal: the outcomes, the worst ones first, with the rows that led to them."""
    yield f"{column.client}, {column.mode}"
    if column.problem:
        yield f"  cannot be tested: {column.problem}"
    order = {str(outcome): number for number, outcome in enumerate(DropOutcome)}
    words = sorted({cell.word for cell in column.cells}, key=lambda word: -order.get(word, len(order)))
    width = max(map(len, words), default=0)
    for word in words:
        names = ", ".join(cell.row.name for cell in column.cells if cell.word == word)
        yield f"  {word:<{width}}  {names}"
