"""`python -m tests.golden`: record every output of the commands, and compare two recordings."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.golden.catalogue import catalogue
from tests.golden.compare import differences
from tests.golden.items import Item
from tests.golden.record import gateway_mutants, record_all


def main(words: Sequence[str]) -> int:
    """Run one command. Exit code of `compare`: 0 the same, 1 different."""
    arguments = _parser().parse_args(words)
    if arguments.command == "compare":
        return _compare(arguments.before, arguments.after, arguments.only, arguments.lines)
    items = _chosen(catalogue(gateway_mutants()), arguments.only)
    if arguments.command == "list":
        _say("\n".join(item.name for item in items))
        return 0
    skipped = record_all(items, arguments.folder, arguments.jobs, _say)
    _say(f"{len(items) - len(skipped)} items recorded, {len(skipped)} skipped")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="run the items and write what they print")
    record.add_argument("folder", type=Path)
    record.add_argument("--jobs", type=int, default=2, help="items to run at once (default: 2)")
    compare = commands.add_parser("compare", help="show what differs between two recordings")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.add_argument("--lines", type=int, default=20, help="most lines for an item; 0 for all (default: 20)")
    for command in (record, compare, commands.add_parser("list", help="name the items")):
        command.add_argument("--only", nargs="+", metavar="NAME", help="only these items; globs are fine")
    return parser


def _chosen(items: list[Item], only: Sequence[str] | None) -> list[Item]:
    chosen = [item for item in items if _is_wanted(item.name, only)]
    if not chosen:
        raise SystemExit(f"no item is named {' or '.join(only or ())}: `python -m tests.golden list` names them")
    return chosen


def _is_wanted(name: str, only: Sequence[str] | None) -> bool:
    return only is None or any(fnmatch.fnmatchcase(name, glob) for glob in only)


def _compare(before: Path, after: Path, only: Sequence[str] | None, most: int) -> int:
    for folder in (before, after):
        if not folder.is_dir():
            raise SystemExit(f"{folder} is no folder: record into it first")
    found = [(name, lines) for name, lines in differences(before, after) if _is_wanted(name, only)]
    for name, lines in found:
        _say(f"\n{name}")
        kept = lines[:most] if most else lines
        _say("\n".join(f"  {line}" for line in kept))
        if len(lines) > len(kept):
            _say(f"  … and {len(lines) - len(kept)} more lines")
    _say(f"{len(found)} items differ" if found else "the recordings are the same")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
