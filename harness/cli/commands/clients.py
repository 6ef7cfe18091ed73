"""`harness clients`: the clients that have a driver, and the table of what each makes of each fault.

Layer 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import read_options
from harness.cli.common_options import json_option, report_option
from harness.cli.masking import mask_text
from harness.cli.options import (
    COUNT,
    FOLDER,
    PATH,
    POSITIVE_SECONDS,
    PROGRAM,
    Options,
    Page,
    Trust,
    argument,
    flag,
    option,
    parse_list,
)
from harness.cli.output import ReportFiles, say, write_json
from harness.cli.tested_clients import STARTING, TIMEOUT, install_ready, new_client
from harness.interactions import INTERACTIONS
from harness.outcome import FIRST_WORDS, Exit, UsageFault
from harness.outcome.words import format_count
from harness.report.formats import dump
from harness.written_files import find_way_out, make_folder, write_file

if TYPE_CHECKING:
    from harness.benches.client.client_commands import Client
    from harness.benches.client.ready import ReadyClient
    from harness.benches.client.ready.survey import ClientColumn

_INTERRUPTED = "not run: the run was interrupted"
_FORMATS = ("html", "json", "junit", "markdown")


_PACKAGES = "packages of the clients (pip and npm install them once)"


@dataclass(kw_only=True)
class ClientsArguments(Options):
    """The options of `harness clients`."""

    names: Sequence[str] = argument(
        "names of clients (default: all)",
        PROGRAM, nargs="*", default=(), metavar="NAME[==VERSION]", trust=Trust.CALL, completes="client",
    )  # fmt: skip
    mode: str | None = option(
        "run only these modes, such as create,poll", metavar="LIST", shown="all modes of each client; see --list"
    )
    rows: str | None = option("run only these faults and incidents, such as reset,clean-end", metavar="LIST")
    timeout: float = option("limit for each case", POSITIVE_SECONDS, TIMEOUT)
    jobs: int = option("parallel clients", COUNT, 2, flags=("-j", "--jobs"))
    recorded: Sequence[str] | None = option(
        "run nothing: print the table of earlier `--report json` files (repeatable)",
        PATH, flags=("--from",), repeats=True, metavar="JSON", trust=Trust.CALL,
    )  # fmt: skip
    write: str | None = option(
        "write clients.md, clients/map.html and clients/table.json there",
        FOLDER, metavar="FOLDER", trust=Trust.CALL, group="output",
    )  # fmt: skip
    report: Sequence[str] | None = report_option(_FORMATS, "output")
    json: bool = json_option("print the table as JSON, and other output to standard error", "output")
    list: bool = flag(
        "list the clients and the installed packages, and run nothing", trust=Trust.CALL, group=_PACKAGES
    )
    offline: bool = flag("install nothing, and exclude clients that are not installed", group=_PACKAGES)
    remove: bool = flag(
        "remove the installed packages of these clients, or of all", trust=Trust.CALL, group=_PACKAGES
    )

    page = Page(
        "clients",
        ("harness clients --list", "harness clients google-genai --rows reset,clean-end"),
        groups=("output", _PACKAGES),
        notes="exit codes: 0 finished, with any outcome · 2 usage · 3 no client was tested · 130 interrupted",
    )


OPTIONS = ClientsArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code 0 whatever the clients do: the table states facts."""
    arguments = read_options(ClientsArguments, words)
    if arguments.list:
        return _list(frozenset(client.name for client in _choose(arguments.names)))
    if arguments.remove:
        return _remove(_choose(arguments.names))
    folder = Path(arguments.write) if arguments.write else None
    if folder is not None and not folder.is_dir():
        raise UsageFault(f"--write: there is no folder {arguments.write!r}: create it, or name another one")
    if folder is not None:
        _require_no_link_out(folder)
    code = Exit.OK
    if arguments.recorded:
        if arguments.names:
            raise UsageFault(f"{arguments.names[0]} selects cases, but --from runs none")
        arguments.refuse(("mode", "rows"), "selects cases, but --from runs none")
        columns = _read(arguments.recorded)
        files = ReportFiles(arguments.report, _FORMATS)
    else:
        modes, rows = _choose_modes(arguments.mode), _choose_rows(arguments.rows)
        chosen = _choose_clients(arguments.names, modes, rows)
        files = ReportFiles(arguments.report, _FORMATS)
        columns, interrupted = _play(chosen, modes, rows, arguments)
        ran = any(column.cells for column in columns)
        code = Exit.INTERRUPTED if interrupted else Exit.OK if ran else Exit.NOTHING_RAN
    _write(columns, files, folder, arguments, _conclude(columns, code))
    return code


