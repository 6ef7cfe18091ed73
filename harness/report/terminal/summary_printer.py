"""The end of a run on a terminal: what failed, the totals, what is left behind, what was not judged, the headline.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.engine.events import RunFinished
from harness.engine.results import Result
from harness.engine.traffic.retries import Waited
from harness.engine.traffic.timeout_budget import TimeoutLosses
from harness.outcome import Level, Reason, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.causes import describe, find_causes
from harness.report.commands.presentation import COLORS
from harness.report.evidence.curl import curl
from harness.report.presented_run import PresentedRun
from harness.report.terminal.result_printer import ResultPrinter
from harness.report.terminal.screen import Screen, count_seen
from harness.wire.control_characters import escape_controls

_LEFT_SHOWN = 5
"""Most things left behind that are named one by one."""

_LOST_SHOWN = 3
"""Most requests that are printed which a target got last."""

_SILENT = " (* no client can detect it)"

_LISTED = 60
"""Most failures that are listed at the end."""


class SummaryPrinter:
    """Prints the end of a run. `verbose`: the failures were explained as they came."""

    def __init__(self, screen: Screen, state: PresentedRun, results: ResultPrinter, *, verbose: bool) -> None:
        self._screen = screen
        self._state = state
        self._presentation = state.presentation
        self._results = results
        self._verbose = verbose

    def print_end(self, finished: RunFinished) -> None:
        """Print what a finished run comes to."""
        self._screen.erase()
        self._screen.lines(self._presentation.closing(self._state, self._screen.paint, verbose=self._verbose))
        self._list_failures()
        self._list_holes(finished)
        self._screen.line("")
        self._screen.line(self._presentation.write_totals(self._state, self._screen.paint))
        if finished.waited.times:
            self._screen.line(_describe_wait(finished.waited))
        for path in finished.leftovers[:_LEFT_SHOWN]:
            self._screen.line(f"left behind (its deletion failed): {self._mask_text(path)}")
        if (more := len(finished.leftovers) - _LEFT_SHOWN) > 0:
            self._screen.line(f"left behind, too: {more} more, which the JSON report names")
        if finished.cut.hurried or finished.cut.unsent:
            self._screen.line(self._state.mask.text(_describe_cut(finished.cut)))
        if finished.halted:
            self._screen.line(f"the run ended early: {self._mask_text(finished.halted)}")
        presentation, state = self._presentation, self._state
        if reasons := presentation.accounting(state).write_reasons(hint=not self._verbose):
            self._screen.line(self._mask_text(reasons))
        self._screen.lines(map(self._mask_text, presentation.details(state)))
        self._screen.lines(map(self._mask_text, presentation.notes(state)))
        if presentation.live and not self._verbose:
            self._screen.lines(_name_what_v_adds(finished))
        self._screen.line(self._mask_text(str(presentation.verdict(state))))

    def _mask_text(self, text: str) -> str:
        return self._state.mask.show(text)

    def _list_holes(self, finished: RunFinished) -> None:
        """What kept the run from judging, and how to send again what a target got last before it was gone."""
        if finished.holes:
            self._screen.line("")
        self._screen.lines(self._mask_text(hole) for hole in finished.holes)
        for lost in finished.lost[:_LOST_SHOWN]:
            command = curl(lost.request, self._state.display)
            for line in escape_controls(command).split("\n"):
                self._screen.line(f"  {line}", whole=True)

    def _list_failures(self) -> None:
        """The worst failure in full, and a line for each: the worst first."""
        causes = find_causes(self._state)
        failed = [result for cause in causes for result in cause.results]
        if self._presentation.live:
            if (worst := _worst_of(failed)) is not None and not self._verbose:
                self._screen.lines(["", "the worst failure:"] if len(failed) > 1 else [])
                self._results.explain(worst)
            lines = [self._write_one_line(result) for result in failed]
        else:
            listed = [cause for cause in causes if self._presentation.lists_causes or cause.is_stale]
            lines = [f"  {cause.key} ({cause.counts}): {cause.title}" for cause in listed]
        unnamed = not self._presentation.live and any(cause.is_stale for cause in causes)
        if len(lines) > 1 or unnamed:
            self._screen.line("")
            starred = any(map(_is_silent, failed)) and self._presentation.live
            self._screen.line(f"failures, the worst first{_SILENT if starred else ''}:")
            self._screen.lines(self._fit(line) for line in lines[:_LISTED])
        if len(lines) > _LISTED:
            self._screen.line(f"  … and {len(lines) - _LISTED} more, which the reports name")

    def _write_one_line(self, result: Result) -> str:
        error = result.reason is Reason.HARNESS_ERROR
        word = self._screen.paint(COLORS[result.outcome], f"{'error' if error else result.outcome.word:<6}")
        level = "" if result.rule.level is Level.MUST else f" [{result.rule.level}]"
        return f"  {word} {result.id}{'*' if _is_silent(result) else ''}{level}: {describe(result, self._state)}"

    def _fit(self, line: str) -> str:
        """A line that the terminal does not wrap; in a log it is left whole."""
        columns = self._screen.columns
        unseen = len(line) - count_seen(line)
        return line if columns is None else shorten(line, columns - 1 + unseen)


def _name_what_v_adds(finished: RunFinished) -> Iterator[str]:
    counts = finished.counts
    brief = ["warning"] * bool(counts[Verdict.WARN]) + ["failure"] * (counts[Verdict.FAIL] > 1)
    if brief:
        yield f"-v explains each {' and '.join(brief)}"


def _is_silent(result: Result) -> bool:
    """Whether it is a failure that a client cannot notice."""
    return result.rule.silent and result.verdict is Verdict.FAIL


def _worst_of(failed: Sequence[Result]) -> Result | None:
    """The worst failure of the target; errors of our own were explained when they came."""
    return next((result for result in failed if result.verdict is Verdict.FAIL), None)


def _describe_wait(waited: Waited) -> str:
    return f"waited {waited.seconds:.1f} s in {waited.times} pauses that the target asked for"


def _describe_cut(cut: TimeoutLosses) -> str:
    """What was not asked, or got too little time, because answers did not end; and what to do about it."""
    unsent = f"{format_count(cut.unsent, 'request was', 'requests were')} not sent" if cut.unsent else ""
    hurried = f"{cut.hurried} got less time" if cut.hurried else ""
    return (
        f"{format_count(cut.answers, 'answer')} did not end in time (the first: {cut.first}), so "
        f"{' and '.join(filter(None, (hurried, unsent)))}: the checks that need these were not tested "
        "(-v names them); help: if the target is only slow, raise `--timeout`"
    )
