"""The table of clients, ready to draw: its parts, its columns and the words for what stands in a cell.

Layer 6, values. The same columns give the same table: there is nothing of a clock in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.benches.client.judgement.outcome import DropOutcome
from harness.benches.client.ready.ready_clients import ReadyClient
from harness.benches.client.ready.survey import Cell, ClientColumn, TableRow
from harness.outcome.words import format_count

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
"""The outcomes that nobody is told of."""

MODES = {
    "create": "Clients that create with a stream",
    "background": "Clients that create in the background and stream",
    "follow": "Clients that stream a given interaction",
    "poll": "Clients that create in the background and poll",
    "chain": "Clients that do a second turn",
    "tools": "Clients that answer a function call",
    "cancel": "Clients that cancel",
}
"""The modes in the order of the tables, and the titles of those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A client in the versions that came out alike; `first` is the newest of them."""

    versions: str
    first: ClientColumn
    cells: tuple[Cell, ...]

    @property
    def client(self) -> ReadyClient:
        """The client, in its newest version."""
        return self.first.client


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeTable:
    """The clients in one mode; `cells[i]` of each column belong to `rows[i]`."""

    mode: str
    title: str
    about: str
    rows: tuple[TableRow, ...]
    columns: tuple[TableColumn, ...]


def list_tables(columns: Sequence[ClientColumn], *, incidents: bool) -> Iterator[ModeTable]:
    """A table for each mode that somebody was tried in: of faults, or of incidents."""
    for mode, title in MODES.items():
        tried = [one for one in columns if one.mode == mode and _cells_of(one, incidents)]
        merged = tuple(_merge_versions(tried, incidents))
        if merged:
            yield ModeTable(
                mode=mode,
                title=title,
                about=f"The program must {merged[0].first.about}.",
                rows=tuple(cell.row for cell in merged[0].cells),
                columns=merged,
            )


def _merge_versions(columns: Sequence[ClientColumn], incidents: bool) -> Iterator[TableColumn]:
    """A version that came out as the one before it shares its column."""
    left = list(columns)
    while left:
        first = left.pop(0)
        cells = _cells_of(first, incidents)
        words = [cell.word for cell in cells]
        same = [
            one
            for one in left
            if one.client.name == first.client.name and [x.word for x in _cells_of(one, incidents)] == words
        ]
        left = [column for column in left if column not in same]
        versions = ", ".join(column.client.version for column in (first, *same))
        yield TableColumn(versions=versions, first=first, cells=cells)


def _cells_of(column: ClientColumn, incidents: bool) -> tuple[Cell, ...]:
    return tuple(cell for cell in column.cells if cell.row.is_incident == incidents)


def is_silent(cell: Cell) -> bool:
    """Whether the client's caller is told that all is well, and it is not, in one of the runs at least."""
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
        return f"None of {format_count(len(tried), 'client')} reported a false success."
    return f"{wrong} of {format_count(len(tried), 'client')} reported a false success at least once."


def find_shown(column: ClientColumn, cell: Cell, columns: Sequence[ClientColumn]) -> ClientColumn:
    """The first version of a client that has this cell in this mode, which is where it is shown."""
    plain = _without_wire(cell)
    alike = (one for one in columns if one.mode == column.mode and plain in map(_without_wire, one.cells))
    return next(alike)


def _without_wire(cell: Cell) -> Cell:
    return replace(cell, command="", timeline=())


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
    """What the versions of one client are installed from, the newest first."""
    return list(dict.fromkeys(column.client.pinned for column in columns if column.client.pinned))
