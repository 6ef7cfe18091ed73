"""The table of clients as Markdown to paste: tables without links, and what the findings rest on, folded away.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from harness.benches.client.ready.survey import Cell, ClientColumn
from harness.outcome.words import format_count
from harness.report.client_table.table import (
    ModeTable,
    find_shown,
    format_headline,
    group_by_client,
    is_silent,
    list_tables,
    name_column,
)
from harness.report.junit import JUnitCase, write_document
from harness.report.markdown import (
    END_DETAILS,
    Markdown,
    begin_details,
    fence,
    join_lines,
    write_code,
    write_html,
)
from harness.report.presented_result import Standing

ISSUE_LIMIT = 65_536
"""How many characters an issue on GitHub may have."""


def render_markdown(columns: Sequence[ClientColumn]) -> str:
    """The tables, then the findings, silent ones first, as far as an issue holds them."""
    tables = join_lines(_draw_tables(columns))
    findings = [join_lines([*found, ""]) for found in _list_findings(columns)]
    kept: list[str] = []
    room = ISSUE_LIMIT - len(tables) - len(_say_left_out(len(findings)))
    while len(kept) < len(findings) and len(findings[len(kept)]) <= room:
        room -= len(findings[len(kept)])
        kept.append(findings[len(kept)])
    left = len(findings) - len(kept)
    return "".join([tables, *kept, _say_left_out(left) if left else ""])


def _draw_table(table: ModeTable) -> Iterator[str]:
    """The lines of one table."""
    cell = Markdown(" | ")
    names = (f"{one.client.name} {one.versions}".strip() for one in table.columns)
    heads = cell.join(["Incident" if table.rows[0].is_incident else "Fault", *names])
    yield Markdown("| {} |").format(heads)
    yield Markdown(f"|---{'|---' * len(table.columns)}|")
    for number, row in enumerate(table.rows):
        yield Markdown("| {} |").format(
            cell.join([row.about, *(_draw_word(one.cells[number]) for one in table.columns)])
        )


def _draw_word(cell: Cell) -> str:
    """The result of a cell, in bold if it is silent."""
    return Markdown("**{}**").format(cell.word) if is_silent(cell) else cell.word


def _draw_finding(cell: Cell) -> Iterator[str]:
    """The client's defect, the bytes on the wire, and the command that repeats it."""
    yield Markdown("**{}** ({} {}): the client {}.").format(
        cell.word, cell.level, write_code(cell.rule), cell.sentence
    )
    yield from ("", fence("\n".join(cell.timeline)), "", fence(cell.command, "sh"), "")


def _draw_tables(columns: Sequence[ClientColumn]) -> Iterator[str]:
    yield from (Markdown("## Known clients and network failures"), "")
    yield from (Markdown("**{}**").format(format_headline(columns)), "")
    for incidents in (False, True):
        for table in list_tables(columns, incidents=incidents):
            yield from (Markdown("### {}{}").format(table.title, ": incidents" if incidents else ""), "")
            yield from (*_draw_table(table), "")
    for one in columns:
        if one.problem:
            yield from (f"Not tested: {name_column(one)}: {one.problem.splitlines()[0]}", "")
    yield ""


def _list_findings(columns: Sequence[ClientColumn]) -> Iterator[Iterator[str]]:
    """The lines of each finding once, though several versions of a client have it."""
    found = [
        (column, cell)
        for own in group_by_client(columns).values()
        for column in own
        for cell in column.cells
        if cell.sentence and find_shown(column, cell, own) is column
    ]
    for column, cell in sorted(found, key=lambda one: not is_silent(one[1])):
        title = write_html(f"{name_column(column)}, {cell.row.name}: {cell.word}")
        yield chain((begin_details(title), ""), _draw_finding(cell), (END_DETAILS,))


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
