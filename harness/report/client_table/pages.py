"""The table of clients as pages: a short one in Markdown, and the maps as one HTML file.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready.survey import ClientColumn
from harness.report.client_table.page import render_page
from harness.report.client_table.table import (
    MEANINGS,
    SILENT,
    count_cells,
    group_by_client,
    list_packages,
    name_column,
)

TABLE_FILE = "clients/table.json"
"""Where the table as JSON goes, beside the pages."""

MAP_FILE = "clients/map.html"
"""Where the maps go."""

_HEAD = """# Known clients and network failures

`harness clients` injected each fault and each [incident](incidents.md) into the connection of each client.
[clients/map.html](clients/map.html) shows every case: what the client did, what went over the wire, and the
command that repeats it. [clients/table.json](clients/table.json) has the same as data.

"""


def write_pages(columns: Sequence[ClientColumn]) -> Mapping[str, str]:
    """The pages by path: the counts of each client, and the maps."""
    return {"clients.md": _HEAD + write_glance(columns), MAP_FILE: render_page(columns)}


def write_glance(columns: Sequence[ClientColumn]) -> str:
    """The counts of each client, the words for outcomes, and the clients, as Markdown."""
    return "".join(_list_parts(columns))


def _list_parts(columns: Sequence[ClientColumn]) -> Iterator[str]:
    clients = group_by_client(columns)
    yield "## At a glance\n\n"
    yield "The figures count the cases of all modes that a client, in its newest version, was run with.\n\n"
    yield "| Client | Passed | Reported | Hung | **Failed silently** |\n|---|--:|--:|--:|--:|\n"
    for name, own in clients.items():
        newest = [column for column in own if column.client.version == own[0].client.version]
        right, *others = count_cells(newest)
        yield f"| {name} | {right} of {right + sum(others)} | {' | '.join(map(str, others))} |\n"
    yield "\n## The outcomes\n\n| Word | Meaning |\n|---|---|\n"
    used = {outcome for column in columns for cell in column.cells for outcome in cell.word.split(" or ")}
    yield from (f"| {f'**{o}**' if o in SILENT else o} | {MEANINGS[o]} |\n" for o in DropOutcome if o in used)
    yield "\n## The clients\n\n"
    yield from map(_describe, clients.values())
    failed = [column for column in columns if column.problem]
    if failed:
        yield "\n## Not tested\n\n"
        yield from (f"- {name_column(c)}: {c.problem.splitlines()[0]}\n" for c in failed)


def _describe(columns: Sequence[ClientColumn]) -> str:
    client = columns[0].client
    packages = list_packages(columns)
    needs = f", with {', '.join(client.needs)}" if client.needs else ""
    where = f" Installed from {' and '.join(f'`{one}`' for one in packages)}{needs}." if packages else ""
    note = f" {client.note}" if client.note else ""
    driver = f"[driver](clients/drivers/{client.driver})"
    return f"- **{client.name}**: {client.about}.{where}{note} ({driver})\n"
