"""A torture run in words: the verdict, the totals, and the run as plain data.

Layer 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.benches.client.judgement.outcome import DropOutcome, is_case, list_cases, outcome_of, run_of
from harness.engine.results import ClientRun, Result
from harness.outcome import Accounted, Exit, Reason
from harness.outcome.words import format_count, list_some
from harness.report.accounting import (
    LeftOut,
    RunVerdict,
    accounting_record,
    conclude,
    count_stale,
    list_counts,
)
from harness.report.causes import describe_stale, key_of
from harness.report.commands.presentation import COLORS, Paint, Presentation, Section
from harness.report.commands.torture_lines import (
    group_lines,
    groups,
    kind_lines,
    strip_lines,
    unharmed_lines,
)
from harness.report.commands.torture_matrix import fault_matrix
from harness.report.commands.torture_outcomes import list_untried
from harness.report.records import code_record, outcome_record

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.page.matrix import OutcomeMatrix
    from harness.report.run_state import RunState


class TorturePresentation(Presentation):
    """The words of `harness torture`."""

    subject = "Client"
    badge = "drops survived"
    command = "torture"
    unaware = "the user"
    noun = "case"
    live = False
    lists_causes = True

    def verdict(self, state: RunState) -> RunVerdict:
        """The sum of the cases."""
        _, finished = state.whole()
        played = list_cases(finished.results)
        accounting = self.accounting(state)
        stale = count_stale(finished.results)
        counts, total = dict(accounting.counts), accounting.total
        counts[Accounted.FAILED] = counts.get(Accounted.FAILED, 0) - (len(finished.results) - len(played))
        total -= len(finished.results) - len(played)
        if finished.exit is Exit.NOTHING_RAN and played:
            return conclude(finished, f"no fault took effect in any of {format_count(total, 'case')}", stale)
        if not played:
            return conclude(finished, f"no case of {total} was run", stale)
        baselined = sum(accounting.baselined.values())
        passed, failed = counts.get(Accounted.PASSED, 0), counts[Accounted.FAILED]
        if passed == total:
            said = [f"all {total} cases passed" if total > 1 else "the only case passed"]
        elif failed:
            causes = list(dict.fromkeys(key_of(r) for r in played if r.outcome is Accounted.FAILED))
            why = f"{format_count(len(causes), 'cause')}: {list_some(causes, 3)}"
            said = [
                f"{failed} of {format_count(total, 'case')} failed ({why})",
                list_counts(counts, baselined, without=Accounted.FAILED),
            ]
        else:
            others = list_counts(counts, baselined, without=Accounted.PASSED)
            said = ["no case failed", f"{passed} of {total} passed, {others}"]
        helpless = all(outcome_of(result) is DropOutcome.COULD_NOT for result in played)
        return conclude(finished, *said, "no case left the client a way to the result" if helpless else "", stale)

    def details(self, state: RunState) -> Iterator[str]:
        return iter(())

    def left_out(self, state: RunState) -> Iterator[LeftOut]:
        skipped = sum(item["cases"] for item in list_untried(state))
        if skipped:
            yield LeftOut(
                skipped, Accounted.EXCLUDED, "after equal failures of their kind; `--enough 0` runs them"
            )
        if left := state.planned.checks - len(list_cases(state.results)) - skipped:
            if state.whole()[1].halted:
                yield LeftOut(left, Accounted.NOT_TESTED, "the run ended early", Reason.NOT_REACHED)
            else:
                yield LeftOut(left, Accounted.EXCLUDED, "after the first failure (`--fail-fast`)")

    def matrices(self, state: RunState) -> Iterator[OutcomeMatrix]:
        yield fault_matrix(state)

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
                "accounting": accounting_record(finished, self.accounting(state), self.verdict(state)),
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
        word = super().kind(result)
        return f"{word}: {outcome_of(result)}" if is_case(result) else word

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
        word = paint(COLORS[result.outcome], f"{result.outcome.word.upper():<11} {outcome}")
        problem = "".join(f": {state.mask.show(f.message)}" for f in result.observation.findings)
        return f"{word} {result.title} ({result.seconds:.2f} s){problem}"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        yield from kind_lines(state, paint)
        yield from strip_lines(state.results, _choose_first_phase(state).counts["events"], paint)
        for group in groups(state.results):
            headline, *rest = group_lines(group, state, verbose=verbose)
            yield from ("", paint(COLORS[group[0].outcome], headline), *rest)
        yield from (f"\n{line}" for line in unharmed_lines(state.results))

    def notes(self, state: RunState) -> Iterator[str]:
        """The detail words of the cases, and what the options left out."""
        cases = list_cases(state.results)
        counts = Counter(map(outcome_of, cases))
        if cases:
            yield f"outcomes: {', '.join(f'{counts[one]} {one}' for one in DropOutcome if counts[one])}"
        if skipped := sum(item["cases"] for item in list_untried(state)):
            yield f"excluded: {format_count(skipped, 'case')} after equal failures (`--enough 0` runs them)"
        if count_stale(state.results):
            yield "help: `--baseline-prune` removes stale entries from the baseline"


def _choose_first_phase(state: RunState) -> PhaseFinished:
    """How the client read the stream without a fault; an empty one if the run ended before that."""
    from harness.engine.events import PhaseFinished

    return state.phases[0] if state.phases else PhaseFinished(name="", counts={"events": 0}, notes=("",))


def _record_case(result: Result) -> dict[str, Any]:
    run = run_of(result)
    findings = result.observation.findings
    return {
        "case": run.name,
        **run.settings,
        "row": run.row,
        **({} if run.event is None else {"event": run.event}),
        **({"kind": run.kind} if run.kind else {}),
        **outcome_record(result),
        "detail": str(outcome_of(result)),
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
