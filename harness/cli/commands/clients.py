"""`harness clients`: the clients that have a driver, and the table of what each makes of each fault.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import Parser, count, positive_seconds
from harness.cli.commands.torture import STARTING, install_ready, new_client
from harness.cli.output import say, write_json
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.report.json_report import dump

if TYPE_CHECKING:
    from harness.benches.client.process.client_commands import Client
    from harness.benches.client.ready import ReadyClient

_SECONDS = 15.0


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code 0 whatever the clients do: the table states facts."""
    arguments = _parser().parse(words)
    from harness.benches.client.ready.survey import TABLES, survey
    from harness.report.commands import clients as pages

    if arguments.list:
        for line in pages.list_lines():
            say(line)
        return Exit.OK
    modes = [word.strip() for word in arguments.mode.split(",")] if arguments.mode else list(TABLES)
    if unknown := [mode for mode in modes if mode not in TABLES]:
        raise UsageFault(f"--mode {unknown[0]!r} is none of {', '.join(TABLES)}")
    folder = Path(arguments.write) if arguments.write else None
    if folder is not None and not folder.is_dir():
        raise UsageFault(f"--write: there is no folder {arguments.write!r}")
    columns = []
    chosen = _choose(arguments.names)
    for column in survey(
        INTERACTIONS, chosen, _install, modes=modes, jobs=arguments.jobs, seconds=arguments.timeout
    ):
        columns.append(column)
        for line in pages.column_lines(column):
            say(line, to_errors=arguments.json)
    if not columns:
        raise UsageFault(f"none of these clients has the mode {', '.join(modes)} (see `harness clients --list`)")
    model = INTERACTIONS.load_client_model()
    if arguments.json:
        write_json(pages.record(columns, model))
    if folder is not None:
        (folder / "clients").mkdir(exist_ok=True)
        for name, text in pages.write_pages(columns, model).items():
            (folder / name).write_text(text, "utf-8")
        (folder / pages.TABLE_FILE).write_text(dump(pages.record(columns, model)), "utf-8")
        say(f"written to {folder / 'clients.md'}", to_errors=arguments.json)
    return Exit.OK


def _parser() -> Parser:
    parser = Parser(
        "clients",
        "Play one case of each fault to clients with a driver, and write the table of what they make of it.",
        epilog="exit codes: 0 whatever the clients do · 2 usage",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME[==VERSION]",
        help="only these (default: all, in the newest and last version)",
    )
    parser.add_argument("--list", action="store_true", help="list the clients, run nothing")
    parser.add_argument("--mode", metavar="LIST", help="only create, background, follow or poll")
    parser.add_argument(
        "--timeout", type=positive_seconds, default=_SECONDS, metavar="S", help="limit for each case"
    )
    parser.add_argument("-j", "--jobs", type=count, default=2, metavar="N", help="clients at the same time (2)")
    parser.add_argument(
        "--write", metavar="FOLDER", help="write clients.md there, and a page for each client below clients/"
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON, the rest to standard error")
    return parser


def _choose(names: Sequence[str]) -> list[ReadyClient]:
    from harness.benches.client.ready import READY, find_ready

    if names:
        return [find_ready(name) for name in names]
    return [replace(one, version=version) for one in READY for version in (one.version, *one.last)]


def _install(client: ReadyClient) -> Callable[[], Client]:
    return new_client(install_ready(client), loop=client.loops, starting=STARTING)
