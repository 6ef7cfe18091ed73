"""The state of a run, collected from its events, and the causes of its failures.

Layer 6. The formats that can only be written after the end (JSON, JUnit, HTML, Markdown, badge) are functions of
a finished run. How a command words it is not in here: see `PresentedRun`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from harness.engine.capabilities import Capabilities
from harness.engine.events import (
    CheckFinished,
    ExerciseFinished,
    PhaseFinished,
    Planned,
    Probed,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TargetInfo,
)
from harness.engine.results import LoggedExchange, Result
from harness.kit.api import Api
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Level, Outcome, Reason, Rule, Severity, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.report.finding_text import hide_secrets, summarize
from harness.wire import Exchange
from harness.wire.mask import Mask
from harness.wire.message import escape_controls

_LEFT = (Exchange, RelayedExchange, LoggedExchange, Rule)
"""What an event has beside texts of a target: the wire, and rules, which are ours."""


@dataclass(slots=True)
class RunState:
    """What the events have said so far; `target` and `finished` are None until their events come.

    `started` is the time of day at which the first event came.
    """

    api: Api
    target: TargetInfo | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    planned: Planned = field(default_factory=lambda: Planned(0, 0))
    phases: list[PhaseFinished] = field(default_factory=list)
    stopped: RunStopped | None = None
    finished: RunFinished | None = None
    exercises: list[ExerciseFinished] = field(default_factory=list)
    mask: Mask = field(default_factory=Mask)
    started: datetime | None = None
    _shown: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def handle(self, event: RunEvent) -> None:
        """Record one event, without its secrets."""
        if isinstance(event, RunStarted):
            self.mask = Mask(event.target.secrets, self.api.load_protocol().secret_fields)
        match self.hide(event):
            case RunStarted(target):
                self.target = target
                self.started = self.started or datetime.now(UTC)
            case Probed(capabilities):
                self.capabilities = capabilities
            case Planned() as planned:
                self.planned = planned
            case ExerciseFinished() as exercise:
                self.exercises.append(exercise)
            case PhaseFinished() as phase:
                self.phases.append(phase)
            case RunStopped() as stopped:
                self.stopped = stopped
            case RunFinished() as finished:
                self.finished = finished
            case _:
                pass

    def hide(self, event: RunEvent) -> RunEvent:
        """The event without secrets: the one way of what a run says into reports.

        What went over the wire stays as it was, and is masked where it is put into words (`Display`).
        """
        match event:
            case RunStarted(target):
                return RunStarted(replace(hide_secrets(target, self.mask), secrets=target.secrets))
            case Probed(capabilities):
                hidden = Capabilities(hide_secrets(item, self.mask) for item in capabilities)
                return replace(hide_secrets(event, self.mask), capabilities=hidden)
            case CheckFinished() | PhaseFinished() | RunStopped() | RunFinished():
                return hide_secrets(event, self.mask, _LEFT, self._shown)
        return event

    def whole(self) -> tuple[TargetInfo, RunFinished]:
        """The target and the final event of a finished run. Raises RuntimeError before the run has finished."""
        if self.target is None or self.finished is None:
            raise RuntimeError("the run has not finished: a report of half a run would look whole")
        return self.target, self.finished

    @property
    def results(self) -> tuple[Result, ...]:
        """The results of a finished run, in the order of the catalogue."""
        return self.whole()[1].results

    @property
    def most_urgent_first(self) -> list[Result]:
        """The results by verdict and level, silent breaches first, then by harm and weight."""
        return sorted(self.results, key=urgency_of)

    @property
    def halted_text(self) -> str:
        """Why the run ended before it was through, as a sentence without secrets; `""` if it was through."""
        halted = self.whole()[1].halted
        return f"The run ended early: {halted.rstrip('.')}." if halted else ""

    @property
    def started_text(self) -> str:
        """When the run began, as a date and time in UTC; `""` if it has not begun."""
        return self.started.strftime("%Y-%m-%dT%H:%M:%SZ") if self.started else ""

    @property
    def root(self) -> str:
        """The root of `curl` lines; where `harness serve --port 8000` listens if the target has no URL."""
        return (self.target.url if self.target else "") or EMBEDDED_ROOT

    @property
    def display(self) -> Display:
        """How the evidence of this run is shown."""
        return Display(self.api, self.root, self.mask)


def urgency_of(result: Result) -> tuple[int, int, bool, int, int]:
    """What a report sorts results by: verdict, level, whether a client can notice it, its harm, and its weight."""
    rule = result.rule
    rank = _RANK.get(result.verdict, len(_RANK))
    return rank, _LEVELS[rule.level], not rule.silent, rule.harm, -result.weight


_RANK = {
    verdict: rank
    for rank, verdict in enumerate(
        (
            Verdict.ERROR,
            Verdict.FAIL,
            Verdict.STALE,
            Verdict.WARN,
            Verdict.XFAIL,
            Verdict.INFO,
            Verdict.UNTESTABLE,
        )
    )
}
_LEVELS = {Level.MUST: 0, Level.SHOULD: 1, Level.MAY: 2}


# Failures grouped by what caused them, the worst first: a reader mends causes, not cases.


FAILING = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.STALE})
"""Verdicts that a reader has to do something about."""

_TITLE = 160
_LONG_WORD = re.compile(r"[\w=-]{25,}")
"""An id, mostly: a title only needs its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What several failures have in common.

    `key` is the code of the finding, `results` what fails because of it, the root first. `affected` is what was
    not judged because of it, or warns of the same. `weight` counts the answers that show it.
    """

    key: str
    title: str
    silent: bool
    results: tuple[Result, ...]
    affected: tuple[Result, ...]
    weight: int

    @property
    def is_stale(self) -> bool:
        """Whether it is an entry of the baseline that excuses nothing any more."""
        return all(result.verdict is Verdict.STALE for result in self.results)

    @property
    def counts(self) -> str:
        """How many rules of each level are broken, and in how many cases if a rule is broken in several."""
        if self.is_stale:
            return "stale entry"
        rules = {result.rule.id: result.rule.level for result in self.results}
        numbers = [(list(rules.values()).count(level), level) for level in Level]
        parts = [format_count(number, f"{level} rule") for number, level in numbers if number]
        cases = f" in {len(self.results)} cases" if len(self.results) > len(rules) else ""
        return f"{' and '.join(parts)} broken{cases}"

    def record(self) -> dict[str, Any]:
        """The cause as plain data; results by their ids."""
        return {
            "key": self.key,
            "title": self.title,
            "silent": self.silent,
            "results": [result.id for result in self.results],
            "affected": [result.id for result in self.affected],
            "weight": self.weight,
        }


def find_causes(state: RunState) -> list[Cause]:
    """The causes of all failures of a finished run, the worst first."""
    failing: dict[str, list[Result]] = defaultdict(list)
    affected: dict[str, list[Result]] = defaultdict(list)
    for result in state.most_urgent_first:
        if result.verdict in FAILING:
            failing[key_of(result)].append(result)
        elif result.reason is Reason.BLOCKED or result.verdict is Verdict.WARN:
            affected[key_of(result)].append(result)
    causes = [_to_cause(key, results, affected[key], state) for key, results in failing.items()]
    return sorted(causes, key=lambda cause: (*urgency_of(cause.results[0])[:-1], -cause.weight))


def key_of(result: Result) -> str:
    """The code of the finding that explains a result; of a stale entry, the id that the baseline has."""
    findings = result.observation.findings
    if result.verdict is Verdict.STALE:
        return result.id
    if result.observation.cause:
        return result.observation.cause
    if not findings:
        return result.id
    first = first_finding(findings)
    return first.cause or first.stable_code


def first_finding(findings: Sequence[Finding]) -> Finding:
    """The finding that caused the others, if one did."""
    return next((finding for finding in findings if not finding.cause), findings[0])


_SEVERITIES = {Severity.BROKEN: 0, Severity.NON_STRICT: 1, Severity.INFORMATION: 2}


def order_findings(result: Result, state: RunState) -> list[Finding]:
    """The findings of a result, those first that do the most harm; what another one caused comes last."""
    rules = state.api.load_rules()

    def urgency(finding: Finding) -> tuple[bool, int, int, bool, int]:
        rule = rules.get(finding.rule, result.rule)
        return (
            bool(finding.cause),
            _SEVERITIES[finding.severity],
            _LEVELS[rule.level],
            not rule.silent,
            rule.harm,
        )

    return sorted(result.observation.findings, key=urgency)


def _to_cause(key: str, results: Sequence[Result], affected: Sequence[Result], state: RunState) -> Cause:
    roots = [result for result in results if not result.observation.cause] or list(results)
    ordered = [*roots, *(result for result in results if result not in roots)]
    root = ordered[0]
    return Cause(
        key=key,
        title=describe(root, state),
        silent=root.rule.silent and root.verdict is Verdict.FAIL,
        results=tuple(ordered),
        affected=tuple(affected),
        weight=sum(result.weight for result in results),
    )


def describe_stale(result: Result) -> str:
    """Why a baseline's entry excuses nothing any more."""
    if result.observation.outcome is Outcome.EXCLUDED:
        return f"{result.observation.reason}; remove it from the baseline"
    now = "it now only warns" if result.observation.findings else "it passes now"
    return f"{now}; remove it from the baseline"


def describe(result: Result, state: RunState) -> str:
    """What is wrong, in one line: the worst finding, else the reason; long ids are cut."""
    observation = result.observation
    if result.verdict is Verdict.STALE:
        return describe_stale(result)
    if observation.findings:
        worst = order_findings(result, state)[0]
        text = summarize(worst.message, worst.where.pointer)
    else:
        text = observation.reason.strip().rpartition("\n")[2] or result.title
    plain = " ".join(escape_controls(text).split())
    return shorten(_LONG_WORD.sub(lambda word: f"{word[0][:10]}…", plain), _TITLE)
