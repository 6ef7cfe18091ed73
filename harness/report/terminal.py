"""The report that a person watches: what was probed, a progress line, a block for each failure, the totals.

Layer 6. The same for every command; what it says is worded by the `Presentation`. Drawing on the terminal is left
to `screen`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
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
from harness.kit.lack import Lack
from harness.outcome import Because, Verdict
from harness.outcome.words import format_count
from harness.report.commands.presentation import EXPLAINED
from harness.report.evidence.evidence_text import count_evidence, logs
from harness.report.evidence.exchange_text import printable
from harness.report.run_state import RunState
from harness.report.screen import Screen
from harness.wire import Exchange

_LEFT_SHOWN = 5
"""Most things left behind that are named one by one."""

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
    """Writes during the run. `verbose` explains warnings and names every result except the excluded ones."""

    def __init__(self, out: TextIO, state: RunState, *, colour: bool = False, verbose: bool = False) -> None:
        self._screen = Screen(out, colour=colour)
        self._state = state
        self._presentation = state.presentation
        self._verbose = verbose
        self._exercises = 0
        self._begun = self._failed = 0
        self._names: set[str] = set()
        self._waits = 0
        self._lock = threading.Lock()

    def handle(self, event: RunEvent) -> None:
        """React to one event; the state must have handled it already, except for `Waiting`."""
        with self._lock:
            self._handle(event)

    def _handle(self, event: RunEvent) -> None:
        match event:
            case RunStarted():
                self._lines(self._presentation.opening(self._state))
            case Probed(capabilities, requests, notes):
                self._capabilities(capabilities, requests)
                self._lines(f"note: {self._text(note)}" for note in notes)
            case Planned(_, exercises):
                self._exercises = exercises
                self._lines(self._presentation.format_plan(event))
            case ExerciseStarted(name):
                self._progress(name)
            case Waiting(seconds, refusal):
                self._waiting(seconds, refusal)
            case Progressed():
                self._screen.tell(_format_progress(event))
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
        self._screen.draw(f"[{min(self._begun, self._exercises)}/{self._exercises}] {said}")

    def _waiting(self, seconds: float, refusal: Exchange) -> None:
        if not self._waits:
            first = self._text(format_refusal(refusal))
            self._screen.line(f"the target asks us to wait: {first}; what it refuses for now is asked again")
        self._waits += 1
        where = f"[{self._begun}/{self._exercises}] " if self._exercises else ""
        self._screen.draw(f"{where}waits {seconds:.1f} s ({refusal.status})")

    def _capabilities(self, capabilities: Capabilities, requests: int) -> None:
        self._screen.line(f"capabilities ({format_count(requests, 'request')} to find out):")
        for item in capabilities:
            missing = self._screen.paint("31", "!") if item.lack is Lack.NOT_DONE else "-"
            sign = self._screen.paint("32", "+") if item.present else missing
            note = f" ({' '.join(item.note.split())})" if item.note else ""
            self._screen.line(f"  {sign}{item.name:<16} {item.how}{self._text(note)}")

    def _print_stop(self, stopped: RunStopped) -> None:
        self._screen.line(f"stopped early: {self._text(stopped.reason)}")
        for log in logs([stopped.evidence], self._state.display):
            self._screen.line(f"  {count_evidence([stopped.evidence]).partition(' ')[2]} {log.name}:".rstrip())
            self._lines(f"    {line}" for line in log.lines)

    def _count_result(self, result: Result) -> None:
        if self._presentation.live:
            self._result(result)
        else:
            self._begun += bool(self._state.planned.checks)
            self._failed += result.verdict is Verdict.FAIL
            line = (
                self._presentation.format_result(result, self._state, self._screen.paint) if self._verbose else ""
            )
            self._lines([line] if line else [])
            failed = f", {self._failed} failed so far" if self._failed else ""
            if total := self._state.planned.checks:
                self._screen.draw(f"[{self._begun}/{total}] {self._text(result.id)}{failed}")

    def _result(self, result: Result) -> None:
        verdict = result.verdict
        if verdict in EXPLAINED or (self._verbose and verdict in (Verdict.WARN, Verdict.XFAIL)):
            self._screen.line("")
            self._screen.line(self._headline(result))
            for line in self._presentation.explain(result, self._state, verbose=self._verbose).split("\n"):
                self._screen.line(f"  {line}" if line else "")
        elif self._is_told(result):
            tail, more = self._presentation.brief(result, self._state, verbose=self._verbose)
            self._screen.line(self._headline(result) + tail)
            self._lines(more)

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
        self._screen.erase()
        self._lines(self._presentation.closing(self._state, self._screen.paint, verbose=self._verbose))
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
        if self._presentation.live and finished.counts[Verdict.WARN] and not self._verbose:
            self._screen.line("-v explains each warning")
        if excluded := finished.counts[Verdict.EXCLUDED]:
            self._screen.line(
                f"{format_count(excluded, 'check was', 'checks were')} excluded, of which nothing is said"
            )
        if finished.halted:
            self._screen.line(f"the run ended early: {self._text(finished.halted)}")
        self._lines(self._text(line) for line in self._presentation.ledger(self._state))
        if conclusion := self._presentation.conclusion(self._state):
            self._screen.line(conclusion)
        if headline := self._presentation.headline(self._state):
            self._screen.line(headline)

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
