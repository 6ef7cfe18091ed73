"""The words of a report that depend on the command: nouns, headings, extra sections, the conclusion.

`Presentation` itself is that of `harness check`; the other commands have theirs beside it. It only words the state
of a run; the format must not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from harness.engine.results import Result
from harness.outcome import Accounted, Exit, Outcome, Reason, Verdict
from harness.outcome.words import format_count, list_some
from harness.report.collected_run import (
    Accounting,
    CountedResult,
    LeftOut,
    RunVerdict,
    account_for,
    conclude_checks,
    detail_lines,
    list_other_failures,
)
from harness.report.evidence.evidence_text import Detail
from harness.report.finding_text import ExplainedFailure
from harness.report.screen import Paint
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.collected_run import CollectedRun
    from harness.report.page.matrix import OutcomeMatrix

EXPLAINED = frozenset({Verdict.FAIL, Verdict.ERROR})
"""Verdicts that a terminal explains at once; the others are one line each, or explained with -v."""

ERRED = "note: a harness error is a defect of the harness; report it with its traceback"
ERRED_OUTSIDE = (
    "note: a harness error of the extension {} is a defect of its module; correct it where its traceback points"
)

_SLOWER = "help: `--rate N` sends at most N requests a second, `--max-wait S` waits longer"


class FoldedLines(Struct, frozen=True):
    """Lines that a page shows when a reader opens them, below one that sums them up."""

    summary: str
    lines: tuple[str, ...]


class Section(Struct, frozen=True):
    """A part of a page beside the results: a strip, a table of engines, what was left out.

    `drawn`: a page has it as a table or as warnings already; other formats have these lines.
    """

    title: str
    lines: tuple[str, ...] = ()
    folded: tuple[FoldedLines, ...] = ()
    drawn: bool = False


class Presentation:
    """The words of one command; to ask them changes nothing, so that every format can ask in any order.

    `subject` heads a page, `badge` labels a badge; in both, `{api}` is the title of the API. `noun` is what one
    result is, `command` the command that made it. `unaware`: who does not notice a silent breach. `actor`: the
    subject of findings that are phrases without one. `live`: a terminal shows target, plan and results as they
    come; otherwise `closing` shows the results. `settings` are those of a configuration file that leave
    something out, as text, by key. `names_target`: it judges a server, which its first line names after
    `target_word`; otherwise the next steps name the command that prints the broken rules, for which its lines
    have no room. `times_exercises`: it lists the waits of exercises. `begins` is its first wait. `repeat` writes
    the line that runs it again for some results.
    """

    subject = "{api}"
    badge = "{api}"
    command = "check"
    noun = "check"
    unaware = "a client"
    actor = ""
    live = True
    names_target = True
    target_word = "target"
    times_exercises = False
    begins = "asking the target which capabilities it has"
    repeat: Callable[..., str] | None = None
    settings: Mapping[str, str] = {}

    def __init__(self, *, times_exercises: bool = False, repeat: Callable[..., str] | None = None) -> None:
        self.times_exercises = times_exercises
        self.repeat = repeat

    # for every format

    def accounting(self, state: CollectedRun) -> Accounting:
        """How many results have which outcome."""
        return state.once("accounting", lambda: account_for(state.results, self.noun, self.left_out(state)))

    def totals(self, state: CollectedRun, paint: Paint) -> str:
        """The line of totals of every format."""
        return self.accounting(state).write_totals(state.whole()[1].seconds, paint)

    def verdict(self, state: CollectedRun) -> RunVerdict:
        """The last line of every format."""
        return conclude_checks(state.whole()[1], self.accounting(state))

    def details(self, state: CollectedRun) -> Iterator[str]:
        """Facts that the numbers need: the MUST checks that were not tested, and why."""
        return detail_lines(state.results)

    def record(self, state: CollectedRun) -> dict[str, Any] | None:
        """The whole run as the command's schema in `schemas/output` describes it; None for a run of checks."""
        return None

    def score(self, state: CollectedRun) -> str:
        """How many MUST checks failed or passed, of how many: the message of a badge."""
        musts = self.accounting(state).musts
        total, failed = sum(musts.values()), musts.get(Accounted.FAILED, 0)
        if failed:
            return f"{failed} of {total} MUST failed"
        others = list_other_failures(map(CountedResult.of, state.results))
        return "; ".join((f"{musts.get(Accounted.PASSED, 0)} of {total} MUST passed", *others))

    def facts(self, state: CollectedRun) -> list[tuple[str, str]]:
        """The facts about the target below the heading of a page, as word and value."""
        target, _ = state.whole()
        words = {"API version": target.version, "model": target.model}
        return [(word, value) for word, value in words.items() if value]

    def sections(self, state: CollectedRun) -> Iterator[Section]:
        """Parts of a page beside the results."""
        return iter(())

    def left_out(self, state: CollectedRun) -> Iterator[LeftOut]:
        """Parts of the run without a result; they count in the totals."""
        return iter(())

    def matrices(self, state: CollectedRun) -> Iterator[OutcomeMatrix]:
        """Tables of outcomes that a page shows."""
        return iter(())

    def describe(self, result: Result) -> str:
        """The words beside a result in a list of a page, if its title is only a name."""
        return ""

    def suite(self, result: Result) -> str:
        """The JUnit suite of a result."""
        return result.rule.area

    def case(self, result: Result) -> str:
        """The name of a result's JUnit case."""
        return f"{result.id}: {result.title}"

    def kind(self, result: Result) -> str:
        """The result in a word, as JUnit shows it."""
        return result.outcome.word

    # for a terminal

    def opening(self, state: CollectedRun) -> Iterator[str]:
        """The first lines of a run."""
        if not self.names_target:
            return
        target = state.target
        assert target is not None
        place = f"{target.url} (API version {target.version})" if target.url else "the embedded emulator"
        yield escape_controls(f"{self.target_word}: {place}, model {target.model}")

    def format_plan(self, planned: Planned) -> Iterator[str]:
        """How much there is to do."""
        if self.live:
            total = format_count(planned.checks, self.noun)
            some = "" if planned.running in (None, planned.checks) else f"{planned.running} of "
            yield f"running {some}{total} ({format_count(planned.exercises, 'exercise')})"

    def progress(self, name: str, *, again: bool) -> str:
        """The exercise that runs now; `again`: it was begun earlier and comes to its end."""
        return name.replace("_", " ")

    def phase(self, phase: PhaseFinished, state: CollectedRun) -> Iterator[str]:
        """The summary of a part of the run."""
        return iter(())

    def format_result(self, result: Result, paint: Paint) -> str:
        """With -v, the line that a command that is not `live` prints as soon as a result is known; "" for none."""
        return ""

    def closing(self, state: CollectedRun, paint: Paint, *, verbose: bool) -> Iterator[str]:
        """The lines above the failures and the totals."""
        return iter(())

    def failures(self, state: CollectedRun, paint: Paint, *, detail: Detail) -> Iterator[ExplainedFailure]:
        """The failures that a command that is not `live` explains at the end of its output."""
        return iter(())

    def reasons(self, state: CollectedRun) -> Iterator[str]:
        """The lines below the totals of a terminal: why not everything was tested. With -v it has all the notes.

        A run that is incomplete has the first MUST check that was not tested, and what to do about it.
        """
        if line := self.accounting(state).write_reasons(hint=True):
            yield line
        unmet = [one.id for one in state.results if one.is_unmet_option]
        if unmet and any(one.outcome in (Accounted.FAILED, Accounted.WARNED) for one in state.results):
            rules = format_count(len(unmet), "MAY rule is", "MAY rules are")
            yield f"note: {rules} not met, which is allowed: {list_some(unmet, 3)} (-v gives details)."
        if state.whole()[1].exit is Exit.INCOMPLETE:
            yield from islice(self.details(state), 2)

    def notes(self, state: CollectedRun) -> Iterator[str]:
        """Notes on checks without a response, and the next steps."""
        silent = [result for result in state.whole()[1].unjudged if result.reason is Reason.NO_RESPONSE]
        if silent:
            causes = Counter(result.observation.instead for result in silent)
            listed = ", ".join(f"{cause}: {number}" for cause, number in causes.most_common())
            yield f"no response: {format_count(len(silent), self.noun)} ({listed})"
        yield from self.next_steps(state)

    def next_steps(self, state: CollectedRun) -> Iterator[str]:
        """The next steps of a reader that no result names; a page has these lines below its headline."""
        if any(result.observation.instead in ("429", "503") for result in state.whole()[1].unjudged):
            yield _SLOWER
        if state.whole()[1].exit is Exit.HARNESS_ERROR:
            erred = [result for result in state.results if result.reason is Reason.HARNESS_ERROR]
            owners = {result.rule.area for result in erred} or {""}
            if ours := owners.difference(state.api.load_extensions()):
                yield ERRED
            yield from (ERRED_OUTSIDE.format(name) for name in sorted(owners - ours))
        broken = (result for result in state.results if result.outcome in (Accounted.FAILED, Accounted.WARNED))
        rules = dict.fromkeys(result.rule.id for result in broken if result.observation.findings)
        if rules and not self.names_target:
            which = "the rule" if len(rules) == 1 else "each rule"
            yield f"help: `harness explain {' '.join([*rules][:3])}` prints {which} with its source"

    def run_again(self, state: CollectedRun) -> str:
        """The command that prints all of the worst failure; `""` if there is none.

        It runs the check of that alone, unless this needs the exercises of others to show it.
        """
        failed = [result for result in state.results if result.outcome is Accounted.FAILED and result.evidence]
        if not (self.repeat and failed):
            return ""
        worst = min(failed, key=attrgetter("urgency"))
        return self.repeat(*(() if worst.shown_by else ("-c", worst.id)), "-v")


def describe_stale(result: Result) -> str:
    """Why a baseline's entry excuses nothing any more."""
    if result.observation.outcome is Outcome.EXCLUDED:
        return f"{result.observation.reason}; remove its entry from the baseline"
    now = "now only warns" if result.observation.findings else "no longer occurs"
    return f"the baseline excuses a failure that {now}; remove its entry (--baseline-update)"
