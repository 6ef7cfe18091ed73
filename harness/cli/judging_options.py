"""The options of the commands that judge: the file of known failures, and the exit code that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from harness.cli.common_options import OutputOptions
from harness.cli.masking import mask_text
from harness.cli.options import PATH, Trust, flag, option
from harness.cli.output import require_writable, say
from harness.engine.decide import Baseline, exit_with, read_baseline, read_last_failed
from harness.engine.events import RunFinished
from harness.outcome import FIRST_WORDS, Exit, UsageFault
from harness.outcome.words import format_count
from harness.written_files import write_file

_NOT_WHOLE = (Exit.NOTHING_RAN, Exit.HARNESS_ERROR, Exit.INTERRUPTED)

EXIT_CODES = """\
exit codes: 0 no unexpected failure · 1 an unexpected failure, or a stale baseline entry · 2 usage ·
3 nothing ran · 4 {} · 5 error in the harness · 130 interrupted"""
"""The end of the help of each command that judges; it completes 4."""


@dataclass(kw_only=True)
class BaselineOptions(OutputOptions):
    """The output of a command that judges, and the file of known failures."""

    baseline: str | None = option(
        "file of known failures, each with a reason", PATH, trust=Trust.INSIDE, group="verdicts", once="reports"
    )
    baseline_update: bool = flag(
        "add new failures to the baseline, and remove stale entries",
        trust=Trust.CALL, group="verdicts", once="reports",
    )  # fmt: skip
    strict: bool = flag("also fail on broken SHOULD rules, unless their source is only inferred", group="verdicts")
    no_config: bool = flag("ignore [tool.harness] of pyproject.toml", trust=Trust.CALL, group="run")


def baseline_of(
    options: BaselineOptions, known: Collection[str], *, is_known: Callable[[str], bool] = lambda _: False
) -> Baseline:
    """The baseline that the options name, empty if none or still to be made. Raises UsageFault."""
    if not options.baseline:
        if options.baseline_update:
            raise UsageFault("--baseline-update needs --baseline FILE")
        return Baseline()
    path = Path(options.baseline)
    if options.baseline_update:
        require_writable(path, "--baseline")
        for name in ("fail_fast", "enough"):
            if getattr(options, name, None):
                early = f"--{name.replace('_', '-')}"
                raise UsageFault(
                    f"--baseline-update needs a complete run, but {early} ends it early: remove one of them"
                )
        if not path.exists():
            return Baseline()
    return read_baseline(path, known, is_known=is_known)


def finish(options: BaselineOptions, old: Baseline, finished: RunFinished, *, vacuous: bool = False) -> Exit:
    """The exit code of a finished run; if the baseline is to be rewritten, the one it has under the new one.

    A run that was not whole rewrites nothing: the file would pass checks that were not tested.
    """
    if not options.baseline_update:
        return finished.exit
    gap = finished.holes[0] if finished.holes else finished.halted
    if gap := gap or (FIRST_WORDS[finished.exit].lower() if finished.exit in _NOT_WHOLE else ""):
        say(
            f"baseline {options.baseline}: unchanged, because the run was incomplete: {mask_text(gap)}",
            to_errors=options.json,
        )
        return finished.exit
    new = old.with_failures(finished.results, date.today().isoformat()).without_stale(finished.results)
    added, gone = len(new.entries.keys() - old.entries.keys()), len(old.entries.keys() - new.entries.keys())
    try:
        write_file(Path(options.baseline or ""), new.text())
    except OSError as wrong:
        say(f"harness: the baseline {options.baseline} cannot be written: {wrong.strerror}", to_errors=True)
        return finished.exit
    code = exit_with(finished.results, new, vacuous=vacuous)
    excused = "no failure is unexpected" if code == Exit.OK else "this run still does not pass"
    changed = f"with baseline {options.baseline} ({added} added, {gone} removed) {excused}"
    say(f"{FIRST_WORDS[code]}: {changed}.", to_errors=options.json)
    return code


def read_again(options: BaselineOptions, run: str, noun: str) -> set[str]:
    """The ids that `--last-failed` runs again, none for everything; standard error has their number."""
    options.refuse(("check", "profile", "kinds"), "and --last-failed exclude each other: use one of them")
    failed = read_last_failed(run)
    wanted = {*failed, *(name for checks in failed.values() for name in checks)}
    what = format_count(len(wanted), noun) if failed else "everything, as no failure is known"
    if "*" in wanted:
        wanted, what = set(), "everything, as no single exercise shows what failed"
    say(f"harness: running {what} (--last-failed)", to_errors=True)
    return wanted
