"""Decides the checks of a plan as its workers judge them, and accounts for every check, however the run ends.

Layer 4. What may be blocked by the finding of another check is decided only when that one is; what applies to
every answer only at the end. Must not know how the target was found, nor how anything is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from harness.engine.audit import is_settled
from harness.engine.causes import find_roots, link, resolve
from harness.engine.decide import Policy, decide
from harness.engine.events import CheckFinished, RunEvent
from harness.engine.plan import RunPlan
from harness.engine.results import Result
from harness.engine.sharding.shards import ELSEWHERE, ShardPart
from harness.engine.workers import Judged, Workers
from harness.outcome import Because, Observation, Outcome, Verdict
from harness.wire import Exchange

FAILED_FAST = "the run stopped at the first failure"

_NEEDS_EVIDENCE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})
_STOPS = frozenset({Verdict.FAIL, Verdict.ERROR})


@dataclass(slots=True)
class Conductor:
    """One run of a plan by its workers."""

    workers: Workers
    plan: RunPlan
    policy: Policy
    fail_fast: bool = False
    _said: dict[str, Observation] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)
    _held: list[Judged] = field(default_factory=list)
    _roots: Mapping[str, tuple[str, ...]] = field(init=False)
    _blocking: frozenset[str] = field(init=False)
    _sharers: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._roots = self.plan.roots
        self._blocking = self.plan.blocking
        self._sharers = {exercise.name: len(members) for exercise, members in self.plan.groups}

    def play(
        self, jobs: int = 1, choose: Callable[[Sequence[str]], str] | None = None
    ) -> Generator[RunEvent, None, None]:
        """Play everything, and decide what can be decided on the way."""
        for planned in self.plan.checks:
            heard = planned.skip is ELSEWHERE and planned.check.everywhere
            if planned.skip is not None and planned.skip.outcome is not Outcome.BLOCKED and not heard:
                yield self._finish(Judged(planned, planned.skip))
        with closing(self.workers.play(self.plan.groups, jobs, choose)) as events:
            for event in events:
                yield from self._decide(event) if isinstance(event, Judged) else (event,)

    def conclude(self) -> Iterator[RunEvent]:
        """Decide what had to wait for the end, and account for what was not reached."""
        held, self._held = self._held, []
        for judged in held:
            if judged.planned.check.everywhere:
                said = self.workers.audit.observe(judged.planned.check, judged.observation)
                audited = said is not judged.observation
                if said.outcome is Outcome.UNTESTABLE:  # other shards cannot know what is doubted here
                    self._said[judged.planned.check.id] = said
                yield from self._decide(Judged(judged.planned, said, judged.played, audited), last=True)
            else:
                self._held.append(judged)
        yield from self._judge_for_others()
        blocked = [
            Judged(planned, planned.skip)
            for planned in self.plan.checks
            if planned.skip is not None and planned.skip.outcome is Outcome.BLOCKED
        ]
        held, self._held = [*self._held, *blocked], []
        while held:  # those that wait for each other are decided as they are
            ready = [judged for judged in held if self._is_ready(judged)] or held
            held = [judged for judged in held if judged not in ready]
            for judged in ready:
                self._said.setdefault(judged.planned.check.id, judged.observation)
                yield self._finish(self._resolve(judged))
        for planned in self.plan.checks:
            if planned.check.id not in self._results:
                yield self._finish(Judged(planned, self._not_run()))

    def link_results(self) -> tuple[Result, ...]:
        """All results in the order of the catalogue, linked."""
        results = [self._results[planned.check.id] for planned in self.plan.checks]
        return link(results, self.workers.stops, self.workers.target.api)

    def describe_part(self, part: ShardPart) -> ShardPart:
        """The same part with what this run saw."""
        rules = sorted(self.workers.audit.rules)
        return replace(
            part,
            ran=tuple(planned.check.id for planned in self.plan.checks if planned.skip is None),
            observations={name: said for name, said in self._said.items() if said is not ELSEWHERE},
            sightings={rule: tuple(seen) for rule in rules if (seen := self.workers.audit.list_sightings(rule))},
            stops=dict(self.workers.stops),
        )

    def _judge_for_others(self) -> Iterator[RunEvent]:
        """The checks of other shards that apply to every answer: what an answer here breaks is said here, too."""
        for planned in self.plan.checks:
            if planned.skip is ELSEWHERE and planned.check.everywhere:
                self._said[planned.check.id] = ELSEWHERE
                said = self.workers.audit.observe(planned.check, Observation(Outcome.MET))
                audited = said.outcome is not Outcome.MET
                yield self._finish(Judged(planned, said if audited else ELSEWHERE, audited=audited))

    def _decide(self, judged: Judged, *, last: bool = False) -> Iterator[RunEvent]:
        """Decide a check, or hold it back; then those that waited for it."""
        check = judged.planned.check
        self._said.setdefault(check.id, judged.observation)
        waits = check.everywhere and not is_settled(judged.observation) and not last
        if waits or not self._is_ready(judged):
            self._held.append(judged)
            return
        yield self._finish(self._resolve(judged))
        ready = [one for one in self._held if not one.planned.check.everywhere and self._is_ready(one)]
        self._held = [one for one in self._held if one not in ready]
        for one in ready:
            yield self._finish(self._resolve(one))

    def _is_ready(self, judged: Judged) -> bool:
        """Whether everything is decided that may block the check."""
        return all(root in self._results for root in self._roots_of(judged))

    def _resolve(self, judged: Judged) -> Judged:
        """The check with what the others found that may block it."""
        roots = [self._results[root] for root in self._roots_of(judged) if root in self._results]
        said = resolve(judged.planned.check, judged.observation, roots)
        return (
            Judged(judged.planned, said) if said.outcome is Outcome.BLOCKED else replace(judged, observation=said)
        )

    def _roots_of(self, judged: Judged) -> tuple[str, ...]:
        check = judged.planned.check
        return find_roots(check, judged.observation, self._roots.get(check.id, ()))

    def _finish(self, judged: Judged) -> CheckFinished:
        self._said.setdefault(judged.planned.check.id, judged.observation)
        result = self._make_result(judged)
        self._results[result.id] = result
        if self.fail_fast and result.verdict in _STOPS:
            self.workers.stop()
        return CheckFinished(result)

    def _not_run(self) -> Observation:
        if not self.workers.halted:
            return Observation(Outcome.NOT_RUN, reason=FAILED_FAST, because=Because.LEFT_OUT)
        reason = f"the run ended before: {self.workers.halted}"
        return Observation(Outcome.NOT_RUN, reason=reason, because=Because.OUR_LIMIT, instead="not run")

    def _make_result(self, judged: Judged) -> Result:
        """Turn an observation into a result."""
        check, played = judged.planned.check, judged.played

        def show(verdict: Verdict) -> tuple[Exchange, ...]:
            if verdict not in _NEEDS_EVIDENCE:
                return ()
            if judged.audited:
                return self.workers.audit.evidence(check)
            return () if played is None else played.evidence(check, judged.observation)

        result = decide(
            check.rule,
            judged.observation,
            self.policy,
            result_id=check.id,
            title=check.title,
            declared=judged.planned.declared,
            show=show,
            root=check.id in self._blocking,
            seconds=0.0 if played is None else played.seconds / self._sharers[check.exercise.name],
            accepts=check.accepts,
            profile=check.profile,
        )
        if not result.evidence:
            return result
        if judged.audited or played is None:
            return replace(result, named=self.workers.audit.names_of(result.evidence))
        return replace(result, named=played.names_of(result.evidence))
