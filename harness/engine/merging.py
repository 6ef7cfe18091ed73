"""Puts the shards of a run together again: the results that one run would have had.

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
from harness.engine.shards import ShardPart, digest_catalogue
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Observation, UsageFault, Verdict

_SHOWN = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.XFAIL, Verdict.ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """What the report of one shard says: its part, what the target can do, and the evidence of its results by id.

    `target` is what was judged, by the words of the report; `name` is the file.
    """

    name: str
    version: str
    target: Mapping[str, str]
    capabilities: Capabilities
    part: ShardPart
    seconds: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, tuple[LoggedExchange, ...]] = field(default_factory=dict)


def merge_shards(reports: Sequence[ShardReport], catalogue: Sequence[Check], api: Api) -> tuple[Result, ...]:
    """The results of the whole run, in the order of the catalogue. Raises UsageFault if they are not one run."""
    require_one_run(reports)
    first = reports[0].part
    if digest_catalogue(catalogue) != first.catalogue:
        raise UsageFault(
            f"{reports[0].name!r} was written with another catalogue of checks: merge with the version that ran "
            f"the shards ({reports[0].version})"
        )
    homes = {name: report for report in reports for name in report.part.observations}
    homes |= {name: report for report in reports for name in report.part.ran}
    missing = [check.id for check in catalogue if check.id not in homes]
    if missing:
        raise UsageFault(
            f"no report says anything of {', '.join(missing[:3])} ({len(missing)} in all): "
            "the shards did not divide the same run, so run them again with the same options and times"
        )
    merge = _Merge(reports, [(check, homes[check.id]) for check in catalogue], api)
    results = merge.decide_all()
    stops = {name: stop for report in reports for name, stop in report.part.stops.items()}
    return link([results[check.id] for check in catalogue], stops, api)


def require_one_run(reports: Sequence[ShardReport]) -> None:
    """Raise UsageFault unless these are all shards of one run, each once."""
    if not reports:
        raise UsageFault("there is no report to merge: name those of all shards")
    first = reports[0]
    for told, same in (
        ("with another version of harness", lambda one: one.version),
        ("of another target", lambda one: sorted(one.target.items())),
        ("of another revision of the API", lambda one: one.part.revision),
        ("with another catalogue of checks", lambda one: one.part.catalogue),
        ("with another number of shards", lambda one: one.part.shard.of),
        ("of another selection of checks", lambda one: one.part.selection),
        ("with another --strict", lambda one: one.part.strict),
        ("with another baseline", lambda one: one.part.baseline),
    ):
        other = next((one for one in reports if same(one) != same(first)), None)
        if other is not None:
            raise UsageFault(
                f"{other.name!r} was written {told} than {first.name!r} ({same(other)!s:.80} and "
                f"{same(first)!s:.80}): merge the shards of one run"
            )
    _require_each_once(reports)
    _require_one_view(reports)


def _require_each_once(reports: Sequence[ShardReport]) -> None:
    of = reports[0].part.shard.of
    seen: dict[int, str] = {}
    for report in reports:
        number = report.part.shard.number
        if number in seen:
            raise UsageFault(
                f"{seen[number]!r} and {report.name!r} are both shard {report.part.shard}: name each once"
            )
        seen[number] = report.name
    missing = [str(number) for number in range(1, of + 1) if number not in seen]
    if missing:
        which = (
            f"shard {missing[0]} of {of} is" if len(missing) == 1 else f"shards {', '.join(missing)} of {of} are"
        )
        raise UsageFault(f"{which} missing: name the reports of all shards")
    ran: dict[str, str] = {}
    for report in reports:
        for name in report.part.ran:
            if name in ran:
                raise UsageFault(
                    f"{ran[name]!r} and {report.name!r} both judged {name}: the shards did not divide the same "
                    "run, so run them again with the same options and times"
                )
            ran[name] = report.name


def _require_one_view(reports: Sequence[ShardReport]) -> None:
    """The probe of each shard must have seen the same target."""
    first = {item.name: item.present for item in reports[0].capabilities}
    for report in reports[1:]:
        seen = {item.name: item.present for item in report.capabilities}
        differs = [name for name in {**first, **seen} if first.get(name) != seen.get(name)]
        if differs:
            raise UsageFault(
                f"{reports[0].name!r} and {report.name!r} saw a different target ({', '.join(sorted(differs))}): "
                "run both shards again, or say what it can do with --capabilities"
            )


@dataclass(slots=True)
class _Merge:
    """The decisions of one merge; `homes` are the checks, each with the report of the shard that judged it."""

    reports: Sequence[ShardReport]
    homes: Sequence[tuple[Check, ShardReport]]
    api: Api
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
                found = [self._results[r] for r in _roots(check, said, roots) if r in self._results]
                self._results[check.id] = self._decide(check, home, said, resolve(said, found), blocking)
            waiting = [one for one in waiting if one[0].id not in self._results]
        return self._results

    def _is_ready(self, check: Check, said: Observation, roots: Mapping[str, tuple[str, ...]]) -> bool:
        return all(root in self._results for root in _roots(check, said, roots))

    def _observe(self, check: Check, home: ShardReport) -> Observation:
        """What the check saw itself, and what the answers of all shards showed under its rule."""
        own = _find_own(check, home)
        return add_sightings(own, self._sightings(check.id)) if check.id in home.part.ran else own

    def _sightings(self, rule: str) -> list[AuditedDefect]:
        """The defects under a rule in the order of the catalogue's exercises, each once."""
        order = {name: n for n, name in enumerate(dict.fromkeys(check.exercise.name for check, _ in self.homes))}
        seen = [one for report in self.reports for one in report.part.sightings.get(rule, ())]
        once: dict[tuple[str, ...], AuditedDefect] = {}
        for one in sorted(seen, key=lambda one: order.get(one.exercise, len(order))):
            known = once.get(one.kind)
            once[one.kind] = one if known is None else replace(known, answers=known.answers + one.answers)
        return list(_keep_first(once.values()))

    def _decide(
        self, check: Check, home: ShardReport, said: Observation, final: Observation, blocking: frozenset[str]
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


def _find_own(check: Check, home: ShardReport) -> Observation:
    return home.part.observations[check.id]


def _roots(check: Check, said: Observation, roots: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return find_roots(check, said, roots.get(check.id, ()))


def _keep_first(seen: Iterable[AuditedDefect]) -> Iterator[AuditedDefect]:
    """As many of each severity as one run keeps."""
    counts: dict[str, int] = {}
    for one in seen:
        counts[one.finding.severity] = counts.get(one.finding.severity, 0) + 1
        if counts[one.finding.severity] <= most_of(one.finding):
            yield one
