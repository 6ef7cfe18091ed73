"""A torture run in words: a strip of the stream for each ending, and the failures in groups.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.engine.results import ClientRun, Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Exit, Severity, Verdict
from harness.outcome.words import format_count
from harness.report.commands.presentation import LeftOut, Paint, Presentation, Section
from harness.report.evidence.evidence_text import client_lines
from harness.report.evidence.exchange_text import printable
from harness.report.ledger_text import name_part
from harness.report.page.matrix import MatrixCell, MatrixColumn, MatrixRow, OutcomeMatrix, StripCase
from harness.report.records import code_record

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.run_state import RunState

_SIGNS = {
    DropOutcome.EXACT: (".", "32"),
    DropOutcome.RECOVERED: ("r", "32"),
    DropOutcome.COULD_NOT: ("n", "32"),
    DropOutcome.REPORTED: ("e", "33"),
    DropOutcome.CRASHED: ("c", "33"),
    DropOutcome.HUNG: ("t", "35;1"),
    DropOutcome.WRONG_STATUS: ("S", "31;1"),
    DropOutcome.HOLE: ("H", "31;1"),
    DropOutcome.DUPLICATED: ("D", "31;1"),
    DropOutcome.SILENT_LOSS: ("L", "31;1"),
    DropOutcome.DOUBLE_CREATE: ("C", "31;1"),
}
"""The sign and the colour of each outcome: capitals are broken promises."""

_RANK = {outcome: rank for rank, outcome in enumerate(DropOutcome)}
_BEST = (DropOutcome.EXACT, DropOutcome.RECOVERED)
_NAMED = 6
"""Most cases of a group that are named."""
_ALSO = 3
"""Most sentences of a group besides that of its first case."""


class TorturePresentation(Presentation):
    """The words of `harness torture`."""

    subject = "Client"
    badge = "drops survived"
    command = "torture"
    states = ("survives", "does not survive")
    noun = "case"
    live = False
    lists_causes = True
    conclusions = {
        Exit.OK: "the client survives every case that was tried",
        Exit.FAILED: "the client does not survive every case",
        Exit.NOTHING_RAN: "nothing ran: no case was played, so this says nothing of the client",
        Exit.UNREACHABLE: "not every case was played, so this says nothing of the others",
    }

    def headline(self, state: RunState) -> str:
        _, finished = state.whole()
        outcomes = Counter(map(outcome_of, finished.results))
        planned = max(state.planned.checks, len(finished.results))
        right = sum(outcomes[best] for best in _BEST)
        if right == planned and right:
            return name_part(finished, f"the client ends right in all {planned} cases.")
        left = planned - len(finished.results)
        untold = sum(map(_tells_no_status, finished.results))
        told = [
            _describe_silent(finished.results),
            f"{untold} {'leaves' if untold == 1 else 'leave'} a failed run untold (a warning)" if untold else "",
            f"{outcomes[DropOutcome.REPORTED]} end with an error" if outcomes[DropOutcome.REPORTED] else "",
            f"{outcomes[DropOutcome.CRASHED]} crash" if outcomes[DropOutcome.CRASHED] else "",
            f"{outcomes[DropOutcome.HUNG]} never end" if outcomes[DropOutcome.HUNG] else "",
            f"{outcomes[DropOutcome.COULD_NOT]} leave it no way" if outcomes[DropOutcome.COULD_NOT] else "",
            f"{left} {'was' if left == 1 else 'were'} not tried" if left else "",
        ]
        early = "the run ended early; " if finished.halted else ""
        said = f"{early}the client ends right in {right} of {planned} cases"
        return name_part(finished, f"{said}; {', '.join(filter(None, told))}.")

    def left_out(self, state: RunState) -> Iterator[LeftOut]:
        skipped = sum(item["cases"] for item in list_untried(state))
        if skipped:
            yield LeftOut(skipped, "not tried", "after equal failures of their kind; --enough 0 tries them")
        if left := state.planned.checks - len(state.results) - skipped:
            yield LeftOut(left, "not run", "the run ended early")

    def matrices(self, state: RunState) -> Iterator[OutcomeMatrix]:
        yield fault_matrix(state)

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        from harness.report.shards.shard_record import part_record

        _, finished = state.whole()
        counts = Counter(map(outcome_of, finished.results))
        record: dict[str, Any] = state.mask.tree(
            {
                "client": state.target.name if state.target else "",
                "text": state.phases[0].notes[0],
                "events": state.phases[0].counts["events"],
                "exit": int(finished.exit),
                "seconds": round(finished.seconds, 3),
                "counts": {str(outcome): counts[outcome] for outcome in DropOutcome},
                "untried": list_untried(state),
                "cases": [_case_record(result) for result in finished.results],
                **({"halted": finished.halted} if finished.halted else {}),
                **({"shard": part_record(finished.part)} if finished.part else {}),
            }
        )
        return record

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [("events", str(state.phases[0].counts["events"]))]

    def sections(self, state: RunState) -> Iterator[Section]:
        kinds = tuple(kind_lines(state))
        if kinds:
            yield Section("Kinds of cases", kinds)
        lines = tuple(strip_lines(state.results, state.phases[0].counts["events"]))
        if lines:
            yield Section("The stream, drop by drop", lines)

    def suite(self, result: Result) -> str:
        run = run_of(result)
        return f"torture.{run.kind or run.row}"

    def case(self, result: Result) -> str:
        return result.title

    def kind(self, result: Result) -> str:
        return str(outcome_of(result))

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        return iter(())

    def phase(self, phase: PhaseFinished, state: RunState) -> Iterator[str]:
        if phase is not state.phases[0]:
            return
        events, characters = phase.counts["events"], phase.counts["characters"]
        yield (
            f"without a drop the client is exact ({format_count(events, 'event')}, "
            f"{format_count(characters, 'character')}); now {format_count(state.planned.checks, 'case')}"
        )
        yield from (printable(state.mask.text(note)) for note in phase.notes[1:])

    def format_result(self, result: Result, state: RunState, paint: Paint) -> str:
        outcome = outcome_of(result)
        word = paint(_SIGNS[outcome][1], f"{outcome.upper():<7}")
        problem = "".join(f": {printable(state.mask.text(f.message))}" for f in result.observation.findings)
        return f"{word} {result.title} ({result.seconds:.2f} s){problem}"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        yield from kind_lines(state, paint)
        yield from strip_lines(state.results, state.phases[0].counts["events"], paint)
        for group in groups(state.results):
            headline, *rest = group_lines(group, state, verbose=verbose)
            yield from ("", paint(_SIGNS[outcome_of(group[0])][1], headline), *rest)

    def conclusion(self, state: RunState) -> str:
        _, finished = state.whole()
        said = super().conclusion(state)
        outcomes = Counter(map(outcome_of, finished.results))
        if finished.exit is Exit.OK and finished.counts[Verdict.WARN]:
            weak = format_count(finished.counts[Verdict.WARN], "case")
            said = f"the client breaks no promise, but is weak in {weak} (warnings; --strict fails on them)"
        elif finished.exit is Exit.OK and outcomes and not sum(outcomes[best] for best in _BEST):
            said = "nothing can be said: no case left the client a way to the result"
        elif finished.exit is Exit.OK and finished.counts[Verdict.XFAIL]:
            said += ", or is excused"
        return said

    def totals(self, state: RunState, paint: Paint) -> str | None:
        _, finished = state.whole()
        counts = Counter(map(outcome_of, finished.results))
        words = [paint(_SIGNS[o][1], f"{counts[o]} {o}") for o in DropOutcome if counts[o]]
        skipped = sum(item["cases"] for item in list_untried(state))
        words += [f"{skipped} not tried after equal failures (--enough 0 tries them)"] if skipped else []
        left = state.planned.checks - len(finished.results) - skipped
        words += [f"{left} not run"] if left else []
        excused = finished.counts[Verdict.XFAIL]
        words += [f"{excused} excused by the baseline"] if excused else []
        stale = finished.counts[Verdict.STALE]
        words += [f"{stale} exact now (--baseline-prune)"] if stale else []
        return f"\n{format_count(state.planned.checks, 'case')}: {', '.join(words)} in {finished.seconds:.1f} s"


def _tells_no_status(result: Result) -> bool:
    """Whether all that is wrong is that a run that failed is reported without its status."""
    return any(finding.severity is Severity.NON_STRICT for finding in result.observation.findings)


def _describe_silent(results: Sequence[Result]) -> str:
    """How many cases break a promise and tell nobody, and what is wrong in them; "" if none does."""
    silent = [outcome_of(result) for result in results if not _tells_no_status(result)]
    counts = Counter(outcome for outcome in silent if _SIGNS[outcome][0].isupper())
    if not counts:
        return ""
    which = ", ".join(f"{counts[outcome]} {outcome}" for outcome in DropOutcome if counts[outcome])
    return f"{counts.total()} {'breaks' if counts.total() == 1 else 'break'} a MUST without a word ({which})"


def list_untried(state: RunState) -> list[dict[str, Any]]:
    """The kinds of cases that were given up, and how many cases of each were left out."""
    return [
        {"kind": kind, "cases": cases}
        for phase in state.phases[1:]
        for kind, cases in phase.counts.items()
        if cases
    ]


def kind_lines(state: RunState, paint: Paint = lambda _, text: text) -> Iterator[str]:
    """A line for each kind of cases, if there are kinds: how they came out, and how many were left out."""
    skipped = {item["kind"]: item["cases"] for item in list_untried(state)}
    kinds: dict[str, Counter[DropOutcome]] = defaultdict(Counter)
    for result in _in_order(state.results):
        kinds[run_of(result).kind][outcome_of(result)] += 1
    if not any(kinds):
        return
    width = max(map(len, kinds))
    for kind, outcomes in kinds.items():
        words = [paint(_SIGNS[o][1], f"{outcomes[o]} {o}") for o in DropOutcome if outcomes[o]]
        left = [f"{skipped[kind]} not tried"] if kind in skipped else []
        yield f"  {kind or 'asked for':<{width}}  {', '.join([*words, *left])}"
    yield ""


def strip_lines(results: Sequence[Result], events: int, paint: Paint = lambda _, text: text) -> Iterator[str]:
    """A line for each kind of ending, with a sign for each event: the worst outcome of the cuts there."""
    strips: dict[str, dict[int, DropOutcome]] = defaultdict(dict)
    for result in _in_order(results):
        run = run_of(result)
        if run.event is not None:
            row, event = strips[run.row], min(run.event, events)
            row[event] = max(row.get(event, DropOutcome.EXACT), outcome_of(result), key=_RANK.__getitem__)
    if not strips:
        return
    width = max(map(len, strips))
    for name, row in strips.items():
        signs = (paint(_SIGNS[row[n]][1], _SIGNS[row[n]][0]) if n in row else " " for n in range(events + 1))
        yield f"  {name:<{width}}  {''.join(signs)}"
    shown = {outcome for row in strips.values() for outcome in row.values()}
    legend = ", ".join(f"{_SIGNS[outcome][0]} {outcome}" for outcome in DropOutcome if outcome in shown)
    yield f"  each column is an event of the stream, cut before or inside it: {legend}"


def group_lines(group: Sequence[Result], state: RunState, *, verbose: bool = False) -> Iterator[str]:
    """One kind of failure: how often it occurred, its first case in full, and a command that runs only that."""
    first, run = group[0], run_of(group[0])
    problems = list(dict.fromkeys(_problem(result, state) for result in group))
    times, rule = format_count(len(group), "case"), first.rule
    weight = f"a warning of {rule.id}" if first.verdict is Verdict.WARN else f"{rule.level} {rule.id}"
    yield f"{outcome_of(first).upper()} ({times}, {weight}) at {run.name} the client {problems[0]}"
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
    return sorted(results, key=lambda result: run_of(result).number)


def _problem(result: Result, state: RunState) -> str:
    return "; ".join(printable(state.mask.text(finding.message)) for finding in result.observation.findings)


def _case_record(result: Result) -> dict[str, Any]:
    run = run_of(result)
    findings = result.observation.findings
    return {
        "case": run.name,
        **run.settings,
        "row": run.row,
        **({} if run.event is None else {"event": run.event}),
        **({"kind": run.kind} if run.kind else {}),
        "outcome": str(outcome_of(result)),
        "verdict": str(result.verdict),
        **{name: value for finding in findings for name, value in code_record(finding).items()},
        **({"severity": str(findings[0].severity)} if findings else {}),
        **({"baseline": result.excuse} if result.excuse else {}),
        "problem": "; ".join(finding.message for finding in findings),
        "timeline": _timeline_record(run),
        **({"stray": list(run.stray)} if run.stray else {}),
        "stderr": run.stderr,
        "seconds": round(result.seconds, 3),
        **({"command": result.reproduction.command} if findings and result.reproduction is not None else {}),
    }


def _timeline_record(run: ClientRun) -> dict[str, Any]:
    """The case as it went: each request, its answer, what was done to it; and what the client made of it."""
    requests = [
        {
            "at": round(one.at, 4),
            "request": one.request,
            "answer": one.answer,
            **({"fault": one.fault} if one.fault else {}),
        }
        for one in run.moments
    ]
    return {"requests": requests, "end": run.end}


OUTCOME_MARKS = {
    **{outcome: mark_of("wrong") for outcome in DropOutcome},
    DropOutcome.EXACT: mark_of("exact"),
    DropOutcome.RECOVERED: mark_of("exact"),
    DropOutcome.COULD_NOT: mark_of("refused"),
    DropOutcome.REPORTED: mark_of("gave-up"),
    DropOutcome.CRASHED: mark_of("gave-up"),
    DropOutcome.HUNG: mark_of("hung"),
}
"""The shape and the colour of each outcome in a page."""

_COLUMNS: tuple[tuple[str, Mark], ...] = (
    ("right", mark_of("exact")),
    ("wrong without a word", mark_of("wrong")),
    ("gave up, honestly", mark_of("gave-up")),
    ("hung", mark_of("hung")),
    ("had no way", mark_of("refused")),
)
"""What can come of a case, and its mark."""


def fault_matrix(state: RunState) -> OutcomeMatrix:
    """A row for each kind of fault: how many cases came out how; a cell opens its cases."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in _in_order(state.results):
        kinds[run_of(result).kind or "asked for"].append(result)
    skipped = {item["kind"]: item["cases"] for item in list_untried(state)}
    return OutcomeMatrix(
        key="faults",
        title="The client and each fault",
        about="Cases by what came of them. Open a cell for its cases, the first problem, and the command.",
        corner="Fault",
        columns=tuple(MatrixColumn(name=name) for name, _ in _COLUMNS),
        rows=tuple(
            MatrixRow(
                name=kind,
                about=f"{format_count(len(results), 'case')}"
                + (f", {skipped[kind]} not tried" if kind in skipped else ""),
                cells=tuple(outcome_cell(kind, results, mark, state) for _, mark in _COLUMNS),
            )
            for kind, results in kinds.items()
        ),
    )


def outcome_cell(kind: str, results: Sequence[Result], mark: Mark, state: RunState) -> MatrixCell | None:
    """Those of the cases of a kind that came out alike; None if none did."""
    alike = [result for result in results if OUTCOME_MARKS[outcome_of(result)] == mark]
    if not alike:
        return None
    first = max(alike, key=lambda result: _RANK[outcome_of(result)])
    bad = bool(first.observation.findings)
    outcomes = Counter(map(outcome_of, alike))
    listed = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in DropOutcome if outcomes[outcome])
    return MatrixCell(
        text=f"{len(alike)}/{len(results)}",
        words=f"{kind}: {listed}",
        mark=mark,
        title=f"{kind}: {listed}. Each mark is a case, in the order of the stream.",
        cases=tuple(
            StripCase(sign=_SIGNS[outcome_of(result)][0], words=f"{result.title}: {outcome_of(result)}", mark=mark)
            for result in alike
        ),
        lines=(f"At {first.title} the client {_problem(first, state)}",) if bad else (),
        wire=tuple(client_lines(run_of(first), state.mask, verbose=False)) if bad else (),
        command=printable(state.mask.text(first.reproduction.command)) if bad and first.reproduction else "",
    )
