"""A torture run in words: the headline, the totals, and the run as plain data.

Layer 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.benches.client.judgement.outcome import DropOutcome, is_case, list_cases, outcome_of, run_of
from harness.engine.results import ClientRun, Result
from harness.outcome import Exit, Severity, Verdict
from harness.outcome.words import format_count
from harness.report.causes import describe_stale
from harness.report.commands.presentation import LeftOut, Paint, Presentation, Section
from harness.report.commands.torture_lines import (
    group_lines,
    groups,
    kind_lines,
    strip_lines,
    unharmed_lines,
)
from harness.report.commands.torture_matrix import fault_matrix
from harness.report.commands.torture_outcomes import SIGNS, list_untried
from harness.report.ledger_text import Headline, count_stale, make_headline, say_early
from harness.report.records import code_record

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.page.matrix import OutcomeMatrix
    from harness.report.run_state import RunState

_UNHARMED = "no fault befell the client in any case"
_BEST = (DropOutcome.EXACT, DropOutcome.RECOVERED)


class TorturePresentation(Presentation):
    """The words of `harness torture`."""

    subject = "Client"
    badge = "drops survived"
    command = "torture"
    states = ("survives", "does not survive")
    unaware = "the user"
    noun = "case"
    live = False
    lists_causes = True
    conclusions = {
        Exit.OK: "the client survives every case that was tried",
        Exit.FAILED: "the client does not survive every case",
        Exit.NOTHING_RAN: "nothing ran: no case was played, so this says nothing of the client",
        Exit.UNREACHABLE: "not every case was played, so this says nothing of the others",
    }

    def headline(self, state: RunState) -> Headline:
        _, finished = state.whole()
        outcomes = Counter(map(outcome_of, list_cases(finished.results)))
        played = list_cases(finished.results)
        planned = max(state.planned.checks, len(played))
        right = sum(outcomes[best] for best in _BEST)
        if finished.exit is Exit.NOTHING_RAN and played:
            return make_headline(finished, _UNHARMED, count_stale(finished))
        if right == planned and right:
            where = "the only case" if planned == 1 else f"all {planned} cases"
            return make_headline(finished, f"the client ends right in {where}", count_stale(finished))
        left = planned - len(played)
        untold = sum(map(_tells_no_status, played))
        told = [
            _describe_silent(played),
            _conjugate(untold, "reports", "report", "a run that did not complete as a success (a warning)"),
            _conjugate(outcomes[DropOutcome.REPORTED], "ends", "end", "with an error"),
            _conjugate(outcomes[DropOutcome.CRASHED], "crashes", "crash"),
            _conjugate(outcomes[DropOutcome.HUNG], "never ends", "never end"),
            _conjugate(outcomes[DropOutcome.COULD_NOT], "leaves", "leave", "it no way"),
            _conjugate(left, "was", "were", "not tried"),
            count_stale(finished),
        ]
        said = f"the client ends right in {right} of {planned} cases"
        return make_headline(finished, say_early(finished), said, ", ".join(filter(None, told)))

    def left_out(self, state: RunState) -> Iterator[LeftOut]:
        skipped = sum(item["cases"] for item in list_untried(state))
        if skipped:
            yield LeftOut(skipped, "not tried", "after equal failures of their kind; --enough 0 tries them")
        if left := state.planned.checks - len(list_cases(state.results)) - skipped:
            yield LeftOut(left, "not run", "the run ended early")

    def matrices(self, state: RunState) -> Iterator[OutcomeMatrix]:
        yield fault_matrix(state)

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        from harness.report.shards.shard_record import part_record

        _, finished = state.whole()
        counts = Counter(map(outcome_of, list_cases(finished.results)))
        stale = [describe_stale(result) for result in finished.results if not is_case(result)]
        record: dict[str, Any] = state.mask.tree(
            {
                "client": state.target.name if state.target else "",
                "text": _choose_first_phase(state).notes[0],
                "events": _choose_first_phase(state).counts["events"],
                "exit": int(finished.exit),
                "seconds": round(finished.seconds, 3),
                "counts": {str(outcome): counts[outcome] for outcome in DropOutcome},
                "untried": list_untried(state),
                "cases": [_record_case(result) for result in list_cases(finished.results)],
                **({"stale": stale} if stale else {}),
                **({"halted": finished.halted} if finished.halted else {}),
                **({"shard": part_record(finished.part)} if finished.part else {}),
            }
        )
        return record

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [("events", str(_choose_first_phase(state).counts["events"]))]

    def sections(self, state: RunState) -> Iterator[Section]:
        kinds = tuple(kind_lines(state))
        if kinds:
            yield Section("Kinds of cases", kinds)
        lines = tuple(strip_lines(state.results, _choose_first_phase(state).counts["events"]))
        if lines:
            yield Section("The stream, drop by drop", lines)

    def suite(self, result: Result) -> str:
        if not is_case(result):
            return super().suite(result)
        run = run_of(result)
        return f"torture.{run.kind or run.row}"

    def case(self, result: Result) -> str:
        return result.title

    def kind(self, result: Result) -> str:
        return str(outcome_of(result)) if is_case(result) else super().kind(result)

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
        yield from (state.mask.show(note) for note in phase.notes[1:])

    def format_result(self, result: Result, state: RunState, paint: Paint) -> str:
        if not is_case(result):
            return f"{self.kind(result).upper()} {result.id}: {describe_stale(result)}"
        outcome = outcome_of(result)
        word = paint(SIGNS[outcome][1], f"{outcome.upper():<7}")
        problem = "".join(f": {state.mask.show(f.message)}" for f in result.observation.findings)
        return f"{word} {result.title} ({result.seconds:.2f} s){problem}"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        yield from kind_lines(state, paint)
        yield from strip_lines(state.results, _choose_first_phase(state).counts["events"], paint)
        for group in groups(state.results):
            headline, *rest = group_lines(group, state, verbose=verbose)
            yield from ("", paint(SIGNS[outcome_of(group[0])][1], headline), *rest)
        yield from (f"\n{line}" for line in unharmed_lines(state.results))

    def conclusion(self, state: RunState) -> str:
        _, finished = state.whole()
        said = super().conclusion(state)
        outcomes = Counter(map(outcome_of, list_cases(finished.results)))
        stale = count_stale(finished)
        if finished.exit is Exit.NOTHING_RAN and outcomes:
            said = f"nothing can be said: {_UNHARMED}"
        elif stale and finished.exit is Exit.FAILED and not finished.counts[Verdict.FAIL]:
            said = f"the client breaks nothing, but {stale}: --baseline-prune takes out what excuses nothing"
        elif finished.exit is Exit.OK and finished.counts[Verdict.WARN]:
            weak = format_count(finished.counts[Verdict.WARN], "case")
            said = f"the client breaks no promise, but is weak in {weak} (warnings; --strict fails on them)"
        elif finished.exit is Exit.OK and outcomes and not sum(outcomes[best] for best in _BEST):
            said = "nothing can be said: no case left the client a way to the result"
        elif finished.exit is Exit.OK and finished.counts[Verdict.XFAIL]:
            said += ", or is excused"
        return said

    def totals(self, state: RunState, paint: Paint) -> str | None:
        _, finished = state.whole()
        counts = Counter(map(outcome_of, list_cases(finished.results)))
        words = [paint(SIGNS[o][1], f"{counts[o]} {o}") for o in DropOutcome if counts[o]]
        skipped = sum(item["cases"] for item in list_untried(state))
        words += [f"{skipped} not tried after equal failures (--enough 0 tries them)"] if skipped else []
        left = state.planned.checks - len(list_cases(finished.results)) - skipped
        words += [f"{left} not run"] if left else []
        excused = finished.counts[Verdict.XFAIL]
        words += [f"{excused} excused by the baseline"] if excused else []
        stale = count_stale(finished)
        words += [f"{stale} (--baseline-prune)"] if stale else []
        return f"\n{format_count(state.planned.checks, 'case')}: {', '.join(words)} in {finished.seconds:.1f} s"


def _conjugate(number: int, one: str, more: str, *rest: str) -> str:
    """What so many cases do, by the verb for one or for more; "" if none does."""
    return " ".join((str(number), one if number == 1 else more, *rest)) if number else ""


def _tells_no_status(result: Result) -> bool:
    """Whether all that is wrong is that a run that failed is reported without its status."""
    return any(finding.severity is Severity.NON_STRICT for finding in result.observation.findings)


def _choose_first_phase(state: RunState) -> PhaseFinished:
    """How the client read the stream without a fault; an empty one if the run ended before that."""
    from harness.engine.events import PhaseFinished

    return state.phases[0] if state.phases else PhaseFinished(name="", counts={"events": 0}, notes=("",))


def _describe_silent(results: Sequence[Result]) -> str:
    """How many cases break a promise and tell nobody, and what is wrong in them; "" if none does."""
    silent = [outcome_of(result) for result in results if not _tells_no_status(result)]
    counts = Counter(outcome for outcome in silent if SIGNS[outcome][0].isupper())
    if not counts:
        return ""
    which = ", ".join(f"{counts[outcome]} {outcome}" for outcome in DropOutcome if counts[outcome])
    return _conjugate(counts.total(), "breaks", "break", f"a MUST without a word ({which})")


def _record_case(result: Result) -> dict[str, Any]:
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
        "timeline": _record_timeline(run),
        **({"stray": list(run.stray)} if run.stray else {}),
        "stderr": run.stderr,
        "seconds": round(result.seconds, 3),
        **({"command": result.reproduction.command} if findings and result.reproduction is not None else {}),
    }


def _record_timeline(run: ClientRun) -> dict[str, Any]:
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
