"""The failures of the last runs in a folder, so that `--last-failed` runs these alone.

One file in the current folder, by run: the command and its target or client, and the ids of the results that
failed, each with the checks whose exercises have to run to show it. It has no requests, so a file of a stranger
only chooses among what would run anyway. `harness fuzz` keeps its failures in a `Store` of `search.run`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.documents import read_file
from harness.engine.results import Result
from harness.outcome import Outcome
from harness.written_files import make_folder, write_file

FILE = Path(".harness") / "last-failed.json"


def read_last_failed(run: str) -> dict[str, list[str]]:
    """The ids of the results that failed last time, and what has to run with each: see `Result.shown_by`."""
    return _read().get(run, {})


def note_failed(run: str, results: Sequence[Result]) -> None:
    """Remember which results failed; what had no result this time, or could not show, stays as it was."""
    known = _read()
    failed = dict(known.get(run, {}))
    ran = {result.id for result in results if result.observation.outcome is not Outcome.EXCLUDED}
    ran |= {"*"} if len(ran) == len(results) else set()
    for result in results:
        if result.is_broken:
            failed[result.id] = list(result.shown_by)
        elif result.judged and ran.issuperset(failed.get(result.id, ())):
            failed.pop(result.id, None)
    if failed != known.get(run, {}):
        with suppress(OSError):  # a folder that cannot be written changes no verdict
            make_folder(FILE.parent)
            write_file(FILE, json.dumps({**known, run: failed}, indent=1) + "\n")


def _read() -> dict[str, dict[str, list[str]]]:
    try:
        value = json.loads(read_file(FILE))
        return {
            run: {str(name): [str(check) for check in checks] for name, checks in names.items()}
            for run, names in value.items()
        }
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return {}
