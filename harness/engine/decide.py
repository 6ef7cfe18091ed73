"""Decides: observations become results, and results an exit code.

The only place that asks the table of `outcome.verdict`; a test enforces that. Whatever a run judges, level,
declared capability, strictness and baseline are combined here and in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import Struct, field, structs

from harness.engine.baseline import Baseline, Entry
from harness.engine.events import CheckFinished, RunEvent, RunFinished
from harness.engine.results import ClientRun, Evidence, Result
from harness.outcome import (
    Basis,
    Because,
    Exit,
    Finding,
    Level,
    Observation,
    Outcome,
    Rule,
    Source,
    Verdict,
    exit_code,
    is_untested,
    not_judged,
    verdict,
)

FAILED = frozenset({Verdict.FAIL, Verdict.XFAIL})
"""Verdicts of what fails a run, or would without a baseline."""

_AT_ANY_LEVEL = frozenset({Because.NOT_TRIED, Because.OUR_LIMIT, Because.INTERRUPTED})


class Policy(Struct, frozen=True, kw_only=True):
    """The user's settings for verdicts: whether broken SHOULDs fail, and the accepted failures."""

    strict: bool = False
    required: frozenset[str] = frozenset()
    """The ids of SHOULD rules that fail a run as with `strict`: no standard demands them, but every user does."""
    baseline: Baseline = field(default_factory=Baseline)


def decide(
    rule: Rule,
    observation: Observation,
    policy: Policy,
    *,
    result_id: str = "",
    title: str = "",
    declared: bool = False,
    show: Callable[[Verdict], tuple[Evidence, ...]] = lambda _: (),
    **details: Any,
) -> Result:
    """The result of one observation; `show` returns the evidence for a verdict, `details` are fields of `Result`.

    Without a `result_id` it is the rule's, without a `title` the rule's statement.
    """
    name = result_id or rule.id
    baselined = policy.baseline.covers(name, observation)
    decided = verdict(
        observation,
        rule.level,
        rule.source.basis,
        declared=declared,
        strict=policy.strict or rule.id in policy.required,
        baselined=baselined,
    )
    level = Level.MUST if observation.because in _AT_ANY_LEVEL else rule.level
    return Result(
        id=name,
        rule=rule,
        title=title or rule.statement,
        observation=observation,
        verdict=decided,
        evidence=show(decided),
        excuse=policy.baseline.reason(name),
        unjudged=not_judged(observation, level, baselined=baselined),
        untested=is_untested(observation, rule.level) and not baselined,
        **details,
    )


def decide_finding(finding: Finding, rule: Rule, policy: Policy) -> Verdict:
    """The verdict of one finding by itself: information that breaks nothing is INFO."""
    alone = Observation.of([finding])
    decided = verdict(alone, rule.level, rule.source.basis, strict=policy.strict or rule.id in policy.required)
    if decided is Verdict.FAIL and policy.baseline.covers(rule.id, alone):
        return Verdict.XFAIL
    return Verdict.INFO if decided is Verdict.PASS else decided


def tell_forgotten(event: RunEvent, baseline: Baseline) -> Iterator[RunEvent]:
    """The event; before the end of a run, a stale result for each entry of the baseline that names no check."""
    if isinstance(event, RunFinished):
        stale = tuple(map(_decide_forgotten, baseline.forgotten))
        yield from map(CheckFinished, stale)
        code = Exit.FAILED if stale and event.exit in (Exit.OK, Exit.INCOMPLETE) else event.exit
        event = structs.replace(event, results=(*event.results, *stale), exit=code)
    yield event


THE_BASELINE = Source(Basis.INFERRED, "the baseline")


def _decide_forgotten(entry: Entry) -> Result:
    rule = Rule(
        id=entry.id,
        level=Level.MAY,
        statement="An entry of the baseline names a known check.",
        breaks="An entry with a typo silently has no effect.",
        source=THE_BASELINE,
    )
    return Result(
        id=entry.id,
        rule=rule,
        title=entry.unknown,
        observation=Observation(Outcome.EXCLUDED, reason=entry.unknown, because=Because.LEFT_OUT),
        verdict=Verdict.STALE,
        excuse=entry.reason,
    )


