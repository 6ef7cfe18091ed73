"""The table of clients as pages in Markdown, as JSON, and as lines for a terminal.

Layer 6. The same columns give the same text: there is nothing of a clock in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready.ready_clients import READY, ReadyClient
from harness.benches.client.ready.survey import TABLES, Cell, ClientColumn
from harness.kit.client_model import ClientModel

TABLE_FILE = "clients/table.json"
"""Where the table as JSON goes, beside the pages."""

_GOOD = (DropOutcome.EXACT, DropOutcome.RECOVERED, DropOutcome.COULD_NOT)
_WEAK = (DropOutcome.REPORTED, DropOutcome.CRASHED, DropOutcome.HUNG)
_TITLES = {
    "create": "Clients that create with a stream",
    "background": "Clients that create in the background and stream",
    "follow": "Clients that stream a given interaction",
    "poll": "Clients that create in the background and poll",
}
_MEANINGS = {
    DropOutcome.EXACT: "the whole result, once",
    DropOutcome.RECOVERED: "the same, after it had come back by itself",
    DropOutcome.COULD_NOT: "it reports a failure, and nothing better was possible",
    DropOutcome.REPORTED: "it reports a failure: the caller has to recover",
    DropOutcome.HUNG: "it had to be stopped",
    DropOutcome.CRASHED: "the process died",
    DropOutcome.WRONG_STATUS: "it reports success, and cannot know that, or reports another status",
    DropOutcome.HOLE: "it reports success, and text is missing in the middle",
    DropOutcome.DUPLICATED: "it reports success, and has text twice",
    DropOutcome.SILENT_LOSS: "it reports success, and the end is missing",
    DropOutcome.DOUBLE_CREATE: "it created a second interaction without a word",
}
_HEAD = """# Clients, and what happens to them when the network fails

Which faults does a client survive by itself, which does it report, and which does nobody notice? Each row is one
fault that `harness torture` played to each client, on loopback, against the reference emulator; nothing here was
compared with the live service. A cell is a fact about one version, as a small program with the client's own calls
saw it ([clients/drivers](clients/drivers)); it judges nobody. What a client reports can be handled by its caller.
What is **bold** cannot, because the caller is told that all is well. [resume.md](resume.md) has the lines that
make each of them safe.

Every finding was made twice, and each links to what went over the wire and to the command that repeats it.
[clients/table.json](clients/table.json) has all of it.
`harness clients --write docs` generates these pages. `harness torture --client NAME` plays whole sets.

