"""`python -m lab clients`: the clients that have a driver, and the table of how each handles each fault."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.benches.client.client_commands import Client
from harness.benches.client.ready import READY, ReadyClient, environments_folder, find_ready, is_installed
from harness.benches.client.ready import install as install_ready
from harness.cli.commands.torture import STARTING, TIMEOUT, new_client
from harness.cli.options import parse_list
from harness.cli.output import say
from harness.errors import UsageFault
from harness.interactions.clients import CLIENTS
from harness.outcome import FIRST_WORDS, Exit
from harness.outcome.words import format_count
from lab.clients.page import TABLE_FILE, write_pages
from lab.clients.survey import TABLES, ClientColumn, list_modes, list_row_names, rows_of, survey
from lab.clients.table import column_lines, format_compact, is_silent, list_lines, make_record, read_columns

_INTERRUPTED = "not run: the run was interrupted"


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab clients",
        description="Run known clients against one case of each fault and each incident; print what each did.",
        epilog="exit codes: 0 finished, with any outcome; 2 usage; 3 no client was tested; 130 interrupted",
    )
    parser.add_argument("names", nargs="*", metavar="NAME[==VERSION]", help="names of clients (default: all)")
    parser.add_argument("--mode", metavar="LIST", help="run only these modes, such as create,poll")
    parser.add_argument(
        "--rows", metavar="LIST", help="run only these faults and incidents, such as reset,clean-end"
    )
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT, help="seconds for each case (default: %(default)g)"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="parallel clients (default: 2)")
    recorded = "run nothing: take the tables of earlier `--json` files, or docs/clients/table.json (repeatable)"
    parser.add_argument("--from", dest="recorded", type=Path, action="append", metavar="JSON", help=recorded)
    write = "write clients.md, clients/map.html and clients/table.json there"
    parser.add_argument("--write", type=Path, metavar="FOLDER", help=write)
    parser.add_argument("--json", action="store_true", help="print the table as JSON, all else to standard error")
    parser.add_argument("--list", action="store_true", help="list the clients and run nothing")
    parser.add_argument("--offline", action="store_true", help="exclude clients that are not installed")
    return parser


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code 0 whatever the clients do: the table states facts."""
    options = _build_parser().parse_args(words)
    clients = [find_ready(name) for name in options.names]
    clients = clients or [replace(one, version=version) for one in READY for version in (one.version, *one.last)]
    if options.list:
        for line in list_lines({client.name for client in clients}):
            print(line)
        print(f"\nEach is installed below {environments_folder()}: delete its folder there to remove it.")
        return Exit.OK
    if options.write is not None and not options.write.is_dir():
        raise UsageFault(f"--write: there is no folder {str(options.write)!r}: create it, or name another one")
    code = Exit.OK
    if options.recorded:
        if options.names or options.mode or options.rows:
            raise UsageFault("NAME, --mode and --rows select cases, but --from runs none: remove them")
        modes = CLIENTS.load_client_model().modes
        columns = read_columns(options.recorded, {name: mode.about for name, mode in modes.items()})
    else:
        columns, interrupted = _play(clients, options)
        ran = any(column.cells for column in columns)
        code = Exit.INTERRUPTED if interrupted else Exit.OK if ran else Exit.NOTHING_RAN
    record = make_record(columns)
    if options.write is not None:
        (options.write / "clients").mkdir(exist_ok=True)
        for name, text in {**write_pages(columns), TABLE_FILE: format_compact(record)}.items():
            (options.write / name).write_text(text, "utf-8")
    if options.json:
        sys.stdout.write(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(_conclude(columns, code), file=sys.stderr if options.json else sys.stdout)
    return code


def _conclude(columns: Sequence[ClientColumn], code: Exit) -> str:
    """The last line: the table states facts, so it passes whatever the clients do, and counts what they did."""
    if code is Exit.NOTHING_RAN:
        return f"{FIRST_WORDS[code]}: no client could be tested; the reason stands beside each."
    cells = [cell for column in columns for cell in column.cells]
    tested = len({(column.client.name, column.client.version) for column in columns if column.cells})
    of = f"{format_count(len(cells), 'case')} of {format_count(tested, 'client')}"
    return f"{FIRST_WORDS[code]}: the table has {of}; in {sum(map(is_silent, cells))} the client failed silently."


def _play(clients: Sequence[ReadyClient], options: argparse.Namespace) -> tuple[list[ClientColumn], bool]:
    """The columns, each shown when it is known, and whether the run was interrupted before it had all of them."""
    modes = parse_list("--mode", options.mode, list(TABLES)) or list(TABLES)
    rows = parse_list("--rows", options.rows, list_row_names(CLIENTS)) if options.rows else []
    chosen = [
        client for client in clients if any(rows_of(CLIENTS, mode, rows) for mode in modes if mode in client.modes)
    ]
    if not chosen:
        named = f"{', '.join(rows)} in the mode " if rows else "the mode "
        raise UsageFault(
            f"no case of {named}{', '.join(modes)} applies to these clients: `--list` has their modes"
        )

    def install(client: ReadyClient) -> Callable[[], Client]:
        if options.offline and not is_installed(client):
            raise UsageFault(f"{client.pinned} is not installed, and --offline installs nothing: run without it")
        command = install_ready(client, tell=lambda text: say(f"harness: {text}", to_errors=True))
        return new_client(command, loop=client.loops, starting=STARTING, is_ready=True)

    columns: list[ClientColumn] = []
    tell = partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    try:
        for column in survey(
            CLIENTS, chosen, install, modes=modes, only=rows, jobs=options.jobs, seconds=options.timeout
        ):
            columns.append(column)
            for line in column_lines(column):
                tell(line)
    except KeyboardInterrupt:  # a whole run takes an hour, so what it has is kept
        planned = [(client, mode) for client in chosen for mode in list_modes(CLIENTS, client, modes, rows)]
        columns += [
            ClientColumn(client=client, mode=mode, problem=_INTERRUPTED)
            for client, mode in planned[len(columns) :]
        ]
        print("lab: interrupted: the table contains only the cases that were run", file=sys.stderr)
        return columns, True
    return columns, False
