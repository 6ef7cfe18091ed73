"""Puts the shards of a check together again: the results that one run would have had.

Layer 4, pure. What each check saw itself comes from its shard. What applies to every answer, what blocks what, and
every verdict are decided here, for the whole run, by the rules that a single run follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.engine.audit import AuditedDefect, add_sightings, most_of
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capabilities
from harness.engine.causes import find_roots, link, resolve
from harness.engine.decide import Policy, decide
from harness.engine.plan import PlannedCheck, RunPlan
from harness.engine.results import LoggedExchange, Result
from harness.engine.sharding.shards import DIVIDED_OTHERWISE, ShardReport, require_catalogue, require_one_run
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Observation, UsageFault, Verdict

_SHOWN = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckShardReport(ShardReport):
    """What the report of a shard of `check` says besides: what the target can do, and the evidence by id."""

    capabilities: Capabilities
    seconds: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, tuple[LoggedExchange, ...]] = field(default_factory=dict)


def merge_shards(
    reports: Sequence[CheckShardReport], catalogue: Sequence[Check], api: Api, *, same_target: bool = False
) -> tuple[Result, ...]:
    """The results of the whole run, in the order of the catalogue. Raises UsageFault if they are not one run.

    `same_target` as in `require_one_run`.
    """
    require_one_run(reports, same_target=same_target)
    _require_one_view(reports)
    require_catalogue(reports[0], catalogue)
    homes = {name: report for report in reports for name in report.part.observations}
    homes |= {name: report for report in reports for name in report.part.ran}
    missing = [check.id for check in catalogue if check.id not in homes]
    if missing:
        raise UsageFault(
            f"no report contains {', '.join(missing[:3])} ({len(missing)} in all): {DIVIDED_OTHERWISE}"
        )
    merge = _Merge(reports, [(check, homes[check.id]) for check in catalogue])
    results = merge.decide_all()
    stops = {name: stop for report in reports for name, stop in report.part.stops.items()}
    return link([results[check.id] for check in catalogue], stops, api)


def _require_one_view(reports: Sequence[CheckShardReport]) -> None:
    """The probe of each shard must have seen the same target."""
    first = {item.name: item.present for item in reports[0].capabilities}
    for report in reports[1:]:
        seen = {item.name: item.present for item in report.capabilities}
        differs = [name for name in {**first, **seen} if first.get(name) != seen.get(name)]
        if differs:
            raise UsageFault(
                f"{reports[0].name!r} and {report.name!r} name different targets ({', '.join(sorted(differs))}): "
                "run both shards again, or declare the capabilities with --capability"
            )


@dataclass(slots=True)
class _Merge:
    """The decisions of one merge; `homes` are the checks, each with the report of the shard that judged it."""

    reports: Sequence[CheckShardReport]
    homes: Sequence[tuple[Check, CheckShardReport]]
    _results: dict[str, Result] = field(default_factory=dict)

    def decide_all(self) -> Mapping[str, Result]:
        """A result for each check; a check waits for those whose findings may block it."""
        ran = {name for report in self.reports for name in report.part.ran}
        plan = RunPlan(
            tuple(PlannedCheck(c, skip=None if c.id in ran else _find_own(c, home)) for c, home in self.homes)
        )
        roots, blocking = plan.roots, plan.blocking
        waiting = [(check, home, self._observe(check, home)) for check, home in self.homes]
        while waiting:
            ready = [one for one in waiting if self._is_ready(one[0], one[2], roots)]
            for check, home, said in ready or waiting:  # those that wait for each other are decided as they are
                found = [self._results[r] for r in _find_own_roots(check, said, roots) if r in self._results]
                self._results[check.id] = self._decide(check, home, said, resolve(check, said, found), blocking)
            waiting = [one for one in waiting if one[0].id not in self._results]
        return self._results

    def _is_ready(self, check: Check, said: Observation, roots: Mapping[str, tuple[str, ...]]) -> bool:
        return all(root in self._results for root in _find_own_roots(check, said, roots))

    def _observe(self, check: Check, home: CheckShardReport) -> Observation:
        """What the check saw itself, and what the answers of all shards showed under its rule."""
        own = _find_own(check, home)
        return add_sightings(own, self._list_sightings(check.id)) if check.id in home.part.ran else own

    def _list_sightings(self, rule: str) -> list[AuditedDefect]:
        """The defects under a rule in the order of the catalogue's exercises, each once."""
        order = {name: n for n, name in enumerate(dict.fromkeys(check.exercise.name for check, _ in self.homes))}
        seen = [one for report in self.reports for one in report.part.sightings.get(rule, ())]
        once: dict[tuple[str, ...], AuditedDefect] = {}
        for one in sorted(seen, key=lambda one: order.get(one.exercise, len(order))):
            known = once.get(one.kind)
            once[one.kind] = one if known is None else replace(known, answers=known.answers + one.answers)
        return list(_keep_first(once.values()))

    def _decide(
        self, check: Check, home: CheckShardReport, said: Observation, final: Observation, blocking: frozenset[str]
    ) -> Result:
        audited = said is not _find_own(check, home)
        shown = self.reports if audited else (home,)
        evidence = tuple(item for report in shown for item in report.evidence.get(check.id, ()))
        result = decide(
            check.rule,
            final,
            Policy(strict=home.part.strict, baseline=Baseline(home.part.baseline)),
            result_id=check.id,
            title=check.title,
            declared=home.capabilities.declared(check.requires),
            show=lambda verdict: evidence if verdict in _SHOWN and final.outcome is said.outcome else (),
            root=check.id in blocking,
            seconds=home.seconds.get(check.id, 0.0),
            accepts=check.accepts,
            profile=check.profile,
        )
        return replace(result, named=tuple(item.name for item in evidence)) if result.evidence else result


def _find_own(check: Check, home: CheckShardReport) -> Observation:
    return home.part.observations[check.id]


def _find_own_roots(check: Check, said: Observation, roots: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return find_roots(check, said, roots.get(check.id, ()))


def _keep_first(seen: Iterable[AuditedDefect]) -> Iterator[AuditedDefect]:
    """As many of each severity as one run keeps."""
    counts: dict[str, int] = {}
    for one in seen:
        counts[one.finding.severity] = counts.get(one.finding.severity, 0) + 1
        if counts[one.finding.severity] <= most_of(one.finding):
            yield one