"""


def write_pages(columns: Sequence[ClientColumn], model: ClientModel) -> Mapping[str, str]:
    """The pages by path: the table, and one page for each client with findings."""
    pages = {"clients.md": "".join(_draw_table(columns, model))}
    for name in dict.fromkeys(column.client.name for column in columns):
        own = [column for column in columns if column.client.name == name]
        if any(cell.sentence for column in own for cell in column.cells):
            pages[f"clients/{_slug(name)}.md"] = "".join(_draw_client(own))
    return pages


def record(columns: Sequence[ClientColumn], model: ClientModel) -> dict[str, Any]:
    """The table as JSON (`schemas/output/clients.schema.json`)."""
    return {
        "faults": {
            name: {kind.name: kind.about for kind in model.sets[name]} for name in dict.fromkeys(TABLES.values())
        },
        "clients": [_column_record(column) for column in columns],
    }


def list_lines() -> Iterator[str]:
    """The clients that have a driver, each with its package, its version and its modes."""
    width = max(len(client.name) for client in READY)
    for client in READY:
        what = client.pinned or "no package"
        yield f"{client.name:<{width}}  {what}: {client.about} ({', '.join(client.modes)})"


def column_lines(column: ClientColumn) -> Iterator[str]:
    """A column for a terminal: the outcomes, the worst ones first, with the faults that led to them."""
    yield f"{column.client}, {column.mode}"
    if column.problem:
        yield f"  cannot be tried: {column.problem}"
    order = {str(outcome): number for number, outcome in enumerate(DropOutcome)}
    words = sorted({cell.word for cell in column.cells}, key=lambda word: -order.get(word, len(order)))
    width = max(map(len, words), default=0)
    for word in words:
        faults = ", ".join(cell.fault for cell in column.cells if cell.word == word)
        yield f"  {word:<{width}}  {faults}"


def _draw_table(columns: Sequence[ClientColumn], model: ClientModel) -> Iterator[str]:
    yield _HEAD
    yield "| Word | Meaning |\n|---|---|\n"
    used = {outcome for column in columns for cell in column.cells for outcome in cell.word.split(" or ")}
    yield from (f"| {_mark(str(o))} | {_MEANINGS[o]} |\n" for o in DropOutcome if o in used)
    for mode, title in _TITLES.items():
        merged = list(_merge_versions([column for column in columns if column.mode == mode and column.cells]))
        if merged:
            yield f"\n## {title}\n\n"
            yield from _draw_mode(mode, merged, model)
    yield "\n## The clients\n\n"
    names = dict.fromkeys(column.client.name for column in columns)
    for name in names:
        yield _describe([column for column in columns if column.client.name == name])
    failed = [column for column in columns if column.problem]
    if failed:
        yield "\n## What could not be tried\n\n"
        yield from (f"- {c.client}, {c.mode}: {c.problem.splitlines()[0]}\n" for c in failed)


def _merge_versions(columns: Sequence[ClientColumn]) -> Iterator[tuple[str, ClientColumn]]:
    """The heading of each column. A version that came out as the one before it shares its column."""
    left = list(columns)
    while left:
        first = left.pop(0)
        words = [cell.word for cell in first.cells]
        same = [c for c in left if c.client.name == first.client.name and [x.word for x in c.cells] == words]
        left = [column for column in left if column not in same]
        versions = ", ".join(column.client.version for column in (first, *same))
        yield f"{first.client.name} {versions}".strip(), first


def _draw_mode(mode: str, merged: Sequence[tuple[str, ClientColumn]], model: ClientModel) -> Iterator[str]:
    yield f"The program was asked to {model.modes[mode].about}.\n\n"
    yield f"| Fault | {' | '.join(heading for heading, _ in merged)} |\n"
    yield f"|---{'|---' * len(merged)}|\n"
    for number, kind in enumerate(model.sets[TABLES[mode]]):
        cells = (_link(column, column.cells[number]) for _, column in merged)
        yield f"| {kind.about} | {' | '.join(cells)} |\n"


def _link(column: ClientColumn, cell: Cell) -> str:
    if not cell.sentence:
        return _mark(cell.word)
    return f"[{_mark(cell.word)}](clients/{_slug(column.client.name)}.md#{_anchor(column, cell)})"


def _mark(word: str) -> str:
    soft = {str(outcome) for outcome in (*_GOOD, *_WEAK)}
    return word if set(word.split(" or ")) <= soft else f"**{word}**"


def _describe(columns: Sequence[ClientColumn]) -> str:
    client = columns[0].client
    versions = list(dict.fromkeys(column.client.pinned for column in columns if column.client.pinned))
    needs = f", with {', '.join(client.needs)}" if client.needs else ""
    where = f" Installed from {' and '.join(f'`{one}`' for one in versions)}{needs}." if versions else ""
    note = f" {client.note}" if client.note else ""
    driver = f"[driver](clients/drivers/{client.driver})"
    return f"- **{client.name}**: {client.about}.{where}{note} ({driver})\n"


def _draw_client(columns: Sequence[ClientColumn]) -> Iterator[str]:
    client = columns[0].client
    yield f"# {client.name}\n\nWhat happened to {client.about}, fault by fault ([all clients](../clients.md)).\n"
    for column in columns:
        for cell in column.cells:
            if cell.sentence and not _is_shown_elsewhere(column, cell, columns):
                yield from _draw_cell(column, cell)


def _is_shown_elsewhere(column: ClientColumn, cell: Cell, columns: Sequence[ClientColumn]) -> bool:
    """Whether a version that came out alike, and is shown before this one, has the same cell."""
    return any(
        one.mode == column.mode
        and any(replace(c, command="", timeline=()) == replace(cell, command="", timeline=()) for c in one.cells)
        for one in columns[: columns.index(column)]
    )


def _draw_cell(column: ClientColumn, cell: Cell) -> Iterator[str]:
    yield f"\n## {_name_cell(column, cell)}\n\n"
    yield f"**{cell.word}** ({cell.level} `{cell.rule}`): the client {_escape(cell.sentence)}.\n\n"
    yield "\n".join(["```text", *cell.timeline, "```", "", "```sh", cell.command, "```", ""])


def _escape(text: str) -> str:
    return re.sub(r"([*_`<>|\[\]])", r"\\\1", " ".join(text.split()))


def _name_cell(column: ClientColumn, cell: Cell) -> str:
    """The heading of a cell."""
    return ", ".join(filter(None, (cell.fault, column.mode, column.client.version)))


def _anchor(column: ClientColumn, cell: Cell) -> str:
    """How GitHub names that heading."""
    return re.sub(r"[^a-z0-9 -]", "", _name_cell(column, cell).lower()).replace(" ", "-")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("@", "npm-")).strip("-")


def _column_record(column: ClientColumn) -> dict[str, Any]:
    client: ReadyClient = column.client
    return {
        "client": client.name,
        "package": client.package,
        "version": client.version,
        "mode": column.mode,
        "problem": column.problem,
        "cells": [
            {
                "fault": cell.fault,
                "outcome": cell.outcome,
                **({"again": cell.again} if cell.again else {}),
                **({"rule": cell.rule, "level": cell.level, "problem": cell.sentence} if cell.sentence else {}),
                **({"timeline": list(cell.timeline), "command": cell.command} if cell.sentence else {}),
            }
            for cell in column.cells
        ],
    }
