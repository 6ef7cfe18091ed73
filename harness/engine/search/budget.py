"""How much a search may do, by profile, and the settings of Hypothesis for it.

Layer 4. The only module that knows Hypothesis's settings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.search.failure import RANK, AnswerCounts, EngineRun, Failure, list_rules, rule_of
from harness.engine.shards import Shard, divide
from harness.kit.api import Api
from harness.kit.search import Family
from harness.outcome import UsageFault
from harness.written_files import find_way_out

if TYPE_CHECKING:
    from hypothesis import settings
    from hypothesis.database import ExampleDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The number of histories and of their steps, of examples of the laws, and per operation of the document.

    `coverage` adds the document's systematic phase, which sends some thousand requests, nearly all of them wrong.

    `seconds` bounds each search as a whole. If it is None, only the counts do, and the same seed does the same.
    """

    histories: int
    steps: int
    laws: int
    schema: int
    coverage: bool = True
    seconds: float | None = None

    def with_limits(self, examples: int | None, seconds: float | None) -> Budget:
        """The budget with the user's values in place of the profile's."""
        changed = self if seconds is None else replace(self, seconds=seconds)
        if examples is None:
            return changed
        return replace(changed, histories=examples, laws=examples, schema=examples)


BUDGETS: dict[str, Budget] = {
    "smoke": Budget(histories=150, steps=30, laws=80, schema=20, coverage=False),
    "ci": Budget(histories=500, steps=50, laws=300, schema=40),
    "nightly": Budget(histories=20_000, steps=300, laws=5_000, schema=500, seconds=3600.0),
}


def hypothesis_settings(examples: int, *, steps: int = 50) -> settings:
    """Settings of one search: no output, no deadline per example, and nothing to replay or to shrink.

    Hypothesis only draws; what fails is shrunk by `shrink`, which needs fewer plays, and shared by
    `example_sharing`.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, settings

    return settings(
        max_examples=max(1, examples),
        stateful_step_count=steps,
        database=None,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )


def open_database(text: str | None) -> ExampleDatabase | None:
    """Open the example database `text`: a directory, `redis://host:port`, or `github:owner/repository`.

    Returns None for an empty text or `none`. Raises UsageFault if `text` is malformed, Redis does not answer, a
    package is missing, or a link of a folder, also one in the directory, leads what is written elsewhere.
    """
    if not text or text == "none":
        return None
    from hypothesis import database

    if text.startswith("redis://"):
        found: ExampleDatabase = _open_redis(text)
        return found
    if text.startswith("github:"):
        owner, slash, name = text.removeprefix("github:").partition("/")
        if not slash or not owner or not name:
            raise UsageFault(f"--database {text!r}: write github:OWNER/REPOSITORY")
        artifact = database.GitHubArtifactDatabase(owner, name)
        return database.MultiplexedDatabase(
            database.InMemoryExampleDatabase(), database.ReadOnlyDatabase(artifact)
        )
    if "://" in text:
        raise UsageFault(f"--database {text!r} has an unknown scheme: write DIR, redis://… or github:OWNER/REPO")
    for path in (Path(text), *(inside for inside in Path(text).rglob("*") if inside.is_symlink())):
        if why := find_way_out(path):  # Hypothesis follows the links in it, too
            raise UsageFault(f"--database {text!r} cannot be written: {path}: {why}")
    return database.DirectoryBasedExampleDatabase(text)


def _open_redis(url: str) -> Any:
    try:
        import redis  # type: ignore[import-not-found,unused-ignore]
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise UsageFault("--database redis://… needs the redis package: pip install 'hypothesis[redis]'") from None
    client = redis.Redis.from_url(url)
    try:
        client.ping()
    except redis.exceptions.RedisError as wrong:
        raise UsageFault(f"--database {url!r}: no Redis server responds ({wrong})") from None
    return RedisExampleDatabase(client)


# What one shard of a search plays, and how the parts of all shards are one search again.


SEEDS = 1_000_000
"""The distance between the seeds of two shards: more than one search ever uses."""

ELSEWHERE = "this part contains no work of this engine"

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
    """A value that two searches share if they judge by the same rules."""
    lines = [f"{rule.id}|{rule.level}|{rule.statement}" for rule in list_rules(api).values()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def merge_runs(parts: Mapping[str, Sequence[EngineRun]], api: Api) -> list[EngineRun]:
    """The runs of each engine in all parts, by name; an engine that one part does not prove is unproved."""
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


def _name_parts(sections: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """Each sentence once, with the parts that say it, unless all of them do."""
    parts: dict[str, list[str]] = {}
    for name, sentences in sections:
        for sentence in sentences:
            parts.setdefault(sentence, []).append(name)
    return tuple(
        text if len(names) == len(sections) else f"{', '.join(names)}: {text}"
        for text, names in parts.items()
        if text != ELSEWHERE
    )


def _merge_failures(failures: Sequence[Failure], api: Api) -> tuple[Failure, ...]:
    """Each kind once: the one that is gravest, best reproduced and smallest, with the answers of all."""
    weigh = api.load_search().weigh
    seen = Counter[str]()
    for failure in failures:
        seen[failure.key] += failure.seen

    def rank(one: Failure) -> tuple[Any, ...]:
        only_warns = one.replays.lost or one.is_suspicion
        level = RANK[rule_of(one.rule, api).level]
        return only_warns, -level, one.replays.flaky, bool(one.unshrunk), weigh(one.history)

    order = sorted(failures, key=rank)
    kept = {failure.key: failure for failure in reversed(order)}
    return tuple(replace(failure, seen=seen[key]) for key, failure in sorted(kept.items()))
