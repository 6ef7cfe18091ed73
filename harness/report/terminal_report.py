"""The report that a person watches: the probe, a progress line, a block for each failure, the totals.

The same for every command; the run has its words. Drawing on the terminal is left to `screen`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from harness.engine import events
from harness.engine.events import Capabilities, Result, format_refusal
from harness.kit.api import Lack
from harness.outcome import Accounted, Level, Reason, Verdict
from harness.outcome.words import format_count, list_some
from harness.report.collected_run import list_timings
from harness.report.evidence.curl import curl
from harness.report.evidence.evidence_text import Detail, logs
from harness.report.finding_text import ExplainedFailure, SharedFixes, write_headline
from harness.report.presented_run import FAILING, PresentedResult, PresentedRun
from harness.report.screen import INTERRUPTING, ROLES, Heartbeat, Line, Paint, Role, Screen, format_seconds
from harness.wire import Exchange
from harness.wire.message import escape_controls


class TerminalReport:
    """Writes during the run. With `verbose` it explains each failure and warning and names every result.

    With 2, each explanation has all exchanges in full. It is never silent for long (`screen.PAUSE`), unless it is
    `quiet`: then it has the ids of what failed, and the verdict.
    """

    def __init__(
        self,
        out: TextIO,
        state: PresentedRun,
        *,
        colour: bool = False,
        verbose: int = 0,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = Screen(out, colour=colour, now=now)
        self._now = now
        self._since = now()
        self._heartbeat: Heartbeat | None = None
        self._state = state
        self._quiet = quiet
        self._verbose = bool(verbose)
        self._printer = RunPrinter(self._screen, state, verbose)
        self._exercises = 0
        self._seconds = math.inf
        self._begun = self._failed = 0
        self._last_failed = ""
        self._names: set[str] = set()
        self._awaited: dict[str, str] = {}
        self._waits = 0
        self._lock = threading.RLock()  # a run that finishes closes while it handles that

    def handle(self, event: events.RunEvent) -> None:
        """React to one event; the state must have handled it already, except for `Waiting`."""
        with self._lock:
            shown = self._state.hide(event)
            if not self._quiet:
                self._handle(shown)
            elif isinstance(shown, events.RunFinished):
                self._printer.print_failed()
                self._printer.print_verdict()

    def close(self) -> None:
        """Write nothing more by itself, and leave no progress line; a run that finishes does this, too."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        with self._lock:
            self._screen.clear()

    def note_interrupt(self) -> None:
        """Write at once that an interrupt was noticed."""
        with self._lock:
            self._screen.line(Line(INTERRUPTING, Role.WARNED))
            self._screen.flush()

    def _beat(self) -> None:
        with self._lock:
            self._screen.break_silence()

    def _handle(self, event: events.RunEvent) -> None:
        match event:
            case events.RunStarted():
                self._heartbeat = Heartbeat(self._beat)
                self._screen.lines(self._state.opening())
                self._screen.draw(self._state.begins)
            case events.Probed(capabilities, requests, notes):
                asked = f"{format_count(requests, 'request')} to find out"
                hint = "" if self._verbose else "; -v lists all"
                self._screen.line(f"capabilities ({asked}{hint}):")
                write = list_each if self._verbose else sum_up
                self._screen.lines(write(capabilities, self._screen.paint))
                self._screen.lines(f"note: {escape_controls(note)}" for note in notes)
            case events.Planned(_, exercises, seconds):
                self._exercises, self._seconds = exercises, seconds
                self._since = self._now()
                self._screen.lines(self._state.format_plan(event))
            case events.ExerciseStarted() | events.ExerciseFinished():
                self._follow_exercise(event)
            case events.Deleting(owed):
                if owed:
                    created = format_count(owed, "resource")
                    self._screen.line(f"deleting {created} that the run created (Ctrl-C again to stop)")
                self._screen.flush()
            case events.Waiting(seconds, refusal):
                self._tell_wait(seconds, refusal)
            case events.Progressed():
                counts = ", ".join(f"{number} {word}" for word, number in event.counts.items())
                found = format_count(event.findings, "finding")
                where = f"[{min(self._begun, self._exercises)}/{self._exercises}] "
                left = f", about {format_seconds(event.left)} left" if event.left >= 1 else ""
                self._screen.draw(f"{where}{event.name}: {counts}, {found}, {event.seconds:.0f} s{left}")
            case events.CheckFinished(result):
                self._count_result(result)
            case events.PhaseFinished():
                self._screen.lines(self._state.describe_phase(event))
            case events.RunStopped(reason=reason):
                self._screen.line(f"stopped early: {escape_controls(reason)}")
                for log in logs([event.evidence], self._state.display):
                    self._screen.line(f"  exchange on both sides {log.name}:")
                    self._screen.lines(Line(f"    {line}", Role.QUIET, hang=6) for line in log.lines)
            case events.RunFinished():
                self.close()
                self._printer.print_end(event)

    def _follow_exercise(self, event: events.ExerciseStarted | events.ExerciseFinished) -> None:
        if isinstance(event, events.ExerciseStarted):
            self._begun += 1
            progress = self._state.progress(event.name, again=event.name in self._names)
            self._names.add(event.name)
            if event.checks:  # its end is an event, too: until then it is awaited
                self._awaited[event.name] = progress
            self._show_progress(next(iter(self._awaited.values()), progress))
            return
        self._awaited.pop(event.name, None)
        if self._awaited:
            self._show_progress(next(iter(self._awaited.values())))
        elif self._begun >= self._exercises:
            self._screen.draw("deleting what the run created")

    def _show_progress(self, text: str) -> None:
        """Draw how far it is; of several exercises at once `text` is the one that is awaited longest."""
        begun = min(self._begun, self._exercises)
        left = self._describe_progress(begun - max(1, len(self._awaited)), self._exercises)
        self._screen.draw(f"[{begun}/{self._exercises}] {text}{left}")

    def _describe_progress(self, done: int, total: int) -> str:
        """The failures so far with the last one, and the estimated time of the rest."""
        failed = f", {self._failed} failed ({self._last_failed})" if self._failed else ""
        if done < 3 or total <= done:  # the time of the first ones tells little
            return failed
        spent = self._now() - self._since
        left = min(spent / done * (total - done), self._seconds - spent)
        return f"{failed}, about {format_seconds(left)} left" if left >= 1 else failed

    def _tell_wait(self, seconds: float, refusal: Exchange) -> None:
        if not self._waits:
            first = self._state.mask.show(format_refusal(refusal))
            self._screen.line(
                f"the target requests a pause: {first}; harness retries (--max-wait limits the wait)"
            )
        self._waits += 1
        where = f"[{self._begun}/{self._exercises}] " if self._exercises else ""
        self._screen.draw(f"{where}waits {seconds:.1f} s ({refusal.status})")

    def _count_result(self, result: Result) -> None:
        live = self._state.live
        if result.verdict is Verdict.FAIL or (live and result.verdict in FAILING):
            self._failed += 1
            self._last_failed = escape_controls(result.id)
        if live:
            self._printer.print_brief(self._state.present(result))
        else:
            self._begun += bool(self._state.planned.checks)
            line = self._state.format_result(result, self._screen.paint) if self._verbose else ""
            self._screen.lines([line] if line else [])
            if 0 < self._begun <= (total := self._state.planned.checks):
                so_far = self._describe_progress(self._begun, total)
                self._screen.draw(f"[{self._begun}/{total}] {escape_controls(result.id)}{so_far}")