def blocked_by(root: Result, reason: str, finding: Finding) -> Observation:
    """The observation of a check that is blocked by the finding of another one, its root."""
    code = finding.stable_code
    return Observation(Outcome.BLOCKED, reason=reason, because=Because.BLOCKED, cause=code)


def left_untested(root: Result, reason: str, finding: Finding) -> Observation:
    """The observation of a MUST that is blocked by a finding which alone does not fail a run."""
    why = f"{finding.stable_code} blocks this check ({finding.message})"
    full_reason = f"{why}: {reason}" if reason else why
    remedy = f"once {root.id} passes, which is a {root.rule.level} and only warns"
    observation = Observation.untestable(full_reason, Because.BLOCKED, remedy=remedy)
    return structs.replace(observation, cause=finding.stable_code)


def with_cause(result: Result, root: Result) -> Result:
    """The same result, with the code of the finding that made it unavoidable.

    It is then blocked, unless it is a MUST and the finding alone does not fail the run.
    """
    first = root.observation.findings[0]
    if result.rule.level is Level.MUST and root.verdict not in FAILED:
        return structs.replace(result, observation=structs.replace(result.observation, cause=first.stable_code))
    observation = blocked_by(root, result.observation.reason, first)
    return structs.replace(
        result,
        observation=observation,
        verdict=verdict(observation, result.rule.level, result.rule.source.basis),
        unjudged=False,
        untested=False,
    )


def with_weight(result: Result, more: int) -> Result:
    """The same result, whose first finding weighs more because of what it caused."""
    first, *rest = result.observation.findings
    findings = (structs.replace(first, weight=first.weight + more), *rest)
    return structs.replace(result, observation=structs.replace(result.observation, findings=findings))


class Decided(Protocol):
    """The part of a decided result that the exit code rests on."""

    @property
    def verdict(self) -> Verdict: ...

    @property
    def unjudged(self) -> bool: ...


def exit_of(results: Sequence[Decided], *, vacuous: bool = False, unjudged: bool = False) -> Exit:
    """The exit code of a run with these results; `vacuous`: a part of the run proved nothing.

    `unjudged`: something kept the run from judging that stands in no result.
    """
    unjudged = unjudged or any(result.unjudged for result in results)
    code = exit_code((result.verdict for result in results), unjudged=unjudged)
    return Exit.NOTHING_RAN if vacuous and code in (Exit.OK, Exit.INCOMPLETE) else code


def exit_of_cases(results: Sequence[Result], *, halted: bool) -> Exit:
    """The exit code of a run of cases: one that was halted, or in which no case proves anything, never passes."""
    code = exit_code((result.verdict for result in results), unjudged=halted)
    runs = [[shown for shown in result.evidence if isinstance(shown, ClientRun)] for result in results]
    proves_nothing = all(any(run.unharmed or not run.is_shown for run in of_result) for of_result in runs)
    return Exit.NOTHING_RAN if code is Exit.OK and proves_nothing else code


def exit_with(results: Iterable[Result], baseline: Baseline, *, vacuous: bool = False) -> Exit:
    """The exit code that the results would have had with another baseline."""
    verdicts, unjudged = set[Verdict](), False
    for result in results:
        covered = baseline.covers(result.id, result.observation)
        unjudged |= result.unjudged and not covered
        if result.verdict is Verdict.FAIL and covered:
            verdicts.add(Verdict.XFAIL)
        elif result.verdict is Verdict.STALE and not covered:
            verdicts.add(Verdict.PASS)
        else:
            verdicts.add(result.verdict)
    code = exit_code(verdicts, unjudged=unjudged)
    return Exit.NOTHING_RAN if vacuous and code in (Exit.OK, Exit.INCOMPLETE) else code
