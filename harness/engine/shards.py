"""Spreads one run over several machines: what a shard plays, and what it hands to the merge.

Layer 4, values and pure functions. Every shard plans the whole run and plays its part, so the parts need not know
of each other. What crosses shards, such as a finding that blocks checks elsewhere, is decided by the merge; a part
of `check` therefore carries what each check saw before other checks were considered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness import __version__
from harness.engine.audit import AuditedDefect
from harness.engine.baseline import Entry
from harness.engine.plan import Group, PlannedCheck, RunPlan
from harness.engine.results import LoggedExchange
from harness.kit.check import Check
from harness.outcome import Because, Observation, Outcome, UsageFault
from harness.outcome.words import to_one_line
from harness.wire import Exchange

MOST_SHARDS = 1_000

DIVIDED_OTHERWISE = "the shards did not divide the same run, so run them again with the same options and times"
"""What is wrong with reports that say something twice, or nothing at all."""

ELSEWHERE = Observation(Outcome.EXCLUDED, reason="in another shard", because=Because.LEFT_OUT)
"""The observation of a check that another shard judges."""


class Shard(Struct, frozen=True):
    """One of `of` parts of a run, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class ShardPart(Struct, frozen=True, kw_only=True):
    """The state of one shard of a run, before the results of the others are considered.

    `selection` is that of the whole run in words, `catalogue` is the digest of the rules. `ran` are the ids of
    this shard. `whole` are those of all shards, in the order of their results; it is empty if the catalog gives
    them.

    Only shards of `check` have the rest: `observations` has its decisions, by id; `sightings` those of any
    response under a rule, `compared` the rules that responses broke by contradicting each other, `judged` how many
    responses each rule judged, and `stops` the response at which a check could not go on.
    """

    shard: Shard
    catalogue: str
    revision: str
    selection: str
    version: str = __version__
    strict: bool = False
    baseline: tuple[Entry, ...] = ()
    ran: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    observations: Mapping[str, Observation] = field(default_factory=dict)
    sightings: Mapping[str, tuple[AuditedDefect, ...]] = field(default_factory=dict)
    compared: tuple[str, ...] = ()
    judged: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    stops: Mapping[str, Exchange | LoggedExchange] = field(default_factory=dict)


class ShardReport(Struct, frozen=True, kw_only=True):
    """The report of a shard: the `name` of its file, what was judged (`target`, in words), and its part."""

    name: str
    target: Mapping[str, str]
    part: ShardPart


def parse_shard(text: str) -> Shard:
    """Read `K/N`. Raises UsageFault if that names no part."""
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip(), re.ASCII)
    if not found:
        raise UsageFault(f"--shard {text!r} is not a part: write K/N, such as 2/3 for the second of three")
    number, of = int(found[1]), int(found[2])
    if not 1 <= of <= MOST_SHARDS:
        raise UsageFault(f"--shard {text!r}: a run has 1 to {MOST_SHARDS} shards")
    if not 1 <= number <= of:
        raise UsageFault(f"--shard {text!r}: shards are counted from 1 to {of}, so there is no number {number}")
    return Shard(number, of)


def digest_catalogue(checks: Iterable[Check]) -> str:
    """A value that two runs share if they judge by the same rules."""
    lines = [f"{c.id}|{c.rule.level}|{c.rule.statement}|{c.exercise.name}|{sorted(c.requires)}" for c in checks]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def divide(weights: Mapping[str, float], shard: Shard, seconds: Mapping[str, float]) -> frozenset[str]:
    """The names that are a shard's part of `weights`, which give a guess for each name of how much there is to do.

    The dearest one goes first, always to the shard with the least to do. One costs the `seconds` that an earlier
    run took for it; the weight of one that it did not know is made seconds by what the known ones took.
    """
    known = {name: seconds.get(name, 0.0) for name in weights}
    timed = sum(weight for name, weight in weights.items() if known[name])
    of_weight = sum(known.values()) / timed if timed else 1.0
    cost = {name: known[name] or of_weight * weight for name, weight in weights.items()}
    loads = [0.0] * shard.of
    chosen: list[set[str]] = [set() for _ in loads]
    for name in sorted(cost, key=lambda name: (-cost[name], name)):
        least = loads.index(min(loads))
        loads[least] += cost[name]
        chosen[least].add(name)
    return frozenset(chosen[shard.number - 1])


