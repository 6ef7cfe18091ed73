"""The options that name a baseline and rewrite it, the same for every command that judges.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path

from harness.cli.output import require_writable, say
from harness.engine.baseline import Baseline, read_baseline
from harness.engine.decide import exit_with
from harness.engine.events import RunFinished
from harness.outcome import Exit, UsageFault


def add_baseline_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    group.add_argument("--baseline", metavar="FILE", help="file of known, explained failures")
    group.add_argument("--baseline-update", action="store_true", help="add new failures to the baseline file")
    group.add_argument("--baseline-prune", action="store_true", help="remove stale entries from the baseline file")


def baseline_of(
    arguments: argparse.Namespace, known: Collection[str], *, is_known: Callable[[str], bool] = lambda _: False
) -> Baseline:
    """The baseline that the arguments name, empty if none or still to be made. Raises UsageFault."""
    if not arguments.baseline:
        if arguments.baseline_update or arguments.baseline_prune:
            raise UsageFault("--baseline-update and --baseline-prune need --baseline FILE: which file to change")
        return Baseline()
    path = Path(arguments.baseline)
    if arguments.baseline_update or arguments.baseline_prune:
        require_writable(path, "--baseline")
    if arguments.baseline_update and not path.exists():
        return Baseline()
    return read_baseline(path, known, is_known=is_known)


def finish(arguments: argparse.Namespace, old: Baseline, finished: RunFinished, *, vacuous: bool = False) -> Exit:
    """The exit code of a finished run; if the baseline is to be rewritten, the one it has under the new one."""
    if not (arguments.baseline_update or arguments.baseline_prune):
        return _tell_forgotten(arguments, old, finished, finished.exit)
    new = old.with_failures(finished.results, date.today().isoformat()) if arguments.baseline_update else old
    new = new.without_stale(finished.results) if arguments.baseline_prune else new
    added, gone = len(new.entries.keys() - old.entries.keys()), len(old.entries.keys() - new.entries.keys())
    try:
        Path(arguments.baseline).write_text(new.text(), encoding="utf-8")
    except OSError as wrong:
        raise UsageFault(f"the baseline {arguments.baseline} cannot be written: {wrong.strerror}") from None
    code = exit_with(finished.results, new, vacuous=vacuous)
    changed = f"baseline {arguments.baseline}: {added} added, {gone} removed"
    conforms = "conformant" if code == Exit.OK else "still not conformant"
    say(f"{changed}; with it, this run is {conforms}", to_errors=arguments.json)
    return _tell_forgotten(arguments, new, finished, code)


def _tell_forgotten(arguments: argparse.Namespace, baseline: Baseline, finished: RunFinished, code: Exit) -> Exit:
    """The exit code, once each entry is told that names nothing and is not among the results."""
    told = {result.id for result in finished.results}
    forgotten = [entry for entry in baseline.forgotten if entry.id not in told]
    for entry in forgotten:
        stale = f"baseline {arguments.baseline}: an entry is stale, {entry.unknown}"
        say(f"{stale} (--baseline-prune takes it out)", to_errors=arguments.json)
    return Exit.FAILED if forgotten and code is Exit.OK else code
