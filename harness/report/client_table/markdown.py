"""The table of clients as Markdown to paste: tables without links, and what the findings rest on, folded away.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.benches.client.ready.survey import Cell, ClientColumn, TableRow
from harness.outcome.words import format_count
from harness.report.client_table.table import (
    ModeTable,
    TableColumn,
    find_shown,
    format_headline,
    group_by_client,
    is_silent,
    list_tables,
    name_column,
)
from harness.report.junit import JUnitCase, write_document
from harness.report.markdown import fence, write_plain
from harness.report.presented_result import Standing

ISSUE_LIMIT = 65_536
"""How many characters an issue on GitHub may have."""


def render_markdown(columns: Sequence[ClientColumn]) -> str:
    """The tables, then the findings, silent ones first, as far as an issue holds them."""
    tables = "".join(_draw_tables(columns))
    findings = list(_list_findings(columns))
    kept: list[str] = []
    room = ISSUE_LIMIT - len(tables) - len(_say_left_out(len(findings)))
    while len(kept) < len(findings) and len(findings[len(kept)]) <= room:
        room -= len(findings[len(kept)])
        kept.append(findings[len(kept)])
    left = len(findings) - len(kept)
    return "".join([tables, *kept, _say_left_out(left) if left else ""])


def draw_table(
    table: ModeTable, draw_row: Callable[[TableRow], str], draw_cell: Callable[[TableColumn, Cell], str]
) -> Iterator[str]:
    """The lines of one table; the functions draw the head of a row, and a cell."""
    headings = " | ".join(write_plain(f"{one.client.name} {one.versions}".strip()) for one in table.columns)
    yield f"| {'Incident' if table.rows[0].is_incident else 'Fault'} | {headings} |\n"
    yield f"|---{'|---' * len(table.columns)}|\n"
    for number, row in enumerate(table.rows):
        cells = " | ".join(draw_cell(one, one.cells[number]) for one in table.columns)
        yield f"| {draw_row(row)} | {cells} |\n"


def draw_word(cell: Cell) -> str:
    """The result of a cell, in bold if it is silent."""
    word = write_plain(cell.word)
    return f"**{word}**" if is_silent(cell) else word


def draw_finding(cell: Cell) -> str:
    """The client's defect, the bytes on the wire, and the command that repeats it."""
    sentence_text = write_plain(cell.sentence)
    rule = write_plain(cell.rule)
    sentence = f"**{write_plain(cell.word)}** ({write_plain(cell.level)} `{rule}`): the client {sentence_text}."
    return "\n".join([sentence, "", *fence("\n".join(cell.timeline)), "", *fence(cell.command, "sh"), ""])


def _draw_tables(columns: Sequence[ClientColumn]) -> Iterator[str]:
    yield f"## Known clients and network failures\n\n**{write_plain(format_headline(columns))}**\n"
    for incidents in (False, True):
        for table in list_tables(columns, incidents=incidents):
            yield f"\n### {write_plain(table.title)}{': incidents' if incidents else ''}\n\n"
            yield from draw_table(table, lambda row: write_plain(row.about), lambda _, cell: draw_word(cell))
    yield "\n"
    for one in columns:
        if one.problem:
            yield f"Not tested: {write_plain(f'{name_column(one)}: {one.problem.splitlines()[0]}')}\n\n"


def _list_findings(columns: Sequence[ClientColumn]) -> Iterator[str]:
    """Each finding once, though several versions of a client have it."""
    found = [
        (column, cell)
        for own in group_by_client(columns).values()
        for column in own
        for cell in column.cells
        if cell.sentence and find_shown(column, cell, own) is column
    ]
    for column, cell in sorted(found, key=lambda one: not is_silent(one[1])):
        title = write_plain(f"{name_column(column)}, {cell.row.name}: {cell.word}")
        yield f"<details><summary>{title}</summary>\n\n{draw_finding(cell)}\n</details>\n"


def _say_left_out(number: int) -> str:
    what = format_count(number, "finding")
    return f"\nAn issue has a limited size: {what} are in the other formats, `html`, `json` and `junit`.\n"


# The table of clients for CI systems: a case for each cell, a suite for each client, version and mode.


def render_junit(columns: Sequence[ClientColumn], api: str) -> str:
    """The table as XML text; `api` is the name of the API."""
    cases = (case for column in columns for case in _list_cases(column))
    return write_document(cases, api, {"headline": format_headline(columns)})


def _list_cases(column: ClientColumn) -> Iterator[JUnitCase]:
    suite = f"clients.{column.client.spec}.{column.mode}"
    if column.problem:
        problem = column.problem
        yield JUnitCase(
            suite=suite,
            name="the client",
            standing=Standing.ERROR,
            kind="not tested",
            message=problem.splitlines()[0],
            text=problem,
        )
    yield from (_make_case(suite, cell) for cell in column.cells)


def _make_case(suite: str, cell: Cell) -> JUnitCase:
    name = f"{cell.row.name}: {cell.row.about}"
    if not cell.sentence:
        return JUnitCase(suite=suite, name=name)
    headline = f"{cell.level} {cell.rule}: the client {cell.sentence}."
    text = "\n".join([headline, "", *cell.timeline, "", cell.command])
    standing = Standing.FAILURE if is_silent(cell) else Standing.PASSED
    return JUnitCase(suite=suite, name=name, standing=standing, kind=cell.word, message=cell.sentence, text=text)
