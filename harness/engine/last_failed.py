"""The failures of the last runs in a folder, so that `--last-failed` runs these alone.

Layer 4. One file in the current folder, by run: the command and its target or client, and the ids of the results
that failed. It has no requests, so a file of a stranger only chooses among what would run anyway.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.documents import read_file
from harness.engine.results import Result
from harness.written_files import make_folder, write_file

FILE = Path(".harness") / "last-failed.json"


def read_last_failed(run: str) -> list[str]:
    """The ids of the results that failed last time; empty if none did, or if nothing is known."""
    return _read().get(run, [])


def note_failed(run: str, results: Iterable[Result]) -> None:
    """Remember which results failed; what had no result this time stays as it was."""
    known = _read()
    failed = dict.fromkeys(known.get(run, []))
    for result in results:
        if result.is_broken:
            failed[result.id] = None
        elif result.judged:
            failed.pop(result.id, None)
    if list(failed) != known.get(run, []):
        with suppress(OSError):  # a folder that cannot be written changes no verdict
            make_folder(FILE.parent)
            write_file(FILE, json.dumps({**known, run: list(failed)}, indent=1) + "\n")


def _read() -> dict[str, list[str]]:
    try:
        value = json.loads(read_file(FILE))
        return {run: [str(name) for name in names] for run, names in value.items()}
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return {}