def choose_groups(groups: Sequence[Group], shard: Shard, seconds: Mapping[str, float]) -> frozenset[str]:
    """The names of the exercises that a shard plays.

    An exercise costs the `seconds` of its checks in an earlier run, by id, each of which has its share.
    """
    known = {ex.name: sum(seconds.get(member.check.id, 0.0) for member in members) for ex, members in groups}
    return divide({ex.name: float(max(ex.requests, 1)) for ex, _ in groups}, shard, known)


def split_plan(plan: RunPlan, shard: Shard, seconds: Mapping[str, float]) -> RunPlan:
    """The plan of one shard: checks of other shards are left out, and so are those blocked by such a check."""
    mine = choose_groups(plan.groups, shard, seconds)
    here = {p.check.id for p in plan.checks if p.skip is None and p.check.exercise.name in mine}

    def leave_out(planned: PlannedCheck) -> bool:
        if planned.skip is None:
            return planned.check.id not in here
        return planned.skip.outcome is Outcome.BLOCKED and planned.skip.cause not in here

    checks = tuple(replace(p, skip=ELSEWHERE) if leave_out(p) else p for p in plan.checks)
    return RunPlan(checks, whole=plan.checks)


def require_one_run(reports: Sequence[ShardReport], *, same_target: bool = False) -> None:
    """Raise UsageFault unless these are all shards of one run, each once, and nothing was run twice.

    `same_target`: the user declares that their target is the same, whatever its name and URL were.
    """
    if not reports:
        raise UsageFault("no events to merge: name the events of all shards")
    first = reports[0]
    addresses = ("name", "url") if same_target else ()
    for difference, same in (
        ("with another version of harness", lambda one: one.part.version),
        ("of another target", lambda one: sorted((k, v) for k, v in one.target.items() if k not in addresses)),
        ("of another revision of the API", lambda one: one.part.revision),
        ("with another catalog of checks", lambda one: one.part.catalogue),
        ("with another number of shards", lambda one: one.part.shard.of),
        (
            "with another selection (-c, --exclude, --level, --profile)",
            lambda one: (one.part.selection, one.part.whole),
        ),
        ("with another --strict", lambda one: one.part.strict),
        ("with another baseline", lambda one: one.part.baseline),
    ):
        other = next((one for one in reports if same(one) != same(first)), None)
        if other is not None:
            hint = (
                "; if it is the same server at another address, add --same-target"
                if "target" in difference
                else ""
            )
            raise UsageFault(
                f"{other.name!r} was written {difference} than {first.name!r}"
                f"{_name_difference(same(other), same(first))}: merge the shards of one run{hint}"
            )
    _require_each_once(reports)


def _name_difference(theirs: Any, ours: Any) -> str:
    """The difference of two values in parentheses: of two lists of pairs, the first pair only one has."""
    if isinstance(theirs, tuple):  # a selection, which has no short form
        return ""
    if isinstance(theirs, list) and isinstance(ours, list):
        named = next(
            name for name, value in (*theirs, *ours) if (name, value) not in theirs or (name, value) not in ours
        )
        theirs, ours = (f"{named} {dict(pairs).get(named, 'none')}" for pairs in (theirs, ours))
    return to_one_line(f" ({theirs!s:.80} and {ours!s:.80})")


def _require_each_once(reports: Sequence[ShardReport]) -> None:
    of = reports[0].part.shard.of
    seen: dict[int, str] = {}
    ran: dict[str, str] = {}
    for report in reports:
        part = report.part
        if (other := seen.setdefault(part.shard.number, report.name)) is not report.name:
            raise UsageFault(f"{other!r} and {report.name!r} are both shard {part.shard}: name each once")
        for name in part.ran:
            if (other := ran.setdefault(name, report.name)) is not report.name:
                raise UsageFault(f"{other!r} and {report.name!r} both judged {name}: {DIVIDED_OTHERWISE}")
    if missing := sorted(set(range(1, of + 1)) - seen.keys()):
        named = f"shard{'s' * (len(missing) > 1)} {', '.join(map(str, missing))} of {of}"
        verb = "is" if len(missing) == 1 else "are"
        raise UsageFault(f"{named} {verb} missing: name the events of all shards")
    if lost := [name for name in reports[0].part.whole if name not in ran]:
        raise UsageFault(f"no report contains {', '.join(lost[:3])} ({len(lost)} in all): {DIVIDED_OTHERWISE}")


def require_catalogue(report: ShardReport, catalogue: Iterable[Check]) -> None:
    """Raise UsageFault if a shard ran with other rules than these."""
    if digest_catalogue(catalogue) != report.part.catalogue:
        raise UsageFault(
            f"{report.name!r} was written with another catalog of checks: merge with the version that ran "
            f"the shards ({report.part.version})"
        )
