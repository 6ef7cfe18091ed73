"""`python -m lab golden`: record every output of the commands; `diff -ru` compares two recordings."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.outcome import Exit, UsageFault
from lab.golden.catalogue import catalogue
from lab.golden.record import gateway_mutants, record_all


def run(words: Sequence[str]) -> int:
    """Run one command."""
    arguments = _parser().parse_args(words)
    only = arguments.only
    items = [
        item
        for item in catalogue(gateway_mutants())
        if only is None or any(fnmatch.fnmatchcase(item.name, glob) for glob in only)
    ]
    if not items:
        raise UsageFault(f"no item is named {' or '.join(only)}: `python -m lab golden list` names them")
    if arguments.command == "list":
        _say("\n".join(item.name for item in items))
        return Exit.OK
    skipped = record_all(items, arguments.folder, arguments.jobs, _say)
    _say(f"{len(items) - len(skipped)} items recorded, {len(skipped)} skipped")
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab golden", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="run the items and write what they print")
    record.add_argument("folder", type=Path)
    record.add_argument("--jobs", type=int, default=2, help="items to run at once (default: 2)")
    for command in (record, commands.add_parser("list", help="name the items")):
        command.add_argument("--only", nargs="+", metavar="NAME", help="only these items; globs are fine")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
