"""The table of clients as maps: clients and modes, faults and modes; a cell opens what went over the wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.benches.client.judgement.outcome import DropOutcome
from harness.look import Mark, mark_of
from harness.outcome.words import format_count
from harness.report.commands.torture import LOOKS, RANK
from harness.report.html_report import render_template
from harness.report.markdown import Markdown, join_lines, write_code
from harness.report.page.matrix import (
    MatrixCell,
    MatrixEntry,
    MatrixRow,
    OutcomeMatrix,
    StripCase,
)
from harness.wire.message import escape_controls
from lab.clients.survey import Cell, ClientColumn, TableRow
from lab.clients.table import (
    MEANINGS,
    MODES,
    SILENT,
    count_cells,
    format_headline,
    group_by_client,
    list_packages,
    name_column,
)
from lab.site import render_part

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(columns: Sequence[ClientColumn]) -> str:
    """The table as one HTML file."""
    return render_template(
        "clients",
        folder=_TEMPLATES,
        title="Known clients and network failures",
        command="clients",
        headline=format_headline(columns),
        state_word="run on loopback, against the emulator",
        state_mark=mark_of("info"),
        meanings=list(_explain(columns)),
        **_draw_maps(columns),
        clients=[_describe(own) for own in group_by_client(columns).values()],
        problems=[(name_column(one), one.problem) for one in columns if one.problem],
    )


def render_maps(columns: Sequence[ClientColumn]) -> str:
    """The maps alone, to stand in another page."""
    return render_part("clients_part", folder=_TEMPLATES, **_draw_maps(columns))


def _draw_maps(columns: Sequence[ClientColumn]) -> dict[str, Any]:
    """The maps, and the lines that their drawers name by number."""
    sayings: dict[str, int] = {}
    modes = [mode for mode in MODES if any(one.mode == mode and one.cells for one in columns)]
    matrices = [
        _map_clients(columns, modes, lambda text: sayings.setdefault(text, len(sayings))),
        *(found for part in (False, True) if (found := _map_faults(columns, modes, incidents=part)) is not None),
    ]
    return {"matrices": matrices, "said": [escape_controls(line) for line in sayings]}


def _explain(columns: Sequence[ClientColumn]) -> Iterator[tuple[str, Mark, str]]:
    """The outcomes that occur, each with its mark and its meaning."""
    words = {word for column in columns for cell in column.cells for word in cell.word.split(" or ")}
    yield from ((str(o), LOOKS[o].mark, MEANINGS[o]) for o in DropOutcome if o in words)


def _map_clients(
    columns: Sequence[ClientColumn], modes: Sequence[str], number: Callable[[str], int]
) -> OutcomeMatrix:
    """A row for each client in each version; versions with the same cells share one."""
    rows = []
    for own in group_by_client(columns).values():
        for names, alike in _join_versions(own):
            by_mode = {one.mode: one for one in alike}
            cells = tuple(_draw_client(by_mode[mode], number) if mode in by_mode else None for mode in modes)
            rows.append(MatrixRow(name=own[0].client.name, about=", ".join(filter(None, names)), cells=cells))
    return OutcomeMatrix(
        key="map",
        title="Clients and modes",
        about="Each figure: faults and incidents that the client passed, of those that were injected in this "
        "mode. The mark shows the worst outcome.",
        corner="Client",
        columns=tuple(modes),
        rows=tuple(rows),
    )


def _join_versions(own: Sequence[ClientColumn]) -> Iterator[tuple[list[str], list[ClientColumn]]]:
    """The versions of a client whose cells are the same, and the columns with cells of the first of them."""
    of_version: dict[str, list[ClientColumn]] = defaultdict(list)
    for one in own:
        of_version[one.client.version] += [one] if one.cells else []
    alike: dict[tuple[tuple[str, str, str], ...], list[str]] = defaultdict(list)
    for version, played in of_version.items():
        alike[tuple((one.mode, cell.row.name, cell.word) for one in played for cell in one.cells)].append(version)
    for cells, names in alike.items():
        if cells:
            yield names, of_version[names[0]]


def _outcome_of(cell: Cell) -> DropOutcome:
    """The worse one of both runs."""
    return max((DropOutcome(word) for word in cell.word.split(" or ")), key=RANK.__getitem__)


def _draw_client(column: ClientColumn, number: Callable[[str], int]) -> MatrixCell:
    cells = column.cells
    right, reported, hung, silent = count_cells([column])
    counts = {"passed": right, "reported": reported, "hung": hung, "failed silently": silent}
    listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    wrong = sorted((cell for cell in cells if cell.sentence), key=lambda one: -RANK[_outcome_of(one)])
    return MatrixCell(
        text=f"{right}/{len(cells)}",
        words=f"{column.mode}: {right} of {len(cells)} passed",
        mark=_worst(cells),
        title=f"{name_column(column)}: {listed}. The program had to {column.about}.",
        cases=tuple(
            StripCase(
                sign=LOOKS[_outcome_of(cell)].sign,
                words=f"{cell.row.name}: {cell.word}",
                mark=LOOKS[_outcome_of(cell)].mark,
            )
            for cell in cells
        ),
        entries=tuple(
            MatrixEntry(
                word=cell.word,
                mark=LOOKS[_outcome_of(cell)].mark,
                title=cell.row.about,
                rule=f"{cell.level} {cell.rule}",
                lines=tuple(map(number, (cell.sentence, *cell.timeline))),
                command=cell.command,
            )
            for cell in wrong
        ),
    )


def _worst(cells: Sequence[Cell]) -> Mark:
    """The mark of the worst outcome; what passed in another way than exactly has the mark of what passed."""
    if not any(cell.sentence for cell in cells):
        return mark_of("exact")
    return LOOKS[max(map(_outcome_of, (cell for cell in cells if cell.sentence)), key=RANK.__getitem__)].mark


def _list_newest(columns: Sequence[ClientColumn]) -> list[ClientColumn]:
    """The columns of each client in its newest version."""
    of_client = group_by_client(columns).values()
    return [column for own in of_client for column in own if column.client.version == own[0].client.version]


def _map_faults(columns: Sequence[ClientColumn], modes: Sequence[str], *, incidents: bool) -> OutcomeMatrix | None:
    """A row for each fault or incident: how many clients pass it, in their newest versions."""
    rows: dict[str, TableRow] = {}
    tried: dict[tuple[str, str], list[tuple[ClientColumn, Cell]]] = defaultdict(list)
    for column in _list_newest(columns):
        for cell in (cell for cell in column.cells if cell.row.is_incident == incidents):
            rows.setdefault(cell.row.name, cell.row)
            tried[cell.row.name, column.mode].append((column, cell))
    if not rows:
        return None
    return OutcomeMatrix(
        key="incidents" if incidents else "faults",
        title="Incidents and modes" if incidents else "Faults and modes",
        about="Each figure: clients that pass it, of those that met it in this mode, in their newest versions.",
        corner="Incident" if incidents else "Fault",
        columns=tuple(modes),
        rows=tuple(
            MatrixRow(
                name=row.about.rstrip("."),
                about=name,
                cells=tuple(_draw_fault(row, mode, tried.get((name, mode), [])) for mode in modes),
            )
            for name, row in rows.items()
        ),
    )


def _draw_fault(row: TableRow, mode: str, met: Sequence[tuple[ClientColumn, Cell]]) -> MatrixCell | None:
    if not met:
        return None
    passed = sum(not cell.sentence for _, cell in met)
    by_word: dict[str, list[str]] = defaultdict(list)
    for column, cell in sorted(met, key=lambda one: -RANK[_outcome_of(one[1])]):
        by_word[cell.word].append(str(column.client))
    return MatrixCell(
        text=f"{passed}/{len(met)}",
        words=f"{mode}: {passed} of {format_count(len(met), 'client')} passed",
        mark=_worst([cell for _, cell in met]),
        title=f"{row.about.rstrip('.')}, {mode}: {passed} of {format_count(len(met), 'client')} passed.",
        lines=tuple(f"{word}: {', '.join(names)}" for word, names in by_word.items()),
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


# The table of clients as pages: a short one in Markdown, and the maps as one HTML file.


TABLE_FILE = "clients/table.json"
"""Where the table as JSON goes, beside the pages."""

MAP_FILE = "clients/map.html"
"""Where the maps go."""

_HEAD = """# Known clients and network failures

