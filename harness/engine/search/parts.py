"""What one shard of a search plays, and how the parts of all shards are one search again.

Layer 4, pure. Each shard draws its share of the examples from seeds of its own, searches its resources of the
document, and follows its part of the short histories. No shard needs to know the others. A whole search draws
other examples than its shards together, but as many.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.engine.search.answer_counts import AnswerCounts
from harness.engine.search.budget import Budget
from harness.engine.search.failure import EngineRun, Failure
from harness.engine.search.rules import list_rules
from harness.engine.sharding.shards import Shard, divide
from harness.kit.api import Api
from harness.kit.search import Family

SEEDS = 1_000_000
"""The distance between the seeds of two shards: more than one search ever uses."""

ELSEWHERE = "nothing of this engine is in this part"

_COMBINED: Mapping[str, Callable[[int, int], int]] = {"depth": min, "kinds of operation": max}
"""The counts of engines that do not add up."""


def split_budget(budget: Budget, shard: Shard) -> Budget:
    """A shard's share of the examples; what cannot be divided goes to the first shards."""

    def share(number: int) -> int:
        return number // shard.of + (shard.number <= number % shard.of)

    return replace(budget, histories=share(budget.histories), laws=share(budget.laws))


def seed_of(seed: int, shard: Shard | None) -> int:
    """The first seed of a shard."""
    return seed if shard is None else seed + SEEDS * shard.number


def split_families(families: Sequence[Family], shard: Shard | None) -> tuple[Family, ...]:
    """A shard's resources of a document, whichever of them are served."""
    if shard is None:
        return tuple(families)
    mine = divide({family.collection: float(family.weight) for family in families}, shard, {})
    return tuple(family for family in families if family.collection in mine)


def digest_rules(api: Api) -> str:
    """What two searches have in common if they judge by the same rules."""
    lines = [f"{rule.id}|{rule.level}|{rule.statement}" for rule in list_rules(api).values()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def merge_runs(parts: Mapping[str, Sequence[EngineRun]], api: Api) -> list[EngineRun]:
    """What each engine did in all parts, given by their names; what one part does not prove, none does."""
    engines = dict.fromkeys(run.engine for runs in parts.values() for run in runs)
    return [
        _merge([(name, run) for name, runs in parts.items() for run in runs if run.engine == engine], api)
        for engine in engines
    ]


def _merge(runs: Sequence[tuple[str, EngineRun]], api: Api) -> EngineRun:
    counts: dict[str, int] = {}
    for _, run in runs:
        for name, number in run.counts.items():
            combine = _COMBINED.get(name, int.__add__)
            counts[name] = combine(counts[name], number) if name in counts else number
    return EngineRun(
        engine=runs[0][1].engine,
        seconds=sum(run.seconds for _, run in runs),
        counts=counts,
        failures=_merge_failures([failure for _, run in runs for failure in run.failures], api),
        vacuous=_name_parts([(name, run.vacuous) for name, run in runs]),
        notes=_name_parts([(name, run.notes) for name, run in runs]),
        answers=AnswerCounts.of(run.answers for _, run in runs),
        stopped=any(run.stopped for _, run in runs),
    )


def _name_parts(said: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """Each sentence once, with the parts that say it, unless all of them do."""
    parts: dict[str, list[str]] = {}
    for name, sentences in said:
        for sentence in sentences:
            parts.setdefault(sentence, []).append(name)
    return tuple(
        text if len(names) == len(said) else f"{', '.join(names)}: {text}"
        for text, names in parts.items()
        if text != ELSEWHERE
    )


def _merge_failures(failures: Sequence[Failure], api: Api) -> tuple[Failure, ...]:
    """Each kind once: the one that is best reproduced and smallest, with the answers of all."""
    weigh = api.load_search().weigh
    seen = Counter[str]()
    for failure in failures:
        seen[failure.key] += failure.seen
    order = sorted(failures, key=lambda one: (one.replays.flaky, bool(one.unshrunk), weigh(one.history)))
    kept = {failure.key: failure for failure in reversed(order)}
    return tuple(replace(failure, seen=seen[key]) for key, failure in sorted(kept.items()))
