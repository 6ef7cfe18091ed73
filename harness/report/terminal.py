"""The report that a person watches: what was probed, a progress line, a block for each failure, the totals.

Layer 6. The same for every command; what it says is worded by the `Presentation`. Drawing on the terminal is left
to `screen`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from harness.engine.traffic.retries import Waited, format_refusal
from harness.engine.traffic.timeout_budget import TimeoutLosses
from harness.outcome import Because, Level, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.capability_text import list_each, sum_up
from harness.report.causes import FAILING, describe, find_causes
from harness.report.commands.presentation import EXPLAINED
from harness.report.evidence.evidence_text import count_evidence, logs
from harness.report.evidence.exchange_text import printable
from harness.report.presented_run import PresentedRun
from harness.report.screen import Heartbeat, Screen, count_seen, format_seconds
from harness.wire import Exchange

_LEFT_SHOWN = 5
"""Most things left behind that are named one by one."""

_UNTESTED_SHOWN = 6
"""Most untested SHOULDs that are named without -v."""

_PROSE = re.compile(
    r"\s*(requirement|source|what breaks|accepted|finding|expected|actual|cure|baseline|a cons|blocked)"
)
"""How the lines of an explanation begin that are no evidence: what is to be copied must not be wrapped."""

_ARGUED = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL})
"""Verdicts that -v explains."""

_SILENT = " (* no client can notice it)"

_LISTED = 60
"""Most failures that are listed at the end."""

_SURE_AFTER = 3
"""Exercises after which the time left can be told."""

COLOUR = {
    Verdict.PASS: "32",
    Verdict.FAIL: "31;1",
    Verdict.ERROR: "35;1",
    Verdict.WARN: "33",
    Verdict.STALE: "31",
    Verdict.XFAIL: "33",
    Verdict.INFO: "36",
}


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
        self._whole = verbose > 1
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

    def _handle(self, event: RunEvent) -> None:
        match event:
            case RunStarted():
                self._heartbeat = Heartbeat(self._beat)
                self._lines(self._presentation.opening(self._state))
            case Probed(capabilities, requests, notes):
                self._capabilities(capabilities, requests)
                self._lines(f"note: {self._text(note)}" for note in notes)
            case Planned(_, exercises):
                self._exercises = exercises
                self._since = self._now()
                self._lines(self._presentation.format_plan(event))
            case ExerciseStarted(name):
                self._progress(name)
            case Waiting(seconds, refusal):
                self._waiting(seconds, refusal)
            case Progressed():
                self._screen.draw(_format_progress(event))
            case CheckFinished(result):
                self._count_result(result)
            case PhaseFinished():
                self._lines(self._presentation.phase(event, self._state))
            case RunStopped():
                self._print_stop(event)
            case RunFinished():
                self._end(event)

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._screen.line(line)

    def _text(self, text: str) -> str:
        return printable(self._state.mask.text(text))

    def _progress(self, name: str) -> None:
        self._begun += 1
        said = self._presentation.progress(name, again=name in self._names)
        self._names.add(name)
        done = min(self._begun, self._exercises)
        self._screen.draw(f"[{done}/{self._exercises}] {said}{self._so_far(done - 1, self._exercises)}")

    def _so_far(self, done: int, total: int) -> str:
        """What failed so far, and about how long the rest takes."""
        failed = f", {self._failed} failed" if self._failed else ""
        if done < _SURE_AFTER or total <= done:
            return failed
        left = (self._now() - self._since) / done * (total - done)
        return f"{failed}, about {format_seconds(left)} left" if left >= 1 else failed

    def _waiting(self, seconds: float, refusal: Exchange) -> None:
        if not self._waits:
            first = self._text(format_refusal(refusal))
            self._screen.line(f"the target asks us to wait: {first}; what it refuses for now is asked again")
        self._waits += 1
        where = f"[{self._begun}/{self._exercises}] " if self._exercises else ""
        self._screen.draw(f"{where}waits {seconds:.1f} s ({refusal.status})")

    def _capabilities(self, capabilities: Capabilities, requests: int) -> None:
        asked = f"{format_count(requests, 'request')} to find out"
        self._screen.line(f"capabilities ({asked}{'' if self._verbose else '; -v shows the answers'}):")
        paint = self._screen.paint
        self._lines(list_each(capabilities, paint, self._text) if self._verbose else sum_up(capabilities, paint))

    def _print_stop(self, stopped: RunStopped) -> None:
        self._screen.line(f"stopped early: {self._text(stopped.reason)}")
        for log in logs([stopped.evidence], self._state.display):
            self._screen.line(f"  {count_evidence([stopped.evidence]).partition(' ')[2]} {log.name}:".rstrip())
            for line in log.lines:
                self._screen.line(f"    {line}", whole=True)

    def _count_result(self, result: Result) -> None:
        if self._presentation.live:
            self._failed += result.verdict in FAILING
            self._result(result)
        else:
            self._begun += bool(self._state.planned.checks)
            self._failed += result.verdict is Verdict.FAIL
            line = (
                self._presentation.format_result(result, self._state, self._screen.paint) if self._verbose else ""
            )
            self._lines([line] if line else [])
            if 0 < self._begun <= (total := self._state.planned.checks):
                so_far = self._so_far(self._begun, total)
                self._screen.draw(f"[{self._begun}/{total}] {self._text(result.id)}{so_far}")

    def _result(self, result: Result) -> None:
        verdict = result.verdict
        if verdict is Verdict.ERROR or (self._verbose and verdict in _ARGUED):
            self._explain(result)
        elif verdict in EXPLAINED or self._is_told(result):
            tail, more = self._presentation.brief(result, self._state, verbose=self._verbose)
            self._screen.line(self._headline(result) + tail)
            self._lines(more)

    def _explain(self, result: Result) -> None:
        self._screen.line("")
        self._screen.line(self._headline(result))
        text = self._presentation.explain(result, self._state, verbose=self._verbose, whole=self._whole)
        for line in text.split("\n"):
            self._screen.line(f"  {line}" if line else "", whole=not _PROSE.match(line))

    def _is_told(self, result: Result) -> bool:
        if self._verbose:
            return result.verdict is not Verdict.EXCLUDED
        ours = result.observation.because is Because.OUR_LIMIT
        told_at_the_end = ours or (self._state.stopped is not None and result.unjudged)
        return not told_at_the_end and not self._presentation.is_quiet(result, self._state)

    def _headline(self, result: Result) -> str:
        word = result.verdict.upper().replace("_", " ")
        label = self._screen.paint(COLOUR.get(result.verdict, "2"), f"{word:<10}")
        return f"{label} {result.id} [{result.rule.level}] {result.title}"

    def _end(self, finished: RunFinished) -> None:
        self.close()
        self._screen.erase()
        self._lines(self._presentation.closing(self._state, self._screen.paint, verbose=self._verbose))
        self._list_failures()
        self._lines(self._totals(finished))
        if finished.waited.times:
            self._screen.line(_waits(finished.waited))
        for path in finished.leftovers[:_LEFT_SHOWN]:
            self._screen.line(f"left behind (its deletion failed): {self._text(path)}")
        if (more := len(finished.leftovers) - _LEFT_SHOWN) > 0:
            self._screen.line(f"left behind, too: {more} more, which the JSON report names")
        if finished.cut.hurried or finished.cut.unsent:
            self._screen.line(self._state.mask.text(cut_words(finished.cut)))
        if finished.unjudged:
            self._lines(self._presentation.not_judged(finished))
        if self._presentation.live and not self._verbose:
            self._lines(_say_what_v_adds(finished))
        if excluded := finished.counts[Verdict.EXCLUDED]:
            self._screen.line(
                f"{format_count(excluded, 'check was', 'checks were')} excluded, of which nothing is said"
            )
        if finished.halted:
            self._screen.line(f"the run ended early: {self._text(finished.halted)}")
        self._lines(self._text(line) for line in self._presentation.ledger(self._state))
        if conclusion := self._presentation.conclusion(self._state):
            self._screen.line(conclusion)
        self._screen.line(str(self._presentation.headline(self._state)))

    def _list_failures(self) -> None:
        """The worst failure in full, and a line for each: the worst first."""
        causes = find_causes(self._state)
        failed = [result for cause in causes for result in cause.results]
        if self._presentation.live:
            if (worst := _worst_of(failed)) is not None and not self._verbose:
                self._lines(["", "the worst failure:"] if len(failed) > 1 else [])
                self._explain(worst)
            lines = [self._one_line(result) for result in failed]
        elif self._presentation.lists_causes:
            lines = [f"  {cause.key} ({cause.counts}): {cause.title}" for cause in causes]
        else:
            return
        if len(lines) > 1:
            self._screen.line("")
            starred = any(map(_is_silent, failed)) and self._presentation.live
            self._screen.line(f"what failed, the worst first{_SILENT if starred else ''}:")
            self._lines(self._fit(line) for line in lines[:_LISTED])
        if len(lines) > _LISTED:
            self._screen.line(f"  … and {len(lines) - _LISTED} more, which the reports name")

    def _one_line(self, result: Result) -> str:
        word = self._screen.paint(COLOUR.get(result.verdict, "2"), f"{result.verdict:<5}")
        level = "" if result.rule.level is Level.MUST else f" [{result.rule.level}]"
        return f"  {word} {result.id}{'*' if _is_silent(result) else ''}{level}: {describe(result, self._state)}"

    def _fit(self, line: str) -> str:
        """A line that the terminal does not wrap; in a log it is left whole."""
        columns = self._screen.columns
        unseen = len(line) - count_seen(line)
        return line if columns is None else shorten(line, columns - 1 + unseen)

    def _totals(self, finished: RunFinished) -> Iterator[str]:
        said = self._presentation.totals(self._state, self._screen.paint)
        if said is not None:
            yield said
            return
        yield ""
        counts = [(verdict, number) for verdict, number in finished.counts.items() if number]
        words = [self._screen.paint(COLOUR.get(v, "2"), f"{n} {v.replace('_', ' ')}") for v, n in counts]
        judged = format_count(len(finished.results), self._presentation.noun)
        yield f"{judged}: {', '.join(words)} in {finished.seconds:.1f} s"


def _say_what_v_adds(finished: RunFinished) -> Iterator[str]:
    counts = finished.counts
    brief = ["warning"] * bool(counts[Verdict.WARN]) + ["failure"] * (counts[Verdict.FAIL] > 1)
    more = [f"explains each {' and '.join(brief)}"] * bool(brief)
    if untested := [result.id for result in finished.results if _is_untested_wish(result)]:
        left = len(untested) - _UNTESTED_SHOWN
        also = f" and {left} more" if left > 0 else ""
        more.append(f"says why these were not tested: {', '.join(untested[:_UNTESTED_SHOWN])}{also}")
    if more:
        yield f"-v {' and '.join(more)}"


def _is_untested_wish(result: Result) -> bool:
    """Whether it is an untested SHOULD or MAY; the untested MUSTs have lines of their own."""
    return result.verdict is Verdict.UNTESTABLE and result.rule.level is not Level.MUST


def _is_silent(result: Result) -> bool:
    """Whether it is a failure that a client cannot notice."""
    return result.rule.silent and result.verdict is Verdict.FAIL


def _worst_of(failed: Sequence[Result]) -> Result | None:
    """The worst failure of the target; errors of our own were explained when they came."""
    return next((result for result in failed if result.verdict is Verdict.FAIL), None)


def _format_progress(progress: Progressed) -> str:
    counts = ", ".join(f"{number} {word}" for word, number in progress.counts.items())
    return f"{progress.name}: {counts}, {format_count(progress.findings, 'finding')}, {progress.seconds:.0f} s"


def _waits(waited: Waited) -> str:
    return f"waited {waited.seconds:.1f} s in {waited.times} pauses that the target asked for"


def cut_words(cut: TimeoutLosses) -> str:
    """What was not asked, or got too little time, because answers did not end; and what to do about it."""
    unsent = f"{format_count(cut.unsent, 'request was', 'requests were')} not sent" if cut.unsent else ""
    hurried = f"{cut.hurried} got less time" if cut.hurried else ""
    return (
        f"{format_count(cut.answers, 'answer')} did not end in time (the first: {cut.first}), so "
        f"{' and '.join(filter(None, (hurried, unsent)))}: what these were for is not judged (-v names it); "
        "if the target is only slow, raise --timeout"
    )
