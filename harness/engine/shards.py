"""Spreads one run over several machines: which exercises a shard plays, and what it hands to the merge.

Layer 4, values and pure functions. Every shard plans the whole run and plays its part, so the parts need not know
of each other. What crosses shards, such as a finding that blocks checks elsewhere, is decided by the merge; a part
therefore carries what each check saw before other checks were considered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.engine.audit import AuditedDefect
from harness.engine.baseline import Entry
from harness.engine.plan import Group, PlannedCheck, RunPlan
from harness.engine.results import LoggedExchange
from harness.kit.check import Check
from harness.outcome import Because, Observation, Outcome, UsageFault
from harness.wire import Exchange

MOST_SHARDS = 1_000

ELSEWHERE = Observation(Outcome.EXCLUDED, reason="in another shard", because=Because.LEFT_OUT)
"""The observation of a check that another shard judges."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `of` parts of a run, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPart:
    """What one shard of a run knows, before what the others found is considered.

    `selection` says in words what the whole run was asked for, `catalogue` is the digest of the rules. `ran` are
    the ids of the checks that this shard played. `observations` has all that it decided, by id; `sightings` what
    any answer showed under a rule, and `stops` the answer at which a check could not go on.
    """

    shard: Shard
    catalogue: str
    revision: str
    selection: str
    strict: bool = False
    baseline: tuple[Entry, ...] = ()
    ran: tuple[str, ...] = ()
    observations: Mapping[str, Observation] = field(default_factory=dict)
    sightings: Mapping[str, tuple[AuditedDefect, ...]] = field(default_factory=dict)
    stops: Mapping[str, Exchange | LoggedExchange] = field(default_factory=dict)


def parse_shard(text: str) -> Shard:
    """Read `K/N`. Raises UsageFault if that names no part."""
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip(), re.ASCII)
    if not found:
        raise UsageFault(f"--shard {text!r} is no part: write K/N, such as 2/3 for the second of three")
    number, of = int(found[1]), int(found[2])
    if not 1 <= of <= MOST_SHARDS:
        raise UsageFault(f"--shard {text!r}: a run has 1 to {MOST_SHARDS} shards")
    if not 1 <= number <= of:
        raise UsageFault(f"--shard {text!r}: shards are counted from 1 to {of}, so there is no number {number}")
    return Shard(number, of)


def digest_catalogue(checks: Iterable[Check]) -> str:
    """What two runs have in common if they judge by the same rules."""
    lines = [f"{c.id}|{c.rule.level}|{c.rule.statement}|{c.exercise.name}|{sorted(c.requires)}" for c in checks]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def choose_groups(groups: Sequence[Group], shard: Shard, seconds: Mapping[str, float]) -> frozenset[str]:
    """The names of the exercises that a shard plays.

    The dearest exercise goes first, always to the shard with the least to do. An exercise costs the `seconds` that
    an earlier run took for its checks, by id. Those of one unknown to it, or of all without `seconds`, are guessed
    from the requests that it declares.
    """
    known = {ex.name: max((seconds.get(m.check.id, 0.0) for m in members), default=0.0) for ex, members in groups}
    timed = sum(ex.requests for ex, _ in groups if known[ex.name])
    of_request = sum(known.values()) / timed if timed else 1.0
    cost = {ex.name: known[ex.name] or of_request * max(ex.requests, 1) for ex, _ in groups}
    loads = [0.0] * shard.of
    chosen: list[set[str]] = [set() for _ in loads]
    for name in sorted(cost, key=lambda name: (-cost[name], name)):
        least = loads.index(min(loads))
        loads[least] += cost[name]
        chosen[least].add(name)
    return frozenset(chosen[shard.number - 1])


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