MOST_ROWS = 25
"""Most rows of a failure that is explained without -v."""

_ARGUED = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL})
"""Verdicts that -v explains."""


_LISTED = 60
"""Most failures that are listed at the end."""


class RunPrinter:
    """Prints results as they come, and the end of the run.

    With `verbose` it explains each failure and warning; with 2, in full.
    """

    def __init__(self, screen: Screen, state: PresentedRun, verbose: int) -> None:
        self._screen = screen
        self._state = state
        self._verbose = bool(verbose)
        self._detail = (Detail.BRIEF, Detail.FULL, Detail.WHOLE)[min(verbose, 2)]
        self._fixes = SharedFixes()

    def print_brief(self, shown: PresentedResult) -> None:
        """Print a result of the run that goes on, unless the end of the run explains it or lists it."""
        verdict, verbose = shown.result.verdict, self._verbose
        if verdict is Verdict.ERROR or (verbose and (verdict in _ARGUED or shown.result.is_unmet_option)):
            self.explain(shown)
        elif verdict is Verdict.XFAIL or (verbose and shown.outcome is not Accounted.EXCLUDED):
            why = shown.defect if verdict is Verdict.STALE else shown.why
            headline, why = self._write_headline(shown), escape_controls(why).strip().partition("\n")[0]
            self._screen.line(headline.having(f"{headline}: {why}") if why != shown.title else headline)

    def explain(self, shown: PresentedResult) -> None:
        """Print a result with all that explains it."""
        lines = list(shown.list_lines(self._detail, self._fixes))
        erred = shown.result.verdict is Verdict.ERROR  # a defect of ours is reported with its traceback
        self.print_failure(ExplainedFailure(self._write_headline(shown), lines), whole=erred)

    def print_failure(self, failure: ExplainedFailure, *, whole: bool = False) -> None:
        """Print the explanation of a failure, as a whole or in so many rows that a screen has room for it."""
        self._screen.line("")
        self._screen.line(failure.headline)
        most = None if whole or self._verbose else MOST_ROWS - 2
        self._screen.block(failure.lines, most=most)

    def _write_headline(self, shown: PresentedResult) -> Line:
        title = shown.heading.partition("] ")[2]
        word = "NOTE" if shown.result.is_unmet_option else ""  # it passes, and its title is what is not met
        return write_headline(self._screen.paint, shown.outcome, shown.id, shown.standing_level, title, word=word)

    # the end of the run: with `verbose` the failures were explained as they came

    def print_end(self, finished: events.RunFinished) -> None:
        """Print what a finished run comes to: the failures, then totals, reasons, a next step and the verdict."""
        self._screen.erase()
        self._screen.lines(self._state.closing(self._screen.paint, verbose=self._verbose))
        for failure in self._state.explain_failures(self._screen.paint, detail=self._detail):
            self.print_failure(failure)
        self._list_failures()
        self._list_holes(finished)
        if self._state.times_exercises:
            self._screen.line("")
            self._screen.lines(list_timings(self._state.exercises))
        self._screen.line("")
        self._screen.line(self._state.write_totals(self._screen.paint))
        if finished.halted:
            self._screen.line(f"the run ended early: {escape_controls(finished.halted)}")
        if not self._verbose:
            self._screen.lines(map(escape_controls, self._state.reasons()))
        else:
            self._screen.lines(self._state.list_notes())
            if waited := finished.waited.times:
                pauses = f"{waited} pauses that the target requested"
                self._screen.line(f"waited {finished.waited.seconds:.1f} s in {pauses}")
        if left := list(map(escape_controls, finished.leftovers)):
            named = list_some(left, 1, hint="the JSON report names them")
            self._screen.line(Line(f"left behind (their deletion failed): {named}", Role.WARNED))
        if finished.cut.unsent:
            cut = finished.cut
            unsent = format_count(cut.unsent, "request was", "requests were")
            first = f" (the first: {cut.first})" if self._verbose else ""
            self._screen.line(
                f"{unsent} not sent: {format_count(cut.answers, 'response')} did not end in time{first}"
            )
        if settings := self._state.settings:
            named = ", ".join(f"{key} = {escape_controls(text)}" for key, text in settings.items())
            self._screen.line(f"pyproject.toml leaves something out: {named} (--no-config ignores it)")
        if not self._verbose:
            again = self._state.run_again()
            steps = [*self._state.next_steps()]
            steps += [f"help: print all of it: `{again}`"] if again else []
            self._screen.lines(Line(step, Role.HELP) for step in map(escape_controls, steps))
        self.print_verdict()

    def print_verdict(self) -> None:
        self._screen.line(self._state.verdict_text)

    def print_failed(self) -> None:
        """Print the ids of what failed, a row for each cause."""
        for cause in self._state.causes:
            ids = list_some([shown.id for shown in cause.results], 3, hint="the JSON report names them")
            self._screen.line(Line(ids, Role.FAILED, hang=2))

    def _list_holes(self, finished: events.RunFinished) -> None:
        """How to send again what a target got last before it was gone; the verdict names the other holes, too."""
        if finished.lost:
            self._screen.line("")
            self._screen.lines(map(escape_controls, finished.holes))
        for lost in finished.lost[:3]:
            command = curl(lost.request, self._state.display)
            self._screen.lines(Line(f"  {line}", Role.COMMAND) for line in escape_controls(command).split("\n"))

    def _list_failures(self) -> None:
        """The worst failure, and a line for each if there are several. With -v all were explained as they came."""
        causes = self._state.causes
        if not self._state.live:  # the failures of the target were explained
            stale = [cause for cause in causes if cause.is_stale]
            lines = [Line(f"  {cause.key}: {cause.results[0].failure}", hang=4) for cause in stale]
            self._list_lines("stale entries of the baseline", lines, at_least=1)
            return
        failed = [shown for cause in causes for shown in cause.results]
        warnings = [shown for shown in self._state.urgent_first if shown.result.verdict is Verdict.WARN]
        explaining = {shown.id: shown.result.explained_by.partition("/")[0] for shown in warnings}
        warned = [shown for shown in warnings if explaining.get(explaining[shown.id], shown.id) == shown.id]
        worst = next((shown for shown in failed or warned if shown.result.verdict in _ARGUED), None)
        explained = []
        if worst is not None:  # a warning may be the mechanism behind the failure
            named = {finding.cause.partition("/")[0] for finding in worst.all_findings} - {worst.id}
            explained = [*(shown for shown in warned if shown.id in named), worst]
        for shown in () if self._verbose else explained:
            self.explain(shown)
        title = " and ".join([*["failures"][: len(failed)], *["warnings"][: len(warned)]]) + ", the worst first"
        if any(shown.is_silent for shown in failed):
            title += " (* clients see no error)"
        is_stale = any(cause.is_stale for cause in causes)  # which is not explained
        lines = [
            line
            for shown in (*failed, *warned)
            for line in self._write_row(
                shown,
                explained=shown in explained,
                also=[one.id for one in warnings if one not in warned and explaining[one.id] == shown.id],
            )
        ]
        self._list_lines(title, lines, at_least=1 if is_stale or len(warned) < len(warnings) else 2)
        noted = [shown for shown in self._state.urgent_first if shown.result.is_unmet_option]
        if not (failed or warned or self._verbose):
            if len(noted) == 1:
                self.explain(noted[0])
            rows = [line for shown in noted for line in self._write_row(shown, explained=True)]
            self._list_lines("MAY rules that are not met, which is allowed (-v explains them)", rows, at_least=2)

    def _list_lines(self, title: str, lines: Sequence[Line], *, at_least: int) -> None:
        """A list, unless it is so short that the lines above have all of it."""
        if len(lines) >= at_least:
            self._screen.line("")
            self._screen.line(Line(f"{title}:", Role.HEADING))
            self._screen.lines(lines[:_LISTED])
        if len(lines) > _LISTED:
            self._screen.line(f"  … and {len(lines) - _LISTED} more, which the reports name")

    def _write_row(self, shown: PresentedResult, *, explained: bool, also: Sequence[str] = ()) -> Iterator[Line]:
        word = "error" if shown.result.reason is Reason.HARNESS_ERROR else shown.outcome.word
        word = self._screen.paint(ROLES[shown.outcome], f"{'note' if shown.result.is_unmet_option else word:<6}")
        level = "" if shown.level is Level.MUST else f" [{shown.level}]"
        name = self._screen.paint(Role.ID, f"{shown.id}{'*' if shown.is_silent else ''}")
        more = f"; also {list_some(also, 3)}" if also else ""  # what follows from a warning only repeats it
        yield Line(f"  {word} {name}{level}: {shown.failure}{more}", hang=9)
        if not (explained or self._verbose) and (cured := next((f for f in shown.all_findings if f.cure), None)):
            yield Line(f"{'':9}known fix: {self._fixes.write(cured.cure, cured.rule)}", Role.HELP, hang=11)


