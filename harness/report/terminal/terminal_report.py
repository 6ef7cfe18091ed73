"""The report that a person watches: what was probed, a progress line, a block for each failure, the totals.

Layer 6. The same for every command; what it says is worded by the `Presentation`. Drawing on the terminal is left
to `screen`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

from harness.engine.capabilities import Capabilities
from harness.engine.events import (
    CheckFinished,
    ExerciseStarted,
    PhaseFinished,
    Planned,
    Probed,
    Progressed,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    Waiting,
)
from harness.engine.results import Result
from harness.engine.traffic.retries import format_refusal
from harness.outcome import Verdict
from harness.outcome.words import format_count
from harness.report.capability_text import list_each, sum_up
from harness.report.causes import FAILING
from harness.report.evidence.evidence_text import count_evidence, logs
from harness.report.presented_run import PresentedRun
from harness.report.terminal.result_printer import ResultPrinter
from harness.report.terminal.screen import Heartbeat, Screen, format_seconds
from harness.report.terminal.summary_printer import SummaryPrinter
from harness.wire import Exchange

_SURE_AFTER = 3
"""Exercises after which the time left can be told."""


class TerminalReport:
    """Writes during the run. With `verbose` it explains each failure and warning and names every result.

    With 2, each explanation has all exchanges in full. It is never silent for long (`screen.PAUSE`).
    """

    def __init__(
        self,
        out: TextIO,
        state: PresentedRun,
        *,
        colour: bool = False,
        verbose: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = Screen(out, colour=colour, now=now)
        self._now = now
        self._since = now()
        self._heartbeat: Heartbeat | None = None
        self._state = state
        self._presentation = state.presentation
        self._verbose = bool(verbose)
        self._results = ResultPrinter(self._screen, state, verbose)
        self._summary = SummaryPrinter(self._screen, state, self._results, verbose=self._verbose)
        self._exercises = 0
        self._begun = self._failed = 0
        self._names: set[str] = set()
        self._waits = 0
        self._lock = threading.Lock()

    def handle(self, event: RunEvent) -> None:
        """React to one event; the state must have handled it already, except for `Waiting`."""
        with self._lock:
            self._handle(event)

    def close(self) -> None:
        """Say nothing more by itself; a run that finishes does this, too."""
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _beat(self) -> None:
        with self._lock:
            self._screen.break_silence()

    def _handle(self, event: RunEvent) -> None:  # noqa: C901 - one case an event: the match is the table
        match event:
            case RunStarted():
                self._heartbeat = Heartbeat(self._beat)
                self._screen.lines(self._presentation.opening(self._state))
            case Probed(capabilities, requests, notes):
                self._tell_capabilities(capabilities, requests)
                self._screen.lines(f"note: {self._mask_text(note)}" for note in notes)
            case Planned(_, exercises):
                self._exercises = exercises
                self._since = self._now()
                self._screen.lines(self._presentation.format_plan(event))
            case ExerciseStarted(name):
                self._show_progress(name)
            case Waiting(seconds, refusal):
                self._tell_wait(seconds, refusal)
            case Progressed():
                self._screen.draw(_format_progress(event))
            case CheckFinished(result):
                self._count_result(result)
            case PhaseFinished():
                self._screen.lines(self._presentation.phase(event, self._state))
            case RunStopped():
                self._print_stop(event)
            case RunFinished():
                self.close()
                self._summary.print_end(event)

    def _mask_text(self, text: str) -> str:
        return self._state.mask.show(text)

    def _show_progress(self, name: str) -> None:
        self._begun += 1
        said = self._presentation.progress(name, again=name in self._names)
        self._names.add(name)
        done = min(self._begun, self._exercises)
        self._screen.draw(f"[{done}/{self._exercises}] {said}{self._describe_progress(done - 1, self._exercises)}")

    def _describe_progress(self, done: int, total: int) -> str:
        """What failed so far, and about how long the rest takes."""
        failed = f", {self._failed} failed" if self._failed else ""
        if done < _SURE_AFTER or total <= done:
            return failed
        left = (self._now() - self._since) / done * (total - done)
        return f"{failed}, about {format_seconds(left)} left" if left >= 1 else failed

    def _tell_wait(self, seconds: float, refusal: Exchange) -> None:
        if not self._waits:
            first = self._mask_text(format_refusal(refusal))
            self._screen.line(f"the target asks us to wait: {first}; what it refuses for now is asked again")
        self._waits += 1
        where = f"[{self._begun}/{self._exercises}] " if self._exercises else ""
        self._screen.draw(f"{where}waits {seconds:.1f} s ({refusal.status})")

    def _tell_capabilities(self, capabilities: Capabilities, requests: int) -> None:
        asked = f"{format_count(requests, 'request')} to find out"
        self._screen.line(f"capabilities ({asked}{'' if self._verbose else '; -v shows the answers'}):")
        paint = self._screen.paint
        self._screen.lines(
            list_each(capabilities, paint, self._mask_text) if self._verbose else sum_up(capabilities, paint)
        )

    def _print_stop(self, stopped: RunStopped) -> None:
        self._screen.line(f"stopped early: {self._mask_text(stopped.reason)}")
        for log in logs([stopped.evidence], self._state.display):
            self._screen.line(f"  {count_evidence([stopped.evidence]).partition(' ')[2]} {log.name}:".rstrip())
            for line in log.lines:
                self._screen.line(f"    {line}", whole=True)

    def _count_result(self, result: Result) -> None:
        if self._presentation.live:
            self._failed += result.verdict in FAILING
            self._results.print_brief(result)
        else:
            self._begun += bool(self._state.planned.checks)
            self._failed += result.verdict is Verdict.FAIL
            line = (
                self._presentation.format_result(result, self._state, self._screen.paint) if self._verbose else ""
            )
            self._screen.lines([line] if line else [])
            if 0 < self._begun <= (total := self._state.planned.checks):
                so_far = self._describe_progress(self._begun, total)
                self._screen.draw(f"[{self._begun}/{total}] {self._mask_text(result.id)}{so_far}")


def _format_progress(progress: Progressed) -> str:
    counts = ", ".join(f"{number} {word}" for word, number in progress.counts.items())
    return f"{progress.name}: {counts}, {format_count(progress.findings, 'finding')}, {progress.seconds:.0f} s"
