"""Decides the checks of a plan as they are judged, and accounts for every check, however the run ends.

Pure. What may be blocked by the finding of another check is decided only when that one is; what applies to every
answer only at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct, structs

from harness.engine.audit import LEVELS, Audit, is_settled
from harness.engine.causes import find_roots, resolve
from harness.engine.decide import Policy, decide
from harness.engine.events import CheckFinished
from harness.engine.execute import PlayedExercise
from harness.engine.plan import PlannedCheck, RunPlan
from harness.engine.results import Evidence, Result
from harness.engine.traffic.deadline import INTERRUPTED
from harness.outcome import Because, Observation, Outcome, Verdict

FAILED_FAST = "the run stopped at the first failure"

_NEEDS_EVIDENCE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})
_STOPS = frozenset({Verdict.FAIL, Verdict.ERROR})


class Judged(Struct, frozen=True):
    """One check that was judged, and its share of the time; `audited`: answers of other exercises decided it."""

    planned: PlannedCheck
    observation: Observation
    played: PlayedExercise | None = None
    seconds: float = 0.0
    audited: bool = False


@dataclass(slots=True)
class Conductor:
    """The decisions of one run of a plan, fed in the order of its methods; each failure calls `on_failure`.

    `observations` are those of each check before other checks were considered, by id.
    """

    plan: RunPlan
    policy: Policy
    audit: Audit
    on_failure: Callable[[], object] = lambda: None
    observations: dict[str, Observation] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)
    _held: list[Judged] = field(default_factory=list)
    _roots: Mapping[str, tuple[str, ...]] = field(init=False)
    _blocking: frozenset[str] = field(init=False)
    _resting: dict[str, list[tuple[str, str]]] = field(init=False)
    """By root: the checks that rest on it, each with the rule or the code that it rests on.

    Only those at least as binding: a warning does not keep a broken MUST rule from being reported.
    """

    def __post_init__(self) -> None:
        self._roots = self.plan.roots
        self._blocking = self.plan.blocking
        self._resting = defaultdict(list)
        levels = {planned.check.id: LEVELS.index(planned.check.rule.level) for planned in self.plan.checks}
        for planned in self.plan.checks:
            for name in planned.check.rests_on:
                root = name.partition("/")[0]
                if levels[planned.check.id] >= levels.get(root, 0):
                    self._resting[root].append((planned.check.id, name))

    def begin(self) -> Iterator[CheckFinished]:
        """Decide what does not run, unless another check or another answer may have to do with it."""
        for planned in self.plan.checks:
            if planned.skip is not None and planned.skip.outcome is not Outcome.BLOCKED:
                yield self._finish(Judged(planned, planned.skip))

    def decide(self, judged: Judged, *, last: bool = False) -> Iterator[CheckFinished]:
        """Decide a check, or hold it back; then those that waited for it."""
        check = judged.planned.check
        self.observations.setdefault(check.id, judged.observation)
        waits = check.everywhere and not is_settled(judged.observation) and not last
        if waits or not self._is_ready(judged):
            self._held.append(judged)
            return
        yield self._finish(self._resolve(judged))
        # Those of `everywhere` wait for the end of the run, the others for other checks.
        waited = [one for one in self._held if not one.planned.check.everywhere and self._is_ready(one)]
        if waited:
            free = set(map(id, waited))
            self._held = [one for one in self._held if id(one) not in free]
        for one in waited:
            yield self._finish(self._resolve(one))

    def conclude(self, halted: str = "") -> Iterator[CheckFinished]:
        """Decide the checks that waited for the end, and account for those not reached; `halted` is the reason."""
        held, self._held = self._held, []
        for judged in held:  # in this order: a check is decided with those that were held before it, and no others
            if judged.planned.check.everywhere:
                yield from self.decide(self._add_other_answers(judged), last=True)
            else:
                self._held.append(judged)
        skipped = (Judged(planned, planned.skip) for planned in self.plan.checks if planned.skip is not None)
        blocked = [judged for judged in skipped if judged.observation.outcome is Outcome.BLOCKED]
        yield from self._release([*self._held, *blocked])
        for planned in self.plan.checks:
            if planned.check.id not in self._results:
                yield self._finish(self._judge_unreached(planned, halted))

    def _release(self, held: Sequence[Judged]) -> Iterator[CheckFinished]:
        """Decide what waits for others; of those that wait for each other, first what no broken one can block."""
        while held:
            broken = {one.planned.check.id for one in held if one.observation.outcome is Outcome.NOT_MET}
            free = [one for one in held if not broken.intersection(self._roots_of(one))]
            ready = [one for one in held if self._is_ready(one)]
            ready = ready or [one for one in free if one.planned.check.id in broken] or list(held)
            held = [judged for judged in held if judged not in ready]
            for judged in ready:
                self.observations.setdefault(judged.planned.check.id, judged.observation)
                yield self._finish(self._resolve(judged))

    @property
    def results(self) -> list[Result]:
        """All results in the order of the catalog."""
        return [self._results[planned.check.id] for planned in self.plan.checks]

    def _add_other_answers(self, judged: Judged) -> Judged:
        """A check that applies to every answer, with what those of other exercises showed."""
        check = judged.planned.check
        explained = {
            named: name
            for name, named in self._resting.get(check.id, ())
            if (broken := self.observations.get(name)) is not None and broken.outcome is Outcome.NOT_MET
        }
        observation = self.audit.observe(check, judged.observation, explained)
        return structs.replace(judged, observation=observation, audited=observation is not judged.observation)

    def _judge_unreached(self, planned: PlannedCheck, halted: str) -> Judged:
        """A check whose exercise did not run: it reports sightings of other exchanges under its rule."""
        if planned.skip is None and planned.check.everywhere:
            observation = self.audit.observe(planned.check, Observation(Outcome.MET))
            if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT):
                return Judged(planned, observation, audited=True)
        if not halted:
            return Judged(planned, Observation(Outcome.NOT_RUN, reason=FAILED_FAST, because=Because.LEFT_OUT))
        reason = f"the run ended before: {halted}"
        because = Because.INTERRUPTED if halted == INTERRUPTED else Because.OUR_LIMIT
        not_run = Observation(Outcome.NOT_RUN, reason=reason, because=because, instead="not run")
        return Judged(planned, not_run)

    def _is_ready(self, judged: Judged) -> bool:
        """Whether everything is decided that may block the check."""
        return all(root in self._results for root in self._roots_of(judged))

    def _resolve(self, judged: Judged) -> Judged:
        """The check with what the others found that may block it."""
        roots = [self._results[root] for root in self._roots_of(judged) if root in self._results]
        observation = resolve(judged.planned.check, judged.observation, roots)
        blocked = observation.outcome is Outcome.BLOCKED
        return Judged(judged.planned, observation) if blocked else structs.replace(judged, observation=observation)

    def _roots_of(self, judged: Judged) -> tuple[str, ...]:
        check = judged.planned.check
        return find_roots(check, judged.observation, self._roots.get(check.id, ()))

    def _finish(self, judged: Judged) -> CheckFinished:
        """Turn an observation into a result."""
        check, source = judged.planned.check, self.audit if judged.audited else judged.played
        self.observations.setdefault(check.id, judged.observation)

        def show(verdict: Verdict) -> tuple[Evidence, ...]:
            is_unmet_option = verdict is Verdict.INFO and judged.observation.outcome is Outcome.NOT_MET
            if not (verdict in _NEEDS_EVIDENCE or is_unmet_option):
                return ()
            if judged.audited:
                return self.audit.evidence(check)
            return () if judged.played is None else judged.played.evidence(check, judged.observation)

        result = decide(
            check.rule,
            judged.observation,
            self.policy,
            result_id=check.id,
            title=check.title,
            declared=judged.planned.declared,
            show=show,
            root=check.id in self._blocking,
            seconds=judged.seconds,
            accepts=check.accepts,
            profile=check.profile,
        )
        if result.evidence and source is not None:
            result = structs.replace(result, named=source.names_of(result.evidence))
        if result.evidence and judged.audited:
            checks = {running.exercise.name: running.id for running in reversed(self.plan.running)}
            shown_by = {checks.get(name, "*") for name in self.audit.list_exercises(check)}
            result = structs.replace(result, shown_by=tuple(sorted(shown_by)))
        self._results[result.id] = result
        if result.verdict in _STOPS:
            self.on_failure()
        return CheckFinished(result)
