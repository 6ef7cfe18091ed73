"""The options that name a baseline and rewrite it, the same for every command that judges.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path

from harness.cli.masking import mask_text
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
    if arguments.baseline_update:
        _refuse_shortened(arguments)
    if arguments.baseline_update and not path.exists():
        return Baseline()
    return read_baseline(path, known, is_known=is_known)


def _refuse_shortened(arguments: argparse.Namespace) -> None:
    """Raise UsageFault for options with which a run leaves out what it would find."""
    for name in ("fail_fast", "enough"):
        if getattr(arguments, name, None):
            option = f"--{name.replace('_', '-')}"
            raise UsageFault(
                f"--baseline-update needs the whole run, and {option} ends it early: leave one of them out"
            )


def finish(arguments: argparse.Namespace, old: Baseline, finished: RunFinished, *, vacuous: bool = False) -> Exit:
    """The exit code of a finished run; if the baseline is to be rewritten, the one it has under the new one.

    A run that was not whole rewrites nothing: the file would say of what nobody saw that it is in order. Of one
    that was interrupted, standard error says so, too: its output may be a file.
    """
    if finished.exit is Exit.INTERRUPTED:
        say("harness: interrupted", to_errors=True)
    if not (arguments.baseline_update or arguments.baseline_prune):
        return finished.exit
    if gap := _find_gap(finished):
        say(
            f"baseline {arguments.baseline}: left as it was, because the run was not whole: {mask_text(gap)}",
            to_errors=arguments.json,
        )
        return finished.exit
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
    return code


def _find_gap(finished: RunFinished) -> str:
    """Why a run does not say all that it would say of its target; `""` if it does."""
    if finished.holes:
        return finished.holes[0]
    if finished.halted:
        return finished.halted
    return _NOT_WHOLE.get(finished.exit, "")


_NOT_WHOLE = {
    Exit.NOTHING_RAN: "nothing was judged",
    Exit.HARNESS_ERROR: "the harness itself erred",
    Exit.INTERRUPTED: "it was interrupted",
}
