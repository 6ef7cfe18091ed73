"""Results on a terminal: each in one line, or explained. Layer 6."""

from __future__ import annotations

import re

from harness.engine.results import Result
from harness.outcome import Accounted, Because, Level, Outcome, Verdict
from harness.report.commands.presentation import COLORS, EXPLAINED
from harness.report.presented_run import PresentedRun
from harness.report.terminal.screen import Screen

_PROSE = re.compile(
    r"\s*(requirement|source|what breaks|accepted|finding|expected|actual|cure|baseline|a cons|blocked)"
)
"""How the lines of an explanation begin that are no evidence: what is to be copied must not be wrapped."""

_ARGUED = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL})
"""Verdicts that -v explains."""


class ResultPrinter:
    """Prints results as they come. With `verbose` it explains each failure and warning; with 2, in full."""

    def __init__(self, screen: Screen, state: PresentedRun, verbose: int) -> None:
        self._screen = screen
        self._state = state
        self._presentation = state.presentation
        self._verbose = bool(verbose)
        self._whole = verbose > 1

    def print_brief(self, result: Result) -> None:
        """Print a result of the run that goes on: what is wrong at once, the rest as far as it is wanted."""
        verdict = result.verdict
        if verdict is Verdict.ERROR or (self._verbose and verdict in _ARGUED):
            self.explain(result)
        elif verdict in EXPLAINED or self._is_told(result):
            tail, more = self._presentation.brief(result, self._state, verbose=self._verbose)
            self._screen.line(self._write_headline(result) + tail)
            self._screen.lines(more)

    def explain(self, result: Result) -> None:
        """Print a result with all that explains it."""
        self._screen.line("")
        self._screen.line(self._write_headline(result))
        text = self._presentation.explain(result, self._state, verbose=self._verbose, whole=self._whole)
        for line in text.split("\n"):
            self._screen.line(f"  {line}" if line else "", whole=not _PROSE.match(line))

    def _is_told(self, result: Result) -> bool:
        if self._verbose:
            return result.outcome is not Accounted.EXCLUDED
        ours = result.observation.because is Because.OUR_LIMIT
        told_at_the_end = ours or (self._state.stopped is not None and result.unjudged)
        return not told_at_the_end and not self._presentation.is_quiet(result, self._state)

    def _write_headline(self, result: Result) -> str:
        label = self._screen.paint(COLORS[result.outcome], f"{result.outcome.word.upper():<11}")
        lenient = result.rule.level is Level.MUST and result.observation.outcome is Outcome.NON_STRICT
        level = f"{result.rule.level}, met in a lenient reading" if lenient else str(result.rule.level)
        error = " (harness error)" if result.verdict is Verdict.ERROR else ""
        return f"{label} {result.id} [{level}] {result.title}{error}"
