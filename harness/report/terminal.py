"""The report a person watches: what was probed, a progress line, a block for each failure, the totals.

Layer 5. Colour and the progress line only where the stream is a terminal; otherwise plain lines, so that a log
file holds the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from harness.outcome import Verdict
from harness.report.explain import failure_text
from harness.report.story import Story
from harness.report.wirelog import printable
from harness.runner.capabilities import Capabilities
from harness.runner.events import (
    CheckFinished,
    Event,
    ExerciseStarted,
    Planned,
    Probed,
    Result,
    RunFinished,
    RunStarted,
)

_COLOUR = {
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


def wants_colour(stream: TextIO, environment: Mapping[str, str], choice: str = "auto") -> bool:
    """Whether to colour: `always`, `never`, or on a terminal unless NO_COLOR is set (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class TerminalReport:
    """Writes while the run goes. `verbose` explains warnings in full and names every check."""

    def __init__(self, out: TextIO, story: Story, *, colour: bool = False, verbose: bool = False) -> None:
        self._out = out
        self._story = story
        self._colour = colour
        self._verbose = verbose
        self._progress = out.isatty()
        self._drawn = False
        self._exercises = 0
        self._begun = 0

    def hear(self, event: Event) -> None:
        """React to one event; the story has heard it already."""
        match event:
            case RunStarted(target):
                place = f"{target.url} (API version {target.version})" if target.url else "the embedded emulator"
                self._line(f"target: {place}, model {target.model}")
            case Probed(capabilities, requests, says_stream):
                self._capabilities(capabilities, requests)
                if says_stream:
                    self._line("note: it streams when a create leaves `stream` out, so creates say stream=false")
            case Planned(checks, exercises):
                self._exercises = exercises
                self._line(f"catalogue: {checks} checks, {exercises} exercises to run")
            case ExerciseStarted(name):
                self._begun += 1
                self._draw(f"[{self._begun}/{self._exercises}] {name}")
            case CheckFinished(result):
                self._result(result)
            case RunFinished():
                self._end(event)

    def _capabilities(self, capabilities: Capabilities, requests: int) -> None:
        self._line(f"capabilities ({requests} requests to find out):")
        for item in capabilities:
            sign = self._paint("32", "+") if item.present else "-"
            note = f" ({item.note})" if item.note else ""
            self._line(f"  {sign}{item.name:<16} {item.how}{printable(self._story.mask.text(note))}")

    def _result(self, result: Result) -> None:
        verdict = result.verdict
        if verdict in _EXPLAINED or (self._verbose and verdict in (Verdict.WARN, Verdict.XFAIL)):
            self._line("")
            self._line(self._headline(result))
            for line in failure_text(result, self._story).split("\n"):
                self._line(f"  {line}" if line else "")
        elif verdict in _ONE_LINE or self._verbose:
            self._line(self._headline(result) + self._why(result))

    def _headline(self, result: Result) -> str:
        word = result.verdict.upper().replace("_", " ")
        label = self._paint(_COLOUR.get(result.verdict, "2"), f"{word:<10}")
        return f"{label} {result.check.id} [{result.check.rule.level}] {result.check.title}"

    def _why(self, result: Result) -> str:
        if result.verdict is Verdict.STALE:
            return ": it passes now; take it out of the baseline (--baseline-prune)"
        findings = result.observation.findings
        why = result.reason or (findings[0].message if findings else result.observation.reason)
        return f": {printable(self._story.mask.text(why)).strip().splitlines()[0]}" if why.strip() else ""

    def _end(self, finished: RunFinished) -> None:
        self._erase()
        counts = [(verdict, number) for verdict, number in finished.counts.items() if number]
        words = [self._paint(_COLOUR.get(v, "2"), f"{n} {v.replace('_', ' ')}") for v, n in counts]
        self._line("")
        self._line(f"{len(finished.results)} checks: {', '.join(words)} in {finished.seconds:.1f} s")
        for path in finished.leftovers:
            self._line(f"left behind (its deletion failed): {printable(self._story.mask.text(path))}")
        self._line(_CONCLUSION[finished.exit.name])
        if excluded := finished.counts[Verdict.EXCLUDED]:
            self._line(f"{excluded} checks were excluded: nothing is said of them")

    def _line(self, text: str) -> None:
        self._erase()
        self._out.write(text + "\n")

    def _draw(self, text: str) -> None:
        if self._progress:
            self._erase()
            self._out.write(text[:100])
            self._out.flush()
            self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._drawn = False

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


_CONCLUSION = {
    "OK": "conformant: every check that ran passed or is excused",
    "FAILED": "not conformant: unexpected failures or stale baseline entries",
    "NOTHING_RAN": "nothing ran: no selected check looked at the target, so this says nothing of it",
    "HARNESS_ERROR": "the harness itself erred: the ERROR blocks above are bugs of ours, please report them",
}
