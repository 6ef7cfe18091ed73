"""The table of clients for CI systems: a case for each cell, a suite for each client, version and mode.

Layer 6. What nobody is told of is a failure. What a client reports passes with words, as every warning does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.benches.client.ready.survey import Cell, ClientColumn
from harness.report.client_table.table import format_headline, is_silent
from harness.report.junit import JUnitCase, Tag, write_document


def render_junit(columns: Sequence[ClientColumn], api: str) -> str:
    """The table as XML text; `api` is the name of the API."""
    cases = (case for column in columns for case in _list_cases(column))
    return write_document(cases, api, {"headline": format_headline(columns)})


def _list_cases(column: ClientColumn) -> Iterator[JUnitCase]:
    suite = f"clients.{column.client.spec}.{column.mode}"
    if column.problem:
        message = column.problem.splitlines()[0]
        yield JUnitCase(
            suite=suite, name="the client", tag=Tag.ERROR, kind="not tested", message=message, text=column.problem
        )
    yield from (_make_case(suite, cell) for cell in column.cells)


def _make_case(suite: str, cell: Cell) -> JUnitCase:
    name = f"{cell.row.name}: {cell.row.about}"
    if not cell.sentence:
        return JUnitCase(suite=suite, name=name)
    said = f"{cell.level} {cell.rule}: the client {cell.sentence}."
    text = "\n".join([said, "", *cell.timeline, "", cell.command])
    tag = Tag.FAILURE if is_silent(cell) else Tag.PASSED
    return JUnitCase(suite=suite, name=name, tag=tag, kind=cell.word, message=cell.sentence, text=text)
