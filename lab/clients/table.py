"""The table of clients: its columns as data, as lines for a terminal, and the words for what is in a cell.

The same columns give the same table: it has nothing of a clock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready import READY, find_ready
from harness.outcome import UsageFault
from harness.outcome.words import format_count
from lab.clients.survey import TABLES, Cell, ClientColumn, TableRow

MEANINGS = {
    DropOutcome.EXACT: "the whole result, once",
    DropOutcome.RECOVERED: "the same, after it resumed by itself",
    DropOutcome.COULD_NOT: "it reports a failure, and nothing better was possible",
    DropOutcome.REPORTED: "it reports a failure: the caller has to recover",
    DropOutcome.CRASHED: "the process stopped",
    DropOutcome.HUNG: "it had to be stopped",
    DropOutcome.WRONG_STATUS: "it reports success without evidence, or reports another status",
    DropOutcome.HOLE: "it reports success, and text is missing in the middle",
    DropOutcome.DUPLICATED: "it reports success, and has text twice",
    DropOutcome.SILENT_LOSS: "it reports success, and the end is missing",
    DropOutcome.LOST_CONTEXT: "it reports success for a turn that it sent without the one before",
    DropOutcome.DOUBLE_CREATE: "it silently created a second interaction",
}
SILENT = frozenset(
    {
        DropOutcome.WRONG_STATUS,
        DropOutcome.HOLE,
        DropOutcome.DUPLICATED,
        DropOutcome.SILENT_LOSS,
        DropOutcome.LOST_CONTEXT,
        DropOutcome.DOUBLE_CREATE,
    }
)
"""The outcomes that the client does not report."""

MODES = {
    "create": "Clients that create with a stream",
    "background": "Clients that create in the background and stream",
    "follow": "Clients that stream a given interaction",
    "poll": "Clients that create in the background and poll",
    "chain": "Clients that do a second turn",
    "tools": "Clients that return a function result",
    "cancel": "Clients that cancel",
}
"""The modes in the order of the tables, and the titles of those."""


def is_silent(cell: Cell) -> bool:
    """Whether the client reports success to its caller in spite of a failure, in one of the runs at least."""
    return any(word in SILENT for word in cell.word.split(" or "))


def count_cells(columns: Sequence[ClientColumn]) -> tuple[int, int, int, int]:
    """How many cells are right, tell their caller, had to be stopped, and fail silently."""
    cells = [cell for column in columns for cell in column.cells]
    silent = sum(map(is_silent, cells))
    stopped = sum(not is_silent(cell) and DropOutcome.HUNG in cell.word.split(" or ") for cell in cells)
    right = sum(not cell.sentence for cell in cells)
    return right, len(cells) - right - stopped - silent, stopped, silent


def format_headline(columns: Sequence[ClientColumn]) -> str:
    """The number of clients with a silent failure in some cell."""
    tried = group_by_client([column for column in columns if column.cells])
    if not tried:
        return "No client was tested."
    wrong = sum(any(is_silent(cell) for one in own for cell in one.cells) for own in tried.values())
    if not wrong:
        return f"No client reported a false success ({format_count(len(tried), 'client')} tested)."
    return f"{wrong} of {format_count(len(tried), 'client')} reported a false success at least once."


def name_column(column: ClientColumn) -> str:
    """A client in its version and mode."""
    return f"{column.client}, {column.mode}"


def group_by_client(columns: Sequence[ClientColumn]) -> dict[str, list[ClientColumn]]:
    """The columns of each client."""
    groups: dict[str, list[ClientColumn]] = {}
    for column in columns:
        groups.setdefault(column.client.name, []).append(column)
    return groups


def list_packages(columns: Sequence[ClientColumn]) -> list[str]:
    """The sources of the versions of one client, the newest first."""
    return list(dict.fromkeys(column.client.pinned for column in columns if column.client.pinned))


# The table of clients as it is kept in version control: a line for each cell, and a text of many cells once.


_STARTS, _CLIENT = "harness torture ", " --client "


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
            {**column, "cells": [dict(_expand_cell(cell, column, sayings, incidents)) for cell in column["cells"]]}
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
        lines = [sayings.setdefault(line, len(sayings)) for line in (cell["problem"], *cell["timeline"])]
        command = cell["command"].removeprefix(_STARTS).removesuffix(_name_client(column))
        short += [cell["rule"], cell["level"], lines, command]
    return short


def _expand_cell(
    short: list[Any], column: Mapping[str, Any], sayings: list[str], incidents: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    name, outcome, again, *finding = short
    yield ("incident" if name in incidents else "fault"), name
    yield "outcome", outcome
    if again:
        yield "again", again
    if finding:
        rule, level, lines, command = finding
        yield from (("rule", rule), ("level", level), ("problem", sayings[lines[0]]))
        yield "timeline", [sayings[line] for line in lines[1:]]
        yield "command", f"{_STARTS}{command}{_name_client(column)}"


def _name_client(column: Mapping[str, Any]) -> str:
    version = f"=={column['version']}" if column["version"] else ""
    return f"{_CLIENT}{column['client']}{version}"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# The table of clients as plain data, and as lines for a terminal.


def make_record(columns: Sequence[ClientColumn]) -> dict[str, Any]:
    """The table as plain data."""
    incidents: dict[str, str] = {}
    faults: dict[str, dict[str, str]] = {name: {} for name in TABLES.values()}
    for column in columns:
        for row in (cell.row for cell in column.cells):
            (incidents if row.is_incident else faults[TABLES[column.mode]])[row.name] = row.about
    return {
        "faults": faults,
        "incidents": incidents,
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


def _read_table(path: Path, modes: Mapping[str, str]) -> list[ClientColumn]:
    try:
        record = json.loads(path.read_bytes())
        record = expand(record) if "sayings" in record else record
        about = dict(record["incidents"])
        for kinds in record["faults"].values():
            about |= kinds
        return [_read_column(value, about, modes) for value in record["clients"]]
    except (OSError, KeyError, IndexError, TypeError, ValueError) as wrong:
        raise UsageFault(
            f"{str(path)!r} is not a table of clients ({type(wrong).__name__}: {wrong}): write one with "
            "`python -m lab clients --json`, or name docs/clients/table.json"
        ) from None


def read_columns(paths: Sequence[Path], modes: Mapping[str, str]) -> list[ClientColumn]:
    """The columns of recorded tables, in the order of a whole run; of one in several, the last run.

    `modes` has the task of each mode. Raises UsageFault if a file is no such table, or if not all of a mode ran
    the same rows.
    """
    found: dict[tuple[str, str, str], ClientColumn] = {}
    for one in (one for path in paths for one in _read_table(path, modes)):
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
    if version := value["version"]:
        client = replace(client, version=version)
    cells = tuple(_read_cell(cell, about) for cell in value["cells"])
    mode = value["mode"]
    return ClientColumn(client=client, mode=mode, about=modes[mode], cells=cells, problem=value["problem"])


def _read_cell(value: Mapping[str, Any], about: Mapping[str, str]) -> Cell:
    name, again = value.get("incident") or value["fault"], value.get("again", "")
    return Cell(
        row=TableRow(name=name, about=about[name], is_incident="incident" in value),
        outcome=str(DropOutcome(value["outcome"])),
        again=again and str(DropOutcome(again)),
        rule=value.get("rule", ""),
        level=value.get("level", ""),
        sentence=value.get("problem", ""),
        timeline=tuple(value.get("timeline", ())),
        command=value.get("command", ""),
    )


def list_lines(names: Collection[str]) -> Iterator[str]:
    """The clients of these names, each with its package, its version and its modes."""
    chosen = [client for client in READY if client.name in names]
    width = max(len(client.name) for client in chosen)
    for client in chosen:
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