_LACKS = {
    Lack.NOT_DONE: "accepted but not fulfilled",
    Lack.REFUSED: "not offered",
    Lack.UNSEEN: "not tested (requested, but not observed)",
    Lack.DENIED: "excluded",
    Lack.UNDECLARED: "not tested (needs `--capability` or `--other-api-key`)",
}
_ROLES = {Lack.NOT_DONE: Role.FAILED, Lack.REFUSED: Role.QUIET, Lack.DENIED: Role.QUIET}


def sum_up(capabilities: Capabilities, paint: Paint) -> Iterator[str]:
    """How many are offered, and a line for each reason why that is not known or others are not."""
    items = list(capabilities)
    assumed = [item.name for item in items if item.is_assumed]
    offered = sum(item.present for item in items) - len(assumed)
    yield f"  {paint(Role.PASSED, 'offered:')} {'all' if offered == len(items) else f'{offered} of'} {len(items)}"
    if assumed:
        named = ", ".join(assumed) if len(assumed) < len(items) else "all"
        yield Line(
            f"  {paint(Role.NOT_TESTED, 'assumed (the probe got no response that decides):')} {named}", hang=4
        )
    for lack, words in _LACKS.items():
        if names := [item.name for item in items if not item.present and item.lack is lack]:
            role = _ROLES.get(lack, Role.NOT_TESTED)
            yield Line(f"  {paint(role, f'{words}:')} {', '.join(names)}", hang=4)


def list_each(capabilities: Capabilities, paint: Paint) -> Iterator[str]:
    """A line for each: whether it is offered, how that is known, and what was seen."""
    items = list(capabilities)
    width = max(16, *(len(item.name) for item in items))
    for item in items:
        missing = paint(Role.FAILED, "!") if item.lack is Lack.NOT_DONE else "-"
        known = paint(Role.NOT_TESTED, "?") if item.is_assumed else paint(Role.PASSED, "+")
        sign = known if item.present else missing
        note = f" ({' '.join(item.note.split())})" if item.note else ""
        yield f"  {sign}{item.name:<{width}} {item.how}{escape_controls(note)}"