def _conclude(columns: Sequence[ClientColumn], code: Exit) -> str:
    """The last line: the table states facts, so it passes whatever the clients do, and counts what they did."""
    from harness.report.client_table.table import is_silent

    if code is Exit.NOTHING_RAN:
        return f"{FIRST_WORDS[code]}: no client could be tested; the reason stands beside each."
    cells = [cell for column in columns for cell in column.cells]
    failed = sum(map(is_silent, cells))
    tested = len({(column.client.name, column.client.version) for column in columns if column.cells})
    of = f"{format_count(len(cells), 'case')} of {format_count(tested, 'client')}"
    return f"{FIRST_WORDS[code]}: the table has {of}; in {failed} the client failed silently."


def _choose(names: Sequence[str]) -> list[ReadyClient]:
    from harness.benches.client.ready import READY, find_ready

    if names:
        return [find_ready(name) for name in names]
    return [replace(one, version=version) for one in READY for version in (one.version, *one.last)]


def _choose_clients(names: Sequence[str], modes: Sequence[str], rows: Sequence[str]) -> list[ReadyClient]:
    """Those of the clients that meet one of the rows in one of the modes. Raises UsageFault if none does."""
    from harness.benches.client.ready.survey import rows_of

    able = [client for client in _choose(names) if set(client.modes) & set(modes)]
    if not able:
        raise UsageFault(f"none of these clients has the mode {', '.join(modes)} (see `harness clients --list`)")
    chosen = [
        client
        for client in able
        if any(rows_of(INTERACTIONS, mode, rows) for mode in modes if mode in client.modes)
    ]
    if not chosen:
        raise UsageFault(f"no case of {', '.join(rows)} applies to these clients in the mode {', '.join(modes)}")
    return chosen


def _choose_modes(text: str | None) -> list[str]:
    from harness.benches.client.ready.survey import TABLES

    return parse_list("--mode", text, list(TABLES)) or list(TABLES)


def _choose_rows(text: str | None) -> list[str]:
    from harness.benches.client.ready.survey import list_row_names

    return parse_list("--rows", text, list_row_names(INTERACTIONS)) if text else []


def _list(names: frozenset[str]) -> int:
    from harness.benches.client.ready.environments import environments_folder, list_installations
    from harness.report.client_table.table import list_lines

    for line in list_lines(names):
        say(line)
    found = list_installations()
    if found:
        say(f"\ninstalled below {environments_folder()} (`harness clients --remove` removes them):")
    for one in found:
        say(f"  {one.home.name}  {_format_size(one.size)}")
    return Exit.OK


def _remove(clients: Sequence[ReadyClient]) -> int:
    from harness.benches.client.ready.environments import environments_folder, home_of, remove_installations

    removed = remove_installations(map(home_of, clients))
    for one in removed:
        say(f"removed {one.home} ({_format_size(one.size)})")
    if not removed:
        say(f"none of these clients is installed below {environments_folder()}")
    return Exit.OK


