"""A torture run as text and as data: a strip of the stream for each ending, and the failures in groups.

Layer 6.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, TextIO

from harness.benches.client.drop_case import Case
from harness.benches.client.events import CaseEnded, Outcome, TortureStarted
from harness.faults import Cut, parse
from harness.outcome.words import counted
from harness.report import junit
from harness.report.exchange_text import printable
from harness.report.screen import Screen

_COLOUR = {Outcome.EXACT: "32", Outcome.GAVE_UP: "33", Outcome.WRONG: "31;1", Outcome.HUNG: "35;1"}
SIGNS = {Outcome.EXACT: ".", Outcome.GAVE_UP: "g", Outcome.WRONG: "X", Outcome.HUNG: "T"}
_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
_PARTICULAR = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")
_NAMED = 6
"""Most cases of a group that are named."""
_ERROR = re.compile(r"\s*[\w.]*(?:Error|Exception): \S")
_WORDS = 3
"""Number of last lines of standard error that are shown."""


class TortureReport:
    """Writes during the run: progress, each case if `verbose`, and the results at the end."""

    def __init__(
        self, out: TextIO, command: Sequence[str], *, colour: bool = False, verbose: bool = False
    ) -> None:
        self._screen = Screen(out, colour=colour)
        self._command = command
        self._verbose = verbose
        self._cases = self._events = self._done = self._failed = 0

    def started(self, started: TortureStarted) -> None:
        """Report that the client can read the stream without a drop."""
        self._cases, self._events = started.cases, started.events
        self._screen.line(
            f"without a drop the client is exact ({counted(started.events, 'event')}, "
            f"{counted(len(started.text), 'character')}); now {counted(started.cases, 'case')}"
        )

    def case(self, result: CaseEnded) -> None:
        """Report one finished case."""
        self._done += 1
        self._failed += result.outcome is not Outcome.EXACT
        if self._verbose:
            word = self._screen.paint(_COLOUR[result.outcome], f"{result.outcome.upper():<7}")
            problem = f": {printable(result.problem)}" if result.problem else ""
            self._screen.line(f"{word} {result.case} ({result.ended.seconds:.2f} s){problem}")
        self._screen.draw(f"[{self._done}/{self._cases}] {result.case}, {self._failed} not exact so far")

    def ended(self, results: Sequence[CaseEnded], seconds: float, *, passed: bool) -> None:
        """Write the strips, the groups of failures and the totals."""
        for line in strip_lines(results, self._events, self._screen.paint):
            self._screen.line(line)
        for group in groups(results):
            self._screen.line("")
            headline, *rest = group_lines(group, self._command, verbose=self._verbose)
            self._screen.line(self._screen.paint(_COLOUR[group[0].outcome], headline))
            for line in rest:
                self._screen.line(line)
        counts = Counter(result.outcome for result in results)
        words = [self._screen.paint(_COLOUR[o], f"{counts[o]} {o}") for o in Outcome if counts[o]]
        left = self._cases - len(results)
        not_run = f", {left} not run" if left else ""
        self._screen.line("")
        self._screen.line(f"{counted(self._cases, 'case')}: {', '.join(words)}{not_run} in {seconds:.1f} s")
        self._screen.line(_SURVIVES if passed else _DOES_NOT)


_SURVIVES = "the client survives every drop that was tried"
_DOES_NOT = "the client does not survive every drop"


def strip_lines(
    results: Sequence[CaseEnded], events: int, paint: Callable[[str, str], str] = lambda _, text: text
) -> Iterator[str]:
    """A line for each kind of ending, with a sign for each event: the worst outcome of the cuts there."""
    strips: dict[str, dict[int, Outcome]] = defaultdict(dict)
    for result in sorted(results, key=lambda one: one.number):
        if result.event is not None:
            row, event = strips[_row(result.case)], min(result.event, events)
            row[event] = max(row.get(event, Outcome.EXACT), result.outcome, key=_RANK.__getitem__)
    if not strips:
        return
    width = max(map(len, strips))
    for name, row in strips.items():
        signs = (paint(_COLOUR[row[n]], SIGNS[row[n]]) if n in row else " " for n in range(events + 1))
        yield f"  {name:<{width}}  {''.join(signs)}"
    legend = ", ".join(f"{sign} {outcome}" for outcome, sign in SIGNS.items())
    yield f"  each column is an event of the stream, cut before or inside it: {legend}"


def group_lines(group: Sequence[CaseEnded], command: Sequence[str], *, verbose: bool = False) -> Iterator[str]:
    """One kind of failure: how often it occurred, its first case in full, and a command that runs only that."""
    first = group[0]
    times = counted(len(group), "case")
    yield f"{first.outcome.upper()} ({times}) dropped at {first.case}, the client {printable(first.problem)}"
    if len(group) > 1:
        named = ", ".join(str(result.case) for result in group[:_NAMED])
        yield f"  cases: {named}{', …' if len(group) > _NAMED else ''}"
    yield "  on the wire:"
    yield from (f"    {printable(line)}" for line in first.wire or ("nothing",))
    words = first.ended.words.splitlines()
    if words:
        yield "  standard error ends with:"
        yield from (f"    {printable(line)}" for line in (words if verbose else _last(words)))
    yield f"  this one alone:  {reproduction(first.case, command)}"


def _last(words: Sequence[str]) -> list[str]:
    """The last lines, preceded by the error if it is not among them: Node prints a dump after it."""
    lines = [line for line in words if line.strip()]
    end = lines[-_WORDS:]
    error = None if any(map(_ERROR.match, end)) else next(filter(_ERROR.match, lines), None)
    return end if error is None else [error, "…", *end]


def groups(results: Sequence[CaseEnded]) -> list[list[CaseEnded]]:
    """Group the failures by problem, ignoring numbers and quoted words; the worst and most frequent come first."""
    found: dict[tuple[Outcome, str], list[CaseEnded]] = defaultdict(list)
    for result in sorted(results, key=lambda one: one.number):
        if result.outcome is not Outcome.EXACT:
            found[result.outcome, _PARTICULAR.sub("…", result.problem)].append(result)
    return sorted(found.values(), key=lambda group: (-_RANK[group[0].outcome], -len(group)))


def reproduction(case: Case, command: Sequence[str]) -> str:
    """A command line that runs only this case."""
    words = ["harness", "torture", "--cuts", case.plan]
    if case.cassette is not None:
        words += ["--cassette", case.cassette]
    if case.event_ids != "all":
        words += ["--event-ids", case.event_ids]
    if case.resume != "exclusive":
        words += ["--resume", case.resume]
    return shlex.join([*words, "--", *command])


def torture_record(
    started: TortureStarted, results: Sequence[CaseEnded], seconds: float, *, code: int
) -> dict[str, Any]:
    """The run as `schemas/output/torture.schema.json` describes it."""
    counts = Counter(result.outcome for result in results)
    return {
        "text": started.text,
        "exit": int(code),
        "seconds": round(seconds, 3),
        "counts": {str(outcome): counts[outcome] for outcome in Outcome},
        "cases": [_case_record(result) for result in sorted(results, key=lambda one: one.number)],
    }


def _case_record(result: CaseEnded) -> dict[str, Any]:
    case = result.case
    return {
        "plan": case.plan,
        "event_ids": case.event_ids,
        "resume": case.resume,
        "outcome": str(result.outcome),
        "problem": result.problem,
        "wire": list(result.wire),
        "stderr": result.ended.words,
        "seconds": round(result.ended.seconds, 3),
    }


def junit_cases(
    results: Sequence[CaseEnded], command: Sequence[str], passing: Container[Outcome]
) -> Iterator[junit.Case]:
    """A JUnit case for each case; those with the same ending form a suite."""
    for result in sorted(results, key=lambda one: one.number):
        exact = result.outcome is Outcome.EXACT
        yield junit.Case(
            suite=f"torture.{_row(result.case)}",
            name=str(result.case),
            tag=junit.Tag.PASSED if result.outcome in passing else junit.Tag.FAILURE,
            kind=str(result.outcome),
            message=result.problem,
            text="" if exact else "\n".join(group_lines([result], command, verbose=True)),
            seconds=result.ended.seconds,
        )


def _row(case: Case) -> str:
    """The label that all cases of one strip share: their ending and event ids."""
    last = parse(case.plan).connections[-1].faults[-1]
    marks = [str(last.drop) if isinstance(last, Cut) else str(last)]
    if case.event_ids != "all":
        marks.append(f"ids={case.event_ids}")
    return " ".join(marks)
