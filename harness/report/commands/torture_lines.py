"""A torture run in lines: the kinds of cases, a strip of the stream for each ending, the failures in groups.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.benches.client.judgement.outcome import DropOutcome, list_cases, outcome_of, run_of
from harness.engine.results import Result
from harness.outcome import Verdict
from harness.outcome.words import format_count
from harness.report.commands.presentation import Paint
from harness.report.commands.torture_outcomes import RANK, SIGNS, describe_problem, in_order, list_untried
from harness.report.evidence.evidence_text import client_lines

if TYPE_CHECKING:
    from harness.report.run_state import RunState

_NAMED = 6
"""Most cases of a group that are named."""
_ALSO = 3
"""Most sentences of a group besides that of its first case."""


def kind_lines(state: RunState, paint: Paint = lambda _, text: text) -> Iterator[str]:
    """A line for each kind of cases, if there are kinds: how they came out, and how many were left out."""
    skipped = {item["kind"]: item["cases"] for item in list_untried(state)}
    kinds: dict[str, Counter[DropOutcome]] = defaultdict(Counter)
    for result in in_order(state.results):
        kinds[run_of(result).kind][outcome_of(result)] += 1
    if not any(kinds):
        return
    width = max(map(len, kinds))
    for kind, outcomes in kinds.items():
        words = [paint(SIGNS[o][1], f"{outcomes[o]} {o}") for o in DropOutcome if outcomes[o]]
        left = [f"{skipped[kind]} not tried"] if kind in skipped else []
        yield f"  {kind or 'asked for':<{width}}  {', '.join([*words, *left])}"
    yield ""


def strip_lines(results: Sequence[Result], events: int, paint: Paint = lambda _, text: text) -> Iterator[str]:
    """A line for each kind of ending, with a sign for each event: the worst outcome of the cuts there."""
    strips: dict[str, dict[int, DropOutcome]] = defaultdict(dict)
    for result in in_order(results):
        run = run_of(result)
        if run.event is not None:
            row, event = strips[run.row], min(run.event, events)
            row[event] = max(row.get(event, DropOutcome.EXACT), outcome_of(result), key=RANK.__getitem__)
    if not strips:
        return
    width = max(map(len, strips))
    for name, row in strips.items():
        signs = (paint(SIGNS[row[n]][1], SIGNS[row[n]][0]) if n in row else " " for n in range(events + 1))
        yield f"  {name:<{width}}  {''.join(signs)}"
    shown = {outcome for row in strips.values() for outcome in row.values()}
    legend = ", ".join(f"{SIGNS[outcome][0]} {outcome}" for outcome in DropOutcome if outcome in shown)
    yield f"  each column is an event of the stream, cut before or inside it: {legend}"


def unharmed_lines(results: Sequence[Result]) -> Iterator[str]:
    """Names the cases in which no planned fault took effect."""
    unharmed = [result for result in list_cases(results) if run_of(result).unharmed]
    if unharmed:
        cases = format_count(len(unharmed), "case")
        yield f"no fault took effect in {cases}, which therefore proves nothing: {_name_some(unharmed)}"


def _name_some(results: Sequence[Result]) -> str:
    named = ", ".join(result.title for result in results[:_NAMED])
    return f"{named}{', …' if len(results) > _NAMED else ''}"


def group_lines(group: Sequence[Result], state: RunState, *, verbose: bool = False) -> Iterator[str]:
    """One kind of failure: how often it occurred, its first case in full, and a command that runs only that."""
    first, run = group[0], run_of(group[0])
    problems = list(dict.fromkeys(describe_problem(result, state) for result in group))
    times, rule = format_count(len(group), "case"), first.rule
    weight = f"a warning of {rule.id}" if first.verdict is Verdict.WARN else f"{rule.level} {rule.id}"
    word = f"{first.outcome.word.upper()} {outcome_of(first)}"
    yield f"{word} ({times}, {weight}) at {run.name} the client {problems[0]}"
    if first.excuse:
        yield f"  baseline: {state.mask.text(first.excuse)}"
    if len(group) > 1:
        yield f"  cases: {_name_some(group)}"
    if verbose:
        yield from (f"  also: {problem}" for problem in problems[1 : 1 + _ALSO])
    yield from (f"  {line}" for line in client_lines(run, state.mask, verbose=verbose))
    if first.reproduction is not None:
        yield f"  this one alone:  {state.mask.show(first.reproduction.command)}"


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Group the failures by code; the worst and most frequent come first."""
    found: dict[str, list[Result]] = defaultdict(list)
    for result in in_order(results):
        for finding in result.observation.findings:
            found[finding.stable_code].append(result)
    return sorted(found.values(), key=lambda group: (-RANK[outcome_of(group[0])], -len(group)))