def _format_size(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _announce(clients: Sequence[ReadyClient]) -> None:
    """Say what will be installed, before anything is."""
    from harness.benches.client.ready.environments import environments_folder, home_of, is_installed

    missing = {home_of(client) for client in clients if not is_installed(client)}
    if missing:
        say(
            f"harness: pip and npm install {format_count(len(missing), 'environment')} from the network below "
            f"{environments_folder()}, once; --offline excludes them, `harness clients --remove` removes them",
            to_errors=True,
        )


def _read(names: Sequence[str]) -> list[ClientColumn]:
    from harness.report.client_table.table import read_columns

    modes = INTERACTIONS.load_client_model().modes
    columns = read_columns([Path(name) for name in names], {name: mode.about for name, mode in modes.items()})
    return [_mask_column(column) for column in columns]


def _play(
    clients: Sequence[ReadyClient], modes: Sequence[str], rows: Sequence[str], arguments: ClientsArguments
) -> tuple[list[ClientColumn], bool]:
    """The columns, each shown when it is known, and whether the run was interrupted before it had all of them."""
    from harness.benches.client.ready.survey import ClientColumn, list_modes, survey
    from harness.report.client_table.table import column_lines

    if not arguments.offline:
        _announce(clients)

    def install(client: ReadyClient) -> Callable[[], Client]:
        command = install_ready(client, offline=arguments.offline)
        return new_client(command, loop=client.loops, starting=STARTING, is_ready=True)

    columns: list[ClientColumn] = []
    try:
        for column in survey(
            INTERACTIONS, clients, install, modes=modes, only=rows, jobs=arguments.jobs, seconds=arguments.timeout
        ):
            column = _mask_column(column)
            columns.append(column)
            reported = any(other.client == column.client and other.problem for other in columns[:-1])
            shown = replace(column, problem="for the same reason") if reported and column.problem else column
            for line in column_lines(shown):
                say(line, to_errors=arguments.json)
    except KeyboardInterrupt:
        planned = [(client, mode) for client in clients for mode in list_modes(INTERACTIONS, client, modes, rows)]
        columns += [
            ClientColumn(client=client, mode=mode, problem=_INTERRUPTED)
            for client, mode in planned[len(columns) :]
        ]
        say("harness: interrupted: the table contains only the cases that were run", to_errors=True)
        return columns, True
    return columns, False


def _mask_column(column: ClientColumn) -> ClientColumn:
    """The column with the user's keys hidden in requests and results of the clients."""
    cells = (
        replace(cell, sentence=mask_text(cell.sentence), timeline=tuple(map(mask_text, cell.timeline)))
        for cell in column.cells
    )
    return replace(column, problem=mask_text(column.problem), cells=tuple(cells))


def _require_no_link_out(folder: Path) -> None:
    """Raise UsageFault before the run if a link leads a file of the table out of the current folder."""
    from harness.report.client_table.page import MAP_FILE, TABLE_FILE

    for path in (folder / name for name in ("clients.md", MAP_FILE, TABLE_FILE)):
        if why := find_way_out(path):
            raise UsageFault(f"--write: {str(path)!r} cannot be written: {why}")


def _write(
    columns: Sequence[ClientColumn],
    files: ReportFiles,
    folder: Path | None,
    arguments: ClientsArguments,
    verdict: str,
) -> None:
    from harness.report.client_table.markdown import render_junit, render_markdown
    from harness.report.client_table.page import TABLE_FILE, render_page, write_pages
    from harness.report.client_table.table import format_compact, make_record

    renderers: dict[str, Callable[[], str]] = {
        "html": lambda: render_page(columns),
        "json": lambda: dump(make_record(columns)),
        "junit": lambda: render_junit(columns, INTERACTIONS.name),
        "markdown": lambda: render_markdown(columns),
    }
    if arguments.json:
        write_json(make_record(columns))
    if folder is not None:
        make_folder(folder / "clients")
        for name, text in {**write_pages(columns), TABLE_FILE: format_compact(make_record(columns))}.items():
            write_file(folder / name, text)
        say(f"written to {folder / 'clients.md'}", to_errors=arguments.json)
    say(verdict, to_errors=arguments.json)
    files.write(lambda name: renderers[name]())
