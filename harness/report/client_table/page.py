"""The table of clients as one page: a matrix for each mode, whose cells open what went over the wire.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready.survey import Cell, ClientColumn, TableRow
from harness.look.assets import Mark, mark_of
from harness.report.client_table.table import (
    MEANINGS,
    ModeTable,
    TableColumn,
    format_headline,
    group_by_client,
    list_packages,
    list_tables,
    name_column,
)
from harness.report.commands.torture import OUTCOME_MARKS
from harness.report.page.matrix import MatrixCell, MatrixColumn, MatrixRow, OutcomeMatrix
from harness.report.page.rendering import render_template


def render_page(columns: Sequence[ClientColumn]) -> str:
    """The table as one HTML file."""
    return render_template(
        "clients",
        title="Clients, and what happens to them",
        command="clients",
        headline=format_headline(columns),
        state_word="played on loopback, against the reference emulator",
        state_mark=mark_of("info"),
        meanings=list(_explain(columns)),
        matrices=[
            *(_draw(table, key=table.mode) for table in list_tables(columns, incidents=False)),
            *(
                _draw(table, key=f"incidents-{table.mode}", part="What already happened to others: ")
                for table in list_tables(columns, incidents=True)
            ),
        ],
        clients=[_describe(own) for own in group_by_client(columns).values()],
        problems=[(name_column(one), one.problem) for one in columns if one.problem],
    )


def _explain(columns: Sequence[ClientColumn]) -> Iterator[tuple[str, Mark, str]]:
    """The outcomes that occur, each with its mark and its meaning."""
    words = {word for column in columns for cell in column.cells for word in cell.word.split(" or ")}
    yield from ((str(o), OUTCOME_MARKS[o], MEANINGS[o]) for o in DropOutcome if o in words)


def _draw(table: ModeTable, *, key: str, part: str = "") -> OutcomeMatrix:
    return OutcomeMatrix(
        key=key,
        title=f"{part}{table.title.lower()}" if part else table.title,
        about=table.about,
        corner="Incident" if part else "Fault",
        columns=tuple(MatrixColumn(name=f"{one.client.name} {one.versions}".strip()) for one in table.columns),
        rows=tuple(
            MatrixRow(
                name=row.about,
                about=row.name,
                cells=tuple(_draw_cell(row, column, column.cells[number]) for column in table.columns),
            )
            for number, row in enumerate(table.rows)
        ),
    )


def _draw_cell(row: TableRow, column: TableColumn, cell: Cell) -> MatrixCell:
    mark = OUTCOME_MARKS[DropOutcome(cell.outcome)]
    if not cell.sentence:
        return MatrixCell(text=cell.word, words=MEANINGS[DropOutcome(cell.outcome)], mark=mark)
    return MatrixCell(
        text=cell.word,
        words=MEANINGS[DropOutcome(cell.outcome)],
        mark=mark,
        title=f"{name_column(column.first)}: {row.about}",
        lines=(f"{cell.word} ({cell.level} {cell.rule}): the client {cell.sentence}.",),
        wire=cell.timeline,
        command=cell.command,
    )


def _describe(columns: Sequence[ClientColumn]) -> dict[str, str]:
    client = columns[0].client
    packages = ", ".join([*list_packages(columns), *client.needs])
    return {
        "name": client.name,
        "about": client.about.replace("`", ""),
        "packages": packages,
        "note": client.note,
        "driver": client.driver,
    }
