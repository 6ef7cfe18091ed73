"""The table of clients as pages in Markdown: the table, and a page for each client with findings.

Layer 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready.survey import Cell, ClientColumn, TableRow
from harness.report.client_table.markdown import draw_finding, draw_table, draw_word
from harness.report.client_table.table import (
    MEANINGS,
    SILENT,
    ModeTable,
    TableColumn,
    count_cells,
    find_shown,
    group_by_client,
    list_packages,
    list_tables,
    name_column,
)

TABLE_FILE = "clients/table.json"
"""Where the table as JSON goes, beside the pages."""

_HEAD = """# Clients, and what happens to them when the network fails

Each row is one fault that `harness torture` played to each client. A caller cannot handle what is **bold**: the
client reports success. Each finding links to what went over the wire and to the command that repeats it.
[clients/table.json](clients/table.json) has all of it.

"""
_OTHERS = """
## What already happened to others

Each row is an [incident](incidents.md): what users of the API met, with its source. Played are those that a client
meets in its mode.
"""


def write_pages(columns: Sequence[ClientColumn]) -> Mapping[str, str]:
    """The pages by path: the table, and one page for each client with findings."""
    pages = {"clients.md": "".join(_draw_page(columns))}
    for name, own in group_by_client(columns).items():
        if any(cell.sentence for column in own for cell in column.cells):
            pages[f"clients/{_write_slug(name)}.md"] = "".join(_draw_client(own))
    return pages


def _draw_page(columns: Sequence[ClientColumn]) -> Iterator[str]:
    clients = group_by_client(columns)
    yield _HEAD
    yield "| Word | Meaning |\n|---|---|\n"
    used = {outcome for column in columns for cell in column.cells for outcome in cell.word.split(" or ")}
    yield from (f"| {f'**{o}**' if o in SILENT else o} | {MEANINGS[o]} |\n" for o in DropOutcome if o in used)
    yield from _draw_counts(clients)
    for table in list_tables(columns, incidents=False):
        yield f"\n## {table.title}\n\n{table.about}\n\n"
        yield from _draw_table(table, clients)
    played = list(list_tables(columns, incidents=True))
    yield _OTHERS if played else ""
    for table in played:
        yield f"\n### {table.title}: incidents\n\n"
        yield from _draw_table(table, clients)
    yield "\n## The clients\n\n"
    yield from map(_describe, clients.values())
    failed = [column for column in columns if column.problem]
    if failed:
        yield "\n## What could not be tried\n\n"
        yield from (f"- {name_column(c)}: {c.problem.splitlines()[0]}\n" for c in failed)


def _draw_counts(clients: Mapping[str, Sequence[ClientColumn]]) -> Iterator[str]:
    """A line for each client in its newest version: how its cells came out, in all modes together."""
    yield "\n## At a glance\n\n"
    yield "Each number counts the rows of all tables below that a client, in its newest version, was played.\n\n"
    yield "| Client | Right | Reported | Hung | **Wrong without a word** |\n|---|--:|--:|--:|--:|\n"
    for name, own in clients.items():
        newest = [column for column in own if column.client.version == own[0].client.version]
        yield f"| {name} | {' | '.join(map(str, count_cells(newest)))} |\n"


def _draw_table(table: ModeTable, clients: Mapping[str, Sequence[ClientColumn]]) -> Iterator[str]:
    def link(column: TableColumn, cell: Cell) -> str:
        return _link(column.first, cell, clients[column.client.name])

    yield from draw_table(table, _link_incident, link)


def _link_incident(row: TableRow) -> str:
    return f"[{row.about.rstrip('.')}](incidents.md#{row.name})" if row.is_incident else row.about


def _link(column: ClientColumn, cell: Cell, own: Sequence[ClientColumn]) -> str:
    """A cell; if it has a finding, with a link to the column of the same client that shows it."""
    if not cell.sentence:
        return draw_word(cell)
    shown = find_shown(column, cell, own)
    return f"[{draw_word(cell)}](clients/{_write_slug(column.client.name)}.md#{_write_anchor(shown, cell)})"


def _describe(columns: Sequence[ClientColumn]) -> str:
    client = columns[0].client
    packages = list_packages(columns)
    needs = f", with {', '.join(client.needs)}" if client.needs else ""
    where = f" Installed from {' and '.join(f'`{one}`' for one in packages)}{needs}." if packages else ""
    note = f" {client.note}" if client.note else ""
    driver = f"[driver](clients/drivers/{client.driver})"
    return f"- **{client.name}**: {client.about}.{where}{note} ({driver})\n"


def _draw_client(columns: Sequence[ClientColumn]) -> Iterator[str]:
    client = columns[0].client
    yield f"# {client.name}\n\nWhat happened to {client.about}, fault by fault ([all clients](../clients.md)).\n"
    for column in columns:
        for cell in column.cells:
            if cell.sentence and find_shown(column, cell, columns) is column:
                yield f"\n## {_name_cell(column, cell)}\n\n{draw_finding(cell)}"


def _name_cell(column: ClientColumn, cell: Cell) -> str:
    """The heading of a cell."""
    return ", ".join(filter(None, (cell.row.name, column.mode, column.client.version)))


def _write_anchor(column: ClientColumn, cell: Cell) -> str:
    """How GitHub names that heading."""
    return re.sub(r"[^a-z0-9 -]", "", _name_cell(column, cell).lower()).replace(" ", "-")


def _write_slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("@", "npm-")).strip("-")