`python -m lab clients` injected each fault and each [incident](incidents.md) into the connection of each client.
[clients/map.html](clients/map.html) shows every case: what the client did, what went over the wire, and the
command that repeats it. [clients/table.json](clients/table.json) has the same as data.

"""


def write_pages(columns: Sequence[ClientColumn]) -> Mapping[str, str]:
    """The pages by path: the counts of each client, and the maps."""
    return {"clients.md": _HEAD + write_counts(columns) + write_key(columns), MAP_FILE: render_page(columns)}


def write_counts(columns: Sequence[ClientColumn]) -> str:
    """The counts of each client as Markdown, which docs/clients.md has."""
    return join_lines([*_count_clients(group_by_client(columns)), ""])


def write_key(columns: Sequence[ClientColumn]) -> str:
    """The words for outcomes, and the clients, as Markdown."""
    return join_lines([*_list_parts(columns), ""])


def _count_clients(clients: Mapping[str, Sequence[ClientColumn]]) -> Iterator[str]:
    yield from (Markdown("## At a glance"), "")
    yield "The figures count the cases of all modes that a client, in its newest version, was run with."
    yield ""
    yield Markdown("| Client | Passed | Reported | Hung | **Failed silently** |")
    yield Markdown("|---|--:|--:|--:|--:|")
    cell = Markdown(" | ")
    for name, own in clients.items():
        right, *others = count_cells(_list_newest(own))
        cells = [Markdown(name), f"{right} of {right + sum(others)}", *map(str, others)]  # the name of one of ours
        yield Markdown("| {} |").format(cell.join(cells))
    yield ""


def _list_parts(columns: Sequence[ClientColumn]) -> Iterator[str]:
    yield from (Markdown("## The outcomes"), "", Markdown("| Word | Meaning |"), Markdown("|---|---|"))
    used = {outcome for column in columns for cell in column.cells for outcome in cell.word.split(" or ")}
    for outcome in (one for one in DropOutcome if one in used):
        word = Markdown("**{}**" if outcome in SILENT else "{}").format(outcome)
        yield Markdown("| {} | {} |").format(word, Markdown(MEANINGS[outcome]))
    yield from ("", Markdown("## The clients"), "")
    yield from map(_describe_client, group_by_client(columns).values())
    if failed := [column for column in columns if column.problem]:
        yield from ("", Markdown("## Not tested"), "")
        for column in failed:
            yield Markdown("- {}").format(f"{name_column(column)}: {column.problem.splitlines()[0]}")


def _describe_client(columns: Sequence[ClientColumn]) -> Markdown:
    client = columns[0].client
    packages = list_packages(columns)
    needs = f", with {', '.join(client.needs)}" if client.needs else ""
    sources = Markdown(" and ").join(map(write_code, packages))
    where = Markdown(" Installed from {}{}.").format(sources, needs) if packages else ""
    own = Markdown(f": {client.about}."), Markdown(f" {client.note}" if client.note else "")  # of a table of ours
    driver = Markdown(f"[driver](clients/drivers/{client.driver})")
    return Markdown("- **{}**{}{}{} ({})").format(Markdown(client.name), own[0], where, own[1], driver)
