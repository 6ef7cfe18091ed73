"""Writes a run that judges, as it goes on: on the terminal, and to the files that `--report` names.

Must not know which command runs.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING

from harness.cli.common_options import OutputOptions, revision_of
from harness.cli.output import STEP_SUMMARY, ReportFiles, say
from harness.cli.printing import GuardedStream
from harness.cli.signal_handling import ENDING, INTERRUPT, handle_signals
from harness.engine.decide import tell_forgotten
from harness.engine.events import CheckFinished, RunEvent, RunFinished, RunStarted, TargetInfo
from harness.engine.traffic.governed_driver import INTERRUPTED
from harness.outcome import Exit, TargetFault
from harness.report.formats import render
from harness.report.screen import INTERRUPTING, wants_colour
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.engine.decide import Baseline
    from harness.engine.results import Result
    from harness.report.commands.presentation import Presentation
    from harness.report.terminal_report import TerminalReport

_LEAVE_OUT = ("allow", "baseline", "capability", "check", "exclude", "kinds", "level", "only", "profile", "set")
"""The keys of a configuration file that decide what is not judged, or does not fail."""

_INTERIM = 10.0
"""How many seconds apart a long run writes its reports as far as it is: if it is killed, these are left."""


class Listeners:
    """The listeners of a run: its state, the terminal unless standard output is for JSON, and the report files.

    An entry of the `baseline` that names no check is reported at the end of the run.
    """

    def __init__(
        self, arguments: OutputOptions, presentation: Presentation, baseline: Baseline | None = None
    ) -> None:
        from harness.interactions import INTERACTIONS
        from harness.report.presented_run import PresentedRun
        from harness.report.terminal_report import TerminalReport

        # `mutants` has no revision, and `verify` takes that of each recording.
        named = getattr(arguments, "revision", None)
        has_one = hasattr(arguments, "revision") and presentation.command != "verify"
        revision = revision_of(named) if has_one else ""
        self.state = PresentedRun(INTERACTIONS, presentation=presentation, revision=revision)
        self.screen: TerminalReport | None = None
        self._baseline = baseline
        presentation.settings = {
            key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            for key, value in arguments.of_file.items()
            if key in _LEAVE_OUT
        }
        self._begun = self._written = time.monotonic()
        self._results: list[Result] = []
        self._is_interrupted = False
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
        """Pass one event on."""
        if isinstance(event, CheckFinished):
            self._results.append(event.result)
        for each in (event,) if self._baseline is None else tell_forgotten(event, self._baseline):
            self.state.handle(each)
            if isinstance(each, RunFinished):  # an error of writing comes before the verdict
                self._write_files()
            if self.screen is not None:
                self.screen.handle(each)
        if isinstance(event, CheckFinished) and time.monotonic() - self._written >= _INTERIM:
            interim = copy.copy(self.state)
            interim.handle(self._end_with(Exit.INTERRUPTED, "the run was killed"))
            self._files.write(lambda name: render(name, interim), interim=True)
            self._written = time.monotonic()

    def _end_with(self, code: Exit, halted: str) -> RunFinished:
        """The last event of a run that ended before it could tell so: with the results until now."""
        return RunFinished(tuple(self._results), time.monotonic() - self._begun, code, halted=halted)

    def follow(
        self,
        events: Generator[RunEvent, None, None],
        prepare: Callable[[RunEvent], object] = lambda _: None,
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
        if not self._is_interrupted:
            self._is_interrupted = True
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

    def _write_files(self) -> None:
        if self.screen is not None:
            self.screen.close()
        self._files.write(lambda name: render(name, self.state))

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
