"""Commands that judge: their file of known failures, their lines and reports as the run goes on, their exit code.

Must not know which command runs.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from harness.cli.common_options import OutputOptions, revision_of, selection
from harness.cli.options import PATH, Trust, flag, option
from harness.cli.output import (
    ENDING,
    INTERRUPT,
    STEP_SUMMARY,
    GuardedStream,
    ReportFiles,
    handle_signals,
    mask_text,
    render,
    require_writable,
    say,
)
from harness.engine.decide import Baseline, exit_of, read_baseline, read_last_failed, tell_forgotten, with_baseline
from harness.engine.events import CheckFinished, Result, RunEvent, RunFinished, RunStarted, TargetInfo
from harness.engine.selection import Selection
from harness.engine.traffic.deadline import INTERRUPTED
from harness.files import write_file
from harness.outcome import FIRST_WORDS, Exit, TargetFault, UsageFault
from harness.outcome.words import format_count, list_some
from harness.report.screen import INTERRUPTING, wants_colour
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.report.presented_run import PresentedRun
    from harness.report.terminal_report import TerminalReport

_NOT_WHOLE = (Exit.NOTHING_RAN, Exit.HARNESS_ERROR, Exit.INTERRUPTED)

EXIT_CODES = """\
exit codes: 0 no unexpected failure · 1 an unexpected failure, or a stale baseline entry ·
2 usage, or a report that cannot be written · 3 nothing ran · 4 {} · 5 error in the harness · 130 interrupted"""
"""The end of the help of each command that judges; it completes 4."""


@dataclass(kw_only=True)
class BaselineOptions(OutputOptions):
    """The selection and the output of a command that judges, and the file of known failures."""

    only: Sequence[str] | None = selection(
        "judge only matching rules (repeatable)",
        flags=("-c", "--only"), repeats=True, metavar="GLOB",
    )  # fmt: skip
    exclude: Sequence[str] | None = selection("exclude matching rules (repeatable)", repeats=True, metavar="GLOB")
    baseline: str | None = option(
        "file of known failures, each with a reason", PATH, trust=Trust.INSIDE, group="verdicts", once="reports"
    )
    baseline_update: bool = flag(
        "add new failures to the baseline, and remove stale entries",
        trust=Trust.CALL, group="verdicts", once="reports",
    )  # fmt: skip
    strict: bool = flag("also fail on broken SHOULD rules, unless their source is only inferred", group="verdicts")
    no_config: bool = flag("ignore [tool.harness] of pyproject.toml", trust=Trust.CALL, group="run")

    def selected(self, again: Iterable[str] = (), **more: Any) -> Selection:
        """The selection, of `--last-failed` these ids; `more` are further fields."""
        return Selection(checks=tuple(self.only or again), exclude=tuple(self.exclude or ()), **more)


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


def read_again(options: BaselineOptions, run: str, noun: str) -> set[str]:
    """The ids that `--last-failed` runs again, none for everything; standard error has their number."""
    options.refuse(("profile", "only"), "and --last-failed exclude each other: use one of them")
    failed = read_last_failed(run)
    wanted = {*failed, *(name for checks in failed.values() for name in checks)}
    what = format_count(len(wanted), noun) if failed else "everything, as no failure is known"
    if "*" in wanted:
        wanted, what = set(), "everything, as no single exercise shows what failed"
    say(f"harness: running {what} (--last-failed)", to_errors=True)
    return wanted


_LEAVE_OUT = ("allow", "baseline", "capability", "exclude", "level", "only", "profile", "set")
"""The keys of a configuration file that decide what is not judged, or does not fail."""

_INTERIM = 10.0
"""How many seconds apart a long run writes its reports as far as it is: if it is killed, these are left."""


class Listeners:
    """The listeners of a run: its state, the terminal unless standard output is for JSON, and the report files.

    An entry of the `baseline` that names no check is reported at the end of the run.
    """

    def __init__(self, arguments: BaselineOptions, state: PresentedRun, baseline: Baseline) -> None:
        from harness.report.terminal_report import TerminalReport

        # `mutants` has no revision, and `verify` takes that of each recording.
        named = getattr(arguments, "revision", None)
        has_one = hasattr(arguments, "revision") and state.command != "verify"
        state.revision = revision_of(named) if has_one else ""
        self.state = state
        self.screen: TerminalReport | None = None
        self._baseline = baseline
        self._updates = Path(arguments.baseline or "") if arguments.baseline_update else None
        told = {key: value if isinstance(value, list) else [value] for key, value in arguments.of_file.items()}
        told["capability"] = [one for one in told.get("capability", ()) if one[:1] != "+"]  # asks for more
        state.settings = {
            key: ", ".join(map(str, values)) for key, values in told.items() if key in _LEAVE_OUT and values
        }
        self._begun = self._written = time.monotonic()
        self._results: list[Result] = []
        self.is_interrupted = False
        self._json = bool(arguments.json)
        self._annotates = os.environ.get("GITHUB_ACTIONS") == "true"
        reports = [*(arguments.report or ())]
        summary = os.environ.get(STEP_SUMMARY, "")
        if self._annotates and summary and not any(word.partition("=")[2] == summary for word in reports):
            reports.append(f"markdown={summary}")
        self._files = ReportFiles(reports)
        if not arguments.json:
            colour = wants_colour(sys.stdout, os.environ)
            self.screen = TerminalReport(
                sys.stdout, self.state, colour=colour, verbose=arguments.verbose, quiet=arguments.quiet
            )

    def handle(self, event: RunEvent) -> None:
        if isinstance(event, CheckFinished):
            self._results.append(event.result)
        if isinstance(event, RunFinished) and self._updates:
            event = self._update_baseline(event, self._updates)
        for each in tell_forgotten(event, self._baseline):
            self.state.handle(each)
            if isinstance(each, RunFinished):  # an error of writing comes before the verdict
                missing = self._write_files()
                if missing and each.exit in (Exit.OK, Exit.NOTHING_RAN):
                    each = replace(each, exit=Exit.USAGE, holes=(*each.holes, *missing))
                    self.state.handle(each)
            if self.screen is not None:
                self.screen.handle(each)
        if isinstance(event, CheckFinished) and time.monotonic() - self._written >= _INTERIM:
            interim = copy.copy(self.state)
            interim.handle(self._end_with(Exit.INTERRUPTED, "the run was killed"))
            self._files.write(lambda name: render(name, interim), interim=True)
            self._written = time.monotonic()

    def _update_baseline(self, finished: RunFinished, path: Path) -> RunFinished:
        """Write the failures of a whole run to its file; return its end as the new baseline decides it."""
        if self.screen is not None:
            self.screen.close()
        gap = finished.holes[0] if finished.holes else finished.halted  # it would pass what was not tested
        if gap := gap or (FIRST_WORDS[finished.exit].lower() if finished.exit in _NOT_WHOLE else ""):
            say(
                f"baseline {path}: unchanged, because the run was incomplete: {mask_text(gap)}",
                to_errors=self._json,
            )
            return finished
        old = self._baseline
        new = old.with_failures(finished.results, date.today().isoformat()).without_stale(finished.results)
        added, gone = new.entries.keys() - old.entries.keys(), old.entries.keys() - new.entries.keys()
        write_file(path, new.text())
        names = f" ({list_some(sorted(added), 5)})" if added else ""
        say(f"baseline {path}: {len(added)} added{names}, {len(gone)} removed", to_errors=self._json)
        self._baseline = new
        results = tuple(with_baseline(result, new) for result in finished.results)
        code = exit_of(results, vacuous=any(phase.vacuous for phase in self.state.phases))
        return replace(finished, results=results, exit=code)

    def _end_with(self, code: Exit, halted: str) -> RunFinished:
        """The last event of a run that ended before it could tell so: with the results until now."""
        return RunFinished(tuple(self._results), time.monotonic() - self._begun, code, halted=halted)

    def follow(
        self, events: Generator[RunEvent, None, None], prepare: Callable[[RunEvent], object] = lambda _: None
    ) -> RunFinished:
        """Pass on all events of a run, each after `prepare`; then write the reports and return the last event.

        An interrupt is thrown into the run, which may come to an end of its own with what it has. One that does
        not is ended here, with the results so far. An event is passed on even if `prepare` was interrupted.
        """
        with (
            handle_signals(self._interrupt, INTERRUPT, *ENDING),
            closing(events),
            closing(self.screen) if self.screen else nullcontext(),
        ):
            event = next(events, None)
            while event is not None:
                try:
                    try:
                        prepare(event)
                    finally:
                        self.handle(event)
                    event = next(events, None)
                except KeyboardInterrupt:
                    event = self._end_early(events)
        return self.write()

    def _interrupt(self, number: int) -> None:
        """End the run; of the first interrupt its user learns at once, though the output may be a file."""
        if not self.is_interrupted:
            self.is_interrupted = True
            if self.screen is not None and sys.stdout.isatty():
                self.screen.note_interrupt()
            else:
                say(INTERRUPTING, to_errors=True)
        raise KeyboardInterrupt

    def _end_early(self, events: Generator[RunEvent, None, None]) -> RunEvent | None:
        """The next event of an interrupted run, its end at the latest. Raises KeyboardInterrupt if it was over."""
        try:
            return events.throw(KeyboardInterrupt)
        except KeyboardInterrupt:
            if self.state.finished is not None:
                raise
            return self._end_with(Exit.INTERRUPTED, INTERRUPTED)

    @contextmanager
    def reporting_faults_of(self, target: TargetInfo) -> Iterator[None]:
        """If the target gives a run nothing to judge, write the reports of that, and pass the fault on."""
        try:
            yield
        except TargetFault as fault:
            self.state.handle(RunStarted(target))
            self._results.clear()
            self.state.handle(self._end_with(Exit.INCOMPLETE, str(fault)))
            self._write_files()
            self.write()
            raise

    def _write_files(self) -> list[str]:
        if self.screen is not None:
            self.screen.close()
        return self._files.write(lambda name: render(name, self.state))

    def write(self) -> RunFinished:
        """Write what programs read of a finished run; return its last event."""
        if self._json:
            sys.stdout.write(render("json", self.state))
        if self._annotates:
            from harness.report.annotations import list_annotations

            stream = sys.stderr if self._json else sys.stdout
            for line in map(escape_controls, list_annotations(self.state)):
                if isinstance(stream, GuardedStream):  # every other line is kept from being a command
                    stream.write_command(line)
                else:
                    stream.write(line + "\n")
        return self.state.whole()[1]
