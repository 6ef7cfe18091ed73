"""A torture run in words: the verdict, the totals, and the run as plain data."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.benches.client.judgement.outcome import DropOutcome, is_case, list_cases, outcome_of, run_of
from harness.engine.events import PhaseFinished, Result
from harness.look import Mark, mark_of
from harness.outcome import Accounted, Exit, Reason
from harness.outcome.words import format_count, list_some
from harness.report.collected_run import (
    CollectedRun,
    LeftOut,
    RunVerdict,
    accounting_record,
    conclude,
    count_stale,
    sum_up,
)
from harness.report.evidence.evidence_text import Detail, client_lines
from harness.report.finding_text import ExplainedFailure, write_headline
from harness.report.json_report import code_record, outcome_record
from harness.report.page.matrix import MatrixCell, MatrixRow, OutcomeMatrix, StripCase
from harness.report.presented_run import PresentedRun, Section, describe_stale
from harness.report.screen import ROLES, Line, Paint, Role, leave_unpainted
from harness.report.story import read_run
from harness.wire.message import escape_controls
from harness.wire.stream_picture import CellKind, StreamPicture, draw_picture, picture_lines, spell_columns


class TortureRun(PresentedRun):
    """The words of `harness torture`."""

    title = "Client"
    badge = "torture"
    command = "torture"
    unaware = "the user"
    actor = "the client "
    noun = "case"
    live = False
    judges_server = False
    begins = "running the client without a fault"

    def conclude_run(self) -> RunVerdict:
        _, finished = self.whole()
        played = list_cases(finished.results)
        accounting, stale = self.accounting, count_stale(finished.results)
        others = len(finished.results) - len(played)
        counts, total = dict(accounting.counts), accounting.total - others
        counts[Accounted.FAILED] = counts.get(Accounted.FAILED, 0) - others
        if not played:
            return conclude(finished, f"no case of {total} was run", stale)
        if finished.exit is Exit.NOTHING_RAN:
            shown = any(run_of(result).is_shown for result in played)
            why = "no fault took effect" if shown else "the client showed nothing of what it received"
            return conclude(finished, f"{why} in any of {format_count(total, 'case')}", stale)
        failed = ([one for one in group if one.outcome is Accounted.FAILED] for group in groups(played))
        causes = list(dict.fromkeys(group[0].explained_by for group in failed if group))
        why = f"{format_count(len(causes), 'cause')}: {list_some(causes, 3)}"
        parts = sum_up(counts, sum(accounting.baselined.values()), self.noun, lambda: why)
        helpless = all(outcome_of(result) is DropOutcome.COULD_NOT for result in played)
        return conclude(finished, *parts, "no case left the client a way to the result" if helpless else "", stale)

    def count_score(self) -> str:
        cases = list_cases(self.results)
        failed = sum(result.outcome is Accounted.FAILED for result in cases)
        passed = sum(result.outcome is Accounted.PASSED for result in cases)
        if failed:
            return f"{failed} of {format_count(len(cases), 'case')} failed"
        return f"{passed} of {format_count(len(cases), 'case')} passed"

    def details(self) -> Iterator[str]:
        return iter(())

    def left_out(self) -> Iterator[LeftOut]:
        if skipped := sum(count_untried(self).values()):
            yield LeftOut(
                skipped, Accounted.EXCLUDED, "after equal failures of their kind; `--enough 0` runs them"
            )
        if left := self.planned.checks - len(list_cases(self.results)) - skipped:
            if self.whole()[1].halted:
                yield LeftOut(left, Accounted.NOT_TESTED, "the run ended early", Reason.NOT_REACHED)
            else:
                yield LeftOut(left, Accounted.EXCLUDED, "after the first failure (`--fail-fast`)")

    def matrices(self) -> Iterator[OutcomeMatrix]:
        yield fault_matrix(self)
        if (drops := drop_map(self)) is not None:
            yield drops

    def record(self) -> dict[str, Any]:
        _, finished = self.whole()
        counts = Counter(map(outcome_of, list_cases(finished.results)))
        stale = [describe_stale(result) for result in finished.results if not is_case(result)]
        return {
            "client": self.target.name if self.target else "",
            "text": self.phases[0].notes[0] if self.phases else "",
            "events": self.whole_stream,
            "exit": int(finished.exit),
            "accounting": accounting_record(finished, self.accounting, self.verdict),
            "seconds": round(finished.seconds, 3),
            "counts": {str(outcome): counts[outcome] for outcome in DropOutcome},
            "untried": [{"kind": kind, "cases": cases} for kind, cases in count_untried(self).items()],
            "cases": [_record_case(result) for result in list_cases(finished.results)],
            **({"stale": stale} if stale else {}),
            **({"halted": finished.halted} if finished.halted else {}),
        }

    def list_facts(self) -> list[tuple[str, str]]:
        return [("events", str(self.whole_stream))]

    def sections(self) -> Iterator[Section]:
        kinds = tuple(kind_lines(self))
        if kinds:
            yield Section("Kinds of cases", kinds, drawn=True)

    def describe(self, result: Result) -> str:
        if not is_case(result):
            return ""
        problem = describe_problem(result)
        brief = _QUOTED.sub("", problem.rpartition(": ")[0] or problem)
        return f"{self.actor}{brief}" if problem else str(outcome_of(result))

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

    def describe_phase(self, phase: PhaseFinished) -> Iterator[str]:
        if phase is not self.phases[0]:
            return
        events, characters = phase.counts["events"], phase.counts["characters"]
        yield (
            f"without a drop the client is exact ({format_count(events, 'event')}, "
            f"{format_count(characters, 'character')}); now {format_count(self.planned.checks, 'case')}"
        )
        yield from map(escape_controls, phase.notes[1:])

    def format_result(self, result: Result, paint: Paint) -> str:
        if not is_case(result):
            return f"{self.kind(result).upper()} {result.id}: {describe_stale(result)}"
        outcome = outcome_of(result)
        word = paint(ROLES[result.outcome], f"{result.outcome.word.upper():<11} {outcome}")
        problem = "".join(f": {escape_controls(f.message)}" for f in result.observation.findings)
        return f"{word} {result.title} ({result.seconds:.2f} s){problem}"

    def closing(self, paint: Paint, *, verbose: bool) -> Iterator[str]:
        yield from kind_lines(self, paint)
        if (drops := drop_map(self)) is not None:
            yield from map_lines(drops, paint)
        if unharmed := [result for result in list_cases(self.results) if run_of(result).unharmed]:
            cases = format_count(len(unharmed), "case")
            yield f"\nno fault took effect in {cases}, so they prove nothing: {_name_some(unharmed)}"

    def explain_failures(self, paint: Paint, *, detail: Detail) -> Iterator[ExplainedFailure]:
        for group in groups(self.results):
            headline, *lines = group_lines(group, self, paint, verbose=detail is not Detail.BRIEF)
            yield ExplainedFailure(headline, lines)

    def reasons(self) -> Iterator[str]:
        """The detail words of the cases."""
        counts = Counter(map(outcome_of, list_cases(self.results)))
        if counts:
            yield f"outcomes: {', '.join(f'{counts[one]} {one}' for one in DropOutcome if counts[one])}"

    def notes(self) -> Iterator[str]:
        yield from self.reasons()
        if skipped := sum(count_untried(self).values()):
            yield f"excluded: {format_count(skipped, 'case')} after equal failures (`--enough 0` runs them)"
        yield from self.next_steps()

    def next_steps(self) -> Iterator[str]:
        if count_stale(self.results):
            yield "help: `--baseline-update` removes stale entries from the baseline"
        yield from super().next_steps()


def _record_case(result: Result) -> dict[str, Any]:
    run, findings = run_of(result), result.observation.findings
    optional: dict[str, Any] = {"kind": run.kind, "baseline": result.excuse, "stray": list(run.stray)}
    for finding in findings:
        optional |= {"severity": str(findings[0].severity), **code_record(finding)}
    if findings and result.reproduction is not None:
        optional["command"] = result.reproduction.command
    requests = [
        {
            "at": round(one.at, 4),
            "request": one.request,
            "answer": one.answer,
            **({"fault": one.fault} if one.fault else {}),
            **({} if one.columns is None else {"events": spell_columns(one.columns)}),
            **({"start": one.start} if one.start else {}),
            **({"broke": one.broke} if one.broke else {}),
        }
        for one in run.moments
    ]
    return {
        "case": run.name,
        **run.settings,
        "row": run.row,
        **({} if run.event is None else {"event": run.event}),
        **outcome_record(result),
        "detail": str(outcome_of(result)),
        "problem": "; ".join(finding.message for finding in findings),
        "timeline": {"requests": requests, "end": run.end},
        "stderr": run.stderr,
        "seconds": round(result.seconds, 3),
        **{name: value for name, value in optional.items() if value not in ("", [])},
    }


class OutcomeLook(NamedTuple):
    """How an outcome is shown: its sign in the map of drops (capitals are broken rules), its color on a terminal,
    its mark on a page, and its column in the table of faults.
    """

    sign: str
    color: Role
    mark: Mark
    column: str


_WARNED = "warned"
_COLUMNS = ("right", "silent failure", "reported a failure", "hung", "had no way", _WARNED)

LOOKS = {
    DropOutcome.EXACT: OutcomeLook(".", Role.PASSED, mark_of("exact"), "right"),
    DropOutcome.RECOVERED: OutcomeLook("r", Role.PASSED, mark_of("exact"), "right"),
    DropOutcome.COULD_NOT: OutcomeLook("n", Role.PASSED, mark_of("refused"), "had no way"),
    DropOutcome.REPORTED: OutcomeLook("e", Role.WARNED, mark_of("gave-up"), "reported a failure"),
    DropOutcome.CRASHED: OutcomeLook("c", Role.WARNED, mark_of("gave-up"), "reported a failure"),
    DropOutcome.HUNG: OutcomeLook("t", Role.NOT_TESTED, mark_of("hung"), "hung"),
    DropOutcome.WRONG_STATUS: OutcomeLook("S", Role.FAILED, mark_of("wrong"), "silent failure"),
    DropOutcome.HOLE: OutcomeLook("H", Role.FAILED, mark_of("wrong"), "silent failure"),
    DropOutcome.DUPLICATED: OutcomeLook("D", Role.FAILED, mark_of("wrong"), "silent failure"),
    DropOutcome.SILENT_LOSS: OutcomeLook("L", Role.FAILED, mark_of("wrong"), "silent failure"),
    DropOutcome.LOST_CONTEXT: OutcomeLook("F", Role.FAILED, mark_of("wrong"), "silent failure"),
    DropOutcome.DOUBLE_CREATE: OutcomeLook("C", Role.FAILED, mark_of("wrong"), "silent failure"),
}

RANK = {outcome: rank for rank, outcome in enumerate(DropOutcome)}
"""How bad an outcome is: the worst last."""


def in_order(results: Sequence[Result]) -> list[Result]:
    """The results in the order of their cases."""
    return sorted(list_cases(results), key=lambda result: run_of(result).number)


def describe_problem(result: Result) -> str:
    """The defect in one case."""
    return "; ".join(escape_controls(finding.message) for finding in result.observation.findings)


def count_untried(state: CollectedRun) -> Counter[str]:
    """The kinds of cases that were given up, and how many cases of each were left out."""
    return +sum((Counter(phase.counts) for phase in state.phases[1:]), Counter[str]())


_REQUESTED = "requested"
"""The kind of cases that no set names."""


def _group_by_kind(state: CollectedRun) -> dict[str, list[Result]]:
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in in_order(state.results):
        kinds[run_of(result).kind or _REQUESTED].append(result)
    return kinds


def fault_matrix(state: CollectedRun) -> OutcomeMatrix:
    """A row for each kind of fault: how many cases came out how; a cell opens its cases."""
    kinds, skipped = _group_by_kind(state), count_untried(state)
    found = {_choose_column(result) for results in kinds.values() for result in results}
    columns = [column for column in _COLUMNS if column in found]
    return OutcomeMatrix(
        key="faults",
        title="The client and each fault",
        about="Cases by outcome. Open a cell for its cases, the first problem, and the command.",
        corner="Fault",
        columns=tuple(columns),
        rows=tuple(
            MatrixRow(
                name=kind,
                about=f"{format_count(len(results), 'case')}"
                + (f", {skipped[kind]} excluded" if kind in skipped else ""),
                cells=tuple(outcome_cell(kind, results, column, state) for column in columns),
            )
            for kind, results in kinds.items()
        ),
    )


def _choose_column(result: Result) -> str:
    """The column of a case: how the client ended, unless the run excuses a wrong result."""
    column = LOOKS[outcome_of(result)].column
    return _WARNED if column == "silent failure" and result.outcome is Accounted.WARNED else column


def outcome_cell(kind: str, results: Sequence[Result], column: str, state: CollectedRun) -> MatrixCell | None:
    """Those of the cases of a kind that came out alike; None if none did."""
    alike = [result for result in results if _choose_column(result) == column]
    if not alike:
        return None
    first = max(alike, key=lambda result: RANK[outcome_of(result)])
    mark = mark_of(str(Accounted.WARNED)) if column == _WARNED else LOOKS[outcome_of(first)].mark
    outcomes = Counter(map(outcome_of, alike))
    listed = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in DropOutcome if outcomes[outcome])
    return MatrixCell(
        text=f"{len(alike)}/{len(results)}",
        words=f"{kind}: {listed}",
        mark=mark,
        title=f"{kind}: {listed}. Each mark is a case, in the order of the stream.",
        cases=tuple(
            StripCase(
                sign=LOOKS[outcome_of(result)].sign, words=f"{result.title}: {outcome_of(result)}", mark=mark
            )
            for result in alike
        ),
        **(_show_case(first, state) if first.observation.findings else {}),
    )


def _show_case(result: Result, state: CollectedRun) -> dict[str, Any]:
    """The content of a matrix cell for one case, when it is opened."""
    bad = bool(result.observation.findings)
    return {
        "lines": (f"At {result.title} the client {describe_problem(result)}",) if bad else (),
        "wire": tuple(client_lines(run_of(result), verbose=False)),
        "picture": picture_of(result, state),
        "command": escape_controls(result.reproduction.command) if result.reproduction else "",
    }


_QUOTED = re.compile(r" \('.{0,300}?'\)")
"""The text that a problem quotes, which a list leaves out."""

_NAMED = 6
"""Most cases of a group that are named."""


def kind_lines(state: CollectedRun, paint: Paint = leave_unpainted) -> Iterator[str]:
    """A line for each kind of cases, if there are kinds: how they came out, and how many were left out."""
    kinds, skipped = _group_by_kind(state), count_untried(state)
    if not kinds.keys() - {_REQUESTED}:
        return
    width = max(map(len, kinds))
    for kind, results in kinds.items():
        outcomes = Counter(map(outcome_of, results))
        words = [paint(LOOKS[o].color, f"{outcomes[o]} {o}") for o in DropOutcome if outcomes[o]]
        left = [f"{skipped[kind]} excluded"] if kind in skipped else []
        yield f"  {kind:<{width}}  {', '.join([*words, *left])}"
    yield ""


_OPEN = " Open a cell for its cases and for what the client received."
"""What a page adds to its map of drops."""


def drop_map(state: CollectedRun) -> OutcomeMatrix | None:
    """A row for each kind of ending, a column for each event: the worst outcome of the cuts there."""
    rows: dict[str, dict[int, list[Result]]] = defaultdict(lambda: defaultdict(list))
    events = state.whole_stream
    each = -(-(events + 1) // 40)  # at most 40 columns: of a longer stream several events share one
    for result in in_order(state.results):
        run = run_of(result)
        if run.event is not None:
            rows[run.row][min(run.event, events) // each].append(result)
    if not rows:
        return None
    found = {outcome_of(one) for cuts in rows.values() for results in cuts.values() for one in results}
    return OutcomeMatrix(
        key="drops",
        title="The stream, event by event",
        about=f"A column is {'an event' if each == 1 else f'{each} events'} of the stream, a row is a way to cut "
        f"the stream there.{_OPEN}",
        legend=tuple(
            StripCase(sign=look.sign, words=str(outcome), mark=look.mark)
            for outcome, look in LOOKS.items()
            if outcome in found
        ),
        corner="Cut",
        columns=tuple(str(number * each) for number in range(-(-(events + 1) // each))),
        rows=tuple(
            MatrixRow(
                name=row,
                about=format_count(sum(map(len, cuts.values())), "case"),
                cells=tuple(
                    _drop_cell(row, number * each, cuts[number], state) if number in cuts else None
                    for number in range(-(-(events + 1) // each))
                ),
            )
            for row, cuts in rows.items()
        ),
        narrow=True,
    )


def _drop_cell(row: str, event: int, results: Sequence[Result], state: CollectedRun) -> MatrixCell:
    worst = max(results, key=lambda result: RANK[outcome_of(result)])
    outcome = outcome_of(worst)
    return MatrixCell(
        text=LOOKS[outcome].sign,
        words=f"cut at event {event}: {outcome}",
        mark=LOOKS[outcome].mark,
        title=f"{row}, cut at event {event}: {', '.join(f'{one.title}: {outcome_of(one)}' for one in results)}",
        **_show_case(worst, state),
    )


def picture_of(result: Result, state: CollectedRun) -> StreamPicture | None:
    """The stream that the client received in a case, in the columns of the whole one; None without any."""
    readings = list(read_run(run_of(result), state.display))
    return draw_picture(readings, total=state.whole_stream) if readings else None


def map_lines(drops: OutcomeMatrix, paint: Paint = leave_unpainted) -> Iterator[str]:
    """The map of drops for a terminal: a line for each kind of ending, with a sign for each column."""
    colors = {look.sign: look.color for look in LOOKS.values()}
    width = max(len(row.name) for row in drops.rows)
    for row in drops.rows:
        signs = (" " if cell is None else paint(colors[cell.text], cell.text) for cell in row.cells)
        yield f"  {row.name:<{width}}  {''.join(signs)}".rstrip()
    legend = ", ".join(f"{one.sign} {one.words}" for one in drops.legend)
    yield f"  {drops.about.removesuffix(f'.{_OPEN}')}: {legend}"


def _name_some(results: Sequence[Result]) -> str:
    named = ", ".join(result.title for result in results[:_NAMED])
    return f"{named}{', …' if len(results) > _NAMED else ''}"


def group_lines(
    group: Sequence[Result], state: CollectedRun, paint: Paint = leave_unpainted, *, verbose: bool = False
) -> Iterator[Line]:
    """One kind of failure: how often it occurred, its first case in full, and a command that runs only that."""
    first, run, rule = group[0], run_of(group[0]), group[0].rule
    finding = first.observation.findings[0]
    problems = list(dict.fromkeys(map(describe_problem, group)))
    title = f"the client {problems[0]}"
    yield write_headline(paint, first.outcome, finding.stable_code, rule.level, title)
    if first.excuse:
        yield Line(f"baseline: {first.excuse}")
    yield Line(f"{format_count(len(group), 'case')} ({outcome_of(first)}): {_name_some(group)}")
    yield from (Line(f"also: {problem}") for problem in problems[1 : 1 + 3 * verbose])
    if verbose or first.outcome is Accounted.FAILED:
        if rule.breaks:
            yield Line(f"what breaks: {rule.breaks}")
        yield Line(f"case {run.name}:")
        yield from client_lines(run, verbose=verbose)
        if (picture := picture_of(first, state)) is not None and picture.kinds != {CellKind.CAME}:
            yield Line("received:")
            yield from (Line(f"  {line}") for line in picture_lines(picture, most=56))
    if first.reproduction is not None:
        yield Line(f"this case alone: {escape_controls(first.reproduction.command)}", Role.COMMAND)
    yield Line(f"source: {rule.source}", Role.QUIET)


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Group the failures by code, in the order of `list_causes`: the worst and most frequent first."""
    found: dict[str, list[Result]] = defaultdict(list)
    for result in in_order(results):
        for finding in result.observation.findings:
            found[finding.stable_code].append(result)
    return sorted(found.values(), key=lambda group: (min(one.urgency[:-1] for one in group), -len(group)))
