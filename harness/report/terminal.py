"""The report that a person watches: what was probed, a progress line, a block for each failure, the totals.

Layer 6. Drawing on the terminal is left to `screen`.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TextIO

from harness.engine.capabilities import Capabilities
from harness.engine.events import (
    CheckFinished,
    Event,
    ExerciseStarted,
    Planned,
    Probed,
    Result,
    RunFinished,
    RunStarted,
)
from harness.engine.traffic.retries import NO_TIME, Waited, format_refusal
from harness.engine.traffic.timeout_budget import TimeoutLosses
from harness.outcome import Exit, Level, Verdict
from harness.outcome.words import counted
from harness.report.exchange_text import printable
from harness.report.explanation import failure_text
from harness.report.run_state import Story
from harness.report.screen import Screen
from harness.wire import Exchange

COLOUR = {
    Verdict.PASS: "32",
    Verdict.FAIL: "31;1",
    Verdict.ERROR: "35;1",
    Verdict.WARN: "33",
    Verdict.STALE: "31",
    Verdict.XFAIL: "33",
    Verdict.INFO: "36",
}
_EXPLAINED = frozenset({Verdict.FAIL, Verdict.ERROR})
_ONE_LINE = frozenset({Verdict.WARN, Verdict.STALE, Verdict.XFAIL, Verdict.UNTESTABLE})


class TerminalReport:
    """Writes during the run. `verbose` explains warnings and names every check except the excluded ones."""

    def __init__(self, out: TextIO, story: Story, *, colour: bool = False, verbose: bool = False) -> None:
        self._screen = Screen(out, colour=colour)
        self._story = story
        self._verbose = verbose
        self._exercises = 0
        self._begun = 0
        self._waits = 0
        self._lock = threading.Lock()

    def hear(self, event: Event) -> None:
        """React to one event; the story must have heard it already."""
        with self._lock:
            self._hear(event)

    def _hear(self, event: Event) -> None:
        match event:
            case RunStarted(target):
                place = f"{target.url} (API version {target.version})" if target.url else "the embedded emulator"
                self._screen.line(printable(self._story.mask.text(f"target: {place}, model {target.model}")))
            case Probed(capabilities, requests, notes):
                self._capabilities(capabilities, requests)
                for note in notes:
                    self._screen.line(f"note: {printable(self._story.mask.text(note))}")
            case Planned(checks, exercises):
                self._exercises = exercises
                what = f"{counted(checks, 'check')}, {counted(exercises, 'exercise')}"
                self._screen.line(f"catalogue: {what} to run")
            case ExerciseStarted(name):
                self._begun += 1
                self._screen.draw(f"[{self._begun}/{self._exercises}] {name}")
            case CheckFinished(result):
                self._result(result)
            case RunFinished():
                self._end(event)

    def waiting(self, seconds: float, refusal: Exchange) -> None:
        """Report that the target said "later" and is asked again in `seconds`; may be called from any thread."""
        with self._lock:
            if not self._waits:
                first = printable(self._story.mask.text(format_refusal(refusal)))
                self._screen.line(f"the target asks us to wait: {first}; what it refuses for now is asked again")
            self._waits += 1
            where = f"[{self._begun}/{self._exercises}] " if self._exercises else ""
            self._screen.draw(f"{where}waits {seconds:.1f} s ({refusal.status})")

    def _capabilities(self, capabilities: Capabilities, requests: int) -> None:
        self._screen.line(f"capabilities ({counted(requests, 'request')} to find out):")
        for item in capabilities:
            sign = self._screen.paint("32", "+") if item.present else "-"
            note = f" ({item.note})" if item.note else ""
            self._screen.line(f"  {sign}{item.name:<16} {item.how}{printable(self._story.mask.text(note))}")

    def _result(self, result: Result) -> None:
        verdict = result.verdict
        if verdict in _EXPLAINED or (self._verbose and verdict in (Verdict.WARN, Verdict.XFAIL)):
            self._screen.line("")
            self._screen.line(self._headline(result))
            for line in failure_text(result, self._story).split("\n"):
                self._screen.line(f"  {line}" if line else "")
        elif result.observation.unanswered == NO_TIME and not self._verbose:
            return  # reported once, at the end
        elif verdict in _ONE_LINE or (self._verbose and verdict is not Verdict.EXCLUDED):
            self._screen.line(self._headline(result) + self._why(result))

    def _headline(self, result: Result) -> str:
        word = result.verdict.upper().replace("_", " ")
        label = self._screen.paint(COLOUR.get(result.verdict, "2"), f"{word:<10}")
        return f"{label} {result.check.id} [{result.check.rule.level}] {result.check.title}"

    def _why(self, result: Result) -> str:
        if result.verdict is Verdict.STALE:
            return ": it passes now; take it out of the baseline (--baseline-prune)"
        findings = result.observation.findings
        why = result.reason or (findings[0].message if findings else result.observation.reason)
        return f": {printable(self._story.mask.text(why)).strip().splitlines()[0]}" if why.strip() else ""

    def _end(self, finished: RunFinished) -> None:
        self._screen.erase()
        counts = [(verdict, number) for verdict, number in finished.counts.items() if number]
        words = [self._screen.paint(COLOUR.get(v, "2"), f"{n} {v.replace('_', ' ')}") for v, n in counts]
        self._screen.line("")
        judged = counted(len(finished.results), "check")
        self._screen.line(f"{judged}: {', '.join(words)} in {finished.seconds:.1f} s")
        if finished.waited.times:
            self._screen.line(_waits(finished.waited))
        for path in finished.leftovers:
            self._screen.line(f"left behind (its deletion failed): {printable(self._story.mask.text(path))}")
        if finished.cut.hurried or finished.cut.unsent:
            self._screen.line(self._story.mask.text(cut_words(finished.cut)))
        if finished.unjudged:
            self._screen.line(_not_judged(finished))
        if finished.counts[Verdict.WARN] and not self._verbose:
            self._screen.line("-v explains each warning")
        if conclusion := _CONCLUSION.get(finished.exit):
            self._screen.line(conclusion)
        if excluded := finished.counts[Verdict.EXCLUDED]:
            self._screen.line(
                f"{counted(excluded, 'check was', 'checks were')} excluded, of which nothing is said"
            )


def _waits(waited: Waited) -> str:
    return f"waited {waited.seconds:.1f} s in {waited.times} pauses that the target asked for"


def cut_words(cut: TimeoutLosses) -> str:
    """What was not asked, or got too little time, because answers did not end; and what to do about it."""
    unsent = f"{counted(cut.unsent, 'request was', 'requests were')} not sent" if cut.unsent else ""
    hurried = f"{cut.hurried} got less time" if cut.hurried else ""
    return (
        f"{counted(cut.answers, 'answer')} did not end in time (the first: {cut.first}), so "
        f"{' and '.join(filter(None, (hurried, unsent)))}: what these were for is not judged (-v names it); "
        "if the target is only slow, raise --timeout"
    )


def _not_judged(finished: RunFinished) -> str:
    causes = Counter(result.observation.unanswered for result in finished.unjudged)
    listed = ", ".join(f"{cause}: {number}" for cause, number in causes.most_common())
    advice = f"; {_SLOWER}" if causes.keys() & {"429", "503"} else ""
    musts = all(result.check.rule.level is Level.MUST for result in finished.unjudged)
    which = f"{len(finished.unjudged)} MUST" if musts else counted(len(finished.unjudged), "check")
    return f"not judged: {which} had no answer ({listed}){advice}"


_SLOWER = "--rate N asks no faster than N times a second, --max-wait S waits longer"

_CONCLUSION = {
    Exit.OK: "conformant: every check that ran passed or is excused",
    Exit.FAILED: "not conformant: unexpected failures or stale baseline entries",
    Exit.NOTHING_RAN: "nothing ran: no selected check looked at the target, so this says nothing of it",
    Exit.HARNESS_ERROR: "the harness itself erred: the ERROR blocks above are bugs of ours, please report them",
}
