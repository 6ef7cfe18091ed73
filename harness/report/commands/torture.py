"""A torture run in words: a strip of the stream for each ending, and the failures in groups.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.benches.client.outcome import DropOutcome, outcome_of
from harness.engine.results import ClientRun, Result
from harness.outcome import Exit, Verdict
from harness.outcome.words import format_count
from harness.report.commands.presentation import Paint, Presentation, Section
from harness.report.evidence_text import client_lines
from harness.report.exchange_text import printable
from harness.report.records import code_record

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.run_state import RunState

_COLOUR = {DropOutcome.EXACT: "32", DropOutcome.GAVE_UP: "33", DropOutcome.WRONG: "31;1", DropOutcome.HUNG: "35;1"}
_SIGNS = {DropOutcome.EXACT: ".", DropOutcome.GAVE_UP: "g", DropOutcome.WRONG: "X", DropOutcome.HUNG: "T"}
_RANK = {outcome: rank for rank, outcome in enumerate(DropOutcome)}
_NAMED = 6
"""Most cases of a group that are named."""
_ALSO = 3
"""Most sentences of a group besides that of its first case."""


class TorturePresentation(Presentation):
    """The words of `harness torture`."""

    subject = "Client"
    badge = "drops survived"
    noun = "case"
    live = False
    conclusions = {
        Exit.OK: "the client survives every drop that was tried",
        Exit.FAILED: "the client does not survive every drop",
    }

    def headline(self, state: RunState) -> str:
        return ""

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        _, finished = state.whole()
        counts = Counter(map(outcome_of, finished.results))
        record: dict[str, Any] = state.mask.tree(
            {
                "text": state.phases[0].notes[0],
                "exit": int(finished.exit),
                "seconds": round(finished.seconds, 3),
                "counts": {str(outcome): counts[outcome] for outcome in DropOutcome},
                "cases": [_case_record(result) for result in finished.results],
            }
        )
        return record

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [("events", str(state.phases[0].counts["events"]))]

    def sections(self, state: RunState) -> Iterator[Section]:
        lines = tuple(strip_lines(state.results, state.phases[0].counts["events"]))
        if lines:
            yield Section("The stream, drop by drop", lines)

    def suite(self, result: Result) -> str:
        return f"torture.{_run(result).row}"

    def case(self, result: Result) -> str:
        return result.title

    def kind(self, result: Result) -> str:
        return str(outcome_of(result))

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        return iter(())

    def phase(self, phase: PhaseFinished, state: RunState) -> Iterator[str]:
        events, characters = phase.counts["events"], phase.counts["characters"]
        yield (
            f"without a drop the client is exact ({format_count(events, 'event')}, "
            f"{format_count(characters, 'character')}); now {format_count(state.planned.checks, 'case')}"
        )

    def format_result(self, result: Result, state: RunState, paint: Paint) -> str:
        outcome = outcome_of(result)
        word = paint(_COLOUR[outcome], f"{outcome.upper():<7}")
        problem = "".join(f": {printable(state.mask.text(f.message))}" for f in result.observation.findings)
        return f"{word} {result.title} ({result.seconds:.2f} s){problem}"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        yield from strip_lines(state.results, state.phases[0].counts["events"], paint)
        for group in groups(state.results):
            headline, *rest = group_lines(group, state, verbose=verbose)
            yield from ("", paint(_COLOUR[outcome_of(group[0])], headline), *rest)

    def conclusion(self, state: RunState) -> str:
        excused = state.whole()[1].counts[Verdict.XFAIL]
        return f"{super().conclusion(state)}{', or is excused' if excused else ''}"

    def totals(self, state: RunState, paint: Paint) -> str | None:
        _, finished = state.whole()
        counts = Counter(map(outcome_of, finished.results))
        words = [paint(_COLOUR[o], f"{counts[o]} {o}") for o in DropOutcome if counts[o]]
        left = state.planned.checks - len(finished.results)
        words += [f"{left} not run"] if left else []
        excused = finished.counts[Verdict.XFAIL]
        words += [f"{excused} excused by the baseline"] if excused else []
        stale = finished.counts[Verdict.STALE]
        words += [f"{stale} exact now (--baseline-prune)"] if stale else []
        return f"\n{format_count(state.planned.checks, 'case')}: {', '.join(words)} in {finished.seconds:.1f} s"


def strip_lines(results: Sequence[Result], events: int, paint: Paint = lambda _, text: text) -> Iterator[str]:
    """A line for each kind of ending, with a sign for each event: the worst outcome of the cuts there."""
    strips: dict[str, dict[int, DropOutcome]] = defaultdict(dict)
    for result in _in_order(results):
        run = _run(result)
        if run.event is not None:
            row, event = strips[run.row], min(run.event, events)
            row[event] = max(row.get(event, DropOutcome.EXACT), outcome_of(result), key=_RANK.__getitem__)
    if not strips:
        return
    width = max(map(len, strips))
    for name, row in strips.items():
        signs = (paint(_COLOUR[row[n]], _SIGNS[row[n]]) if n in row else " " for n in range(events + 1))
        yield f"  {name:<{width}}  {''.join(signs)}"
    legend = ", ".join(f"{sign} {outcome}" for outcome, sign in _SIGNS.items())
    yield f"  each column is an event of the stream, cut before or inside it: {legend}"


def group_lines(group: Sequence[Result], state: RunState, *, verbose: bool = False) -> Iterator[str]:
    """One kind of failure: how often it occurred, its first case in full, and a command that runs only that."""
    first, run = group[0], _run(group[0])
    problems = list(dict.fromkeys(_problem(result, state) for result in group))
    times = format_count(len(group), "case")
    yield f"{outcome_of(first).upper()} ({times}) dropped at {run.name}, the client {problems[0]}"
    if first.excuse:
        yield f"  baseline: {state.mask.text(first.excuse)}"
    if len(group) > 1:
        named = ", ".join(result.title for result in group[:_NAMED])
        yield f"  cases: {named}{', …' if len(group) > _NAMED else ''}"
    if verbose:
        yield from (f"  also: {problem}" for problem in problems[1 : 1 + _ALSO])
    yield from (f"  {line}" for line in client_lines(run, state.mask, verbose=verbose))
    if first.reproduction is not None:
        yield f"  this one alone:  {printable(state.mask.text(first.reproduction.command))}"


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Group the failures by code; the worst and most frequent come first."""
    found: dict[str, list[Result]] = defaultdict(list)
    for result in _in_order(results):
        for finding in result.observation.findings:
            found[finding.stable_code].append(result)
    return sorted(found.values(), key=lambda group: (-_RANK[outcome_of(group[0])], -len(group)))


def _in_order(results: Sequence[Result]) -> list[Result]:
    return sorted(results, key=lambda result: _run(result).number)


def _run(result: Result) -> ClientRun:
    (run,) = result.evidence
    assert isinstance(run, ClientRun)
    return run


def _problem(result: Result, state: RunState) -> str:
    return "; ".join(printable(state.mask.text(finding.message)) for finding in result.observation.findings)


def _case_record(result: Result) -> dict[str, Any]:
    run = _run(result)
    findings = result.observation.findings
    return {
        **run.settings,
        "outcome": str(outcome_of(result)),
        "verdict": str(result.verdict),
        **{name: value for finding in findings for name, value in code_record(finding).items()},
        **({"baseline": result.excuse} if result.excuse else {}),
        "problem": "; ".join(finding.message for finding in findings),
        "wire": list(run.wire),
        "stderr": run.stderr,
        "seconds": round(result.seconds, 3),
    }
