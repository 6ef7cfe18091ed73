"""A run over mutants: is each one noticed, and can each check fail? Its events, as those of every run.

Layer 4. What is played is in `kill_matrix`.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import (
    CheckFinished,
    PhaseFinished,
    Planned,
    RunEvent,
    RunFinished,
    RunStarted,
    TargetInfo,
)
from harness.engine.kill_matrix import (
    Matrix,
    PlayedMutant,
    PlayedReference,
    load_checks,
    play_mutants,
    to_matrix,
)
from harness.engine.results import KillRow, Result
from harness.engine.sharding.shards import Shard, ShardPart, digest_catalogue, divide
from harness.kit.api import Api
from harness.outcome import Basis, Exit, Finding, Level, Observation, Outcome, Rule, Source

NOTICED = Rule(
    id="proof.noticed",
    level=Level.MUST,
    statement="A defect of the service is noticed by a check.",
    breaks="A server with this defect is called conformant.",
    source=Source(Basis.GENERIC, "Mutants", "Every mutant is killed"),
)
PROVED = Rule(
    id="proof.proved",
    level=Level.MUST,
    statement="A check notices a defect.",
    breaks="Nobody knows whether the check can fail at all.",
    source=Source(Basis.GENERIC, "Mutants", "Every check kills"),
)
REFERENCE, UNPROVED = "reference", "checks that notice no mutant"
"""The phases of a run; their notes are what the reference does not meet and why, and ids of checks."""

MUTANTS = TargetInfo(name="the emulator")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOptions:
    """What to play: mutants by name, each with its defect, over `jobs` processes.

    `whole`: these are all mutants, so that a check that notices none of them is unproved. With `shard`, only that
    part is played; `shard_seconds` are what an earlier run took, by mutant.
    """

    summaries: Mapping[str, str]
    whole: bool
    jobs: int = 1
    revision: str = ""
    shard: Shard | None = None
    shard_seconds: Mapping[str, float] = field(default_factory=dict)


def prove(api: Api, options: ProofOptions) -> Generator[RunEvent, None, None]:
    """Run the catalogue against mutants; if these are the whole, judge the checks, too."""
    begun = time.perf_counter()
    names = list(options.summaries)
    if options.shard is not None:
        mine = divide(dict.fromkeys(names, 1.0), options.shard, options.shard_seconds)
        names = [name for name in names if name in mine]
    checks = load_checks(api, options.revision)
    yield RunStarted(MUTANTS)
    yield Planned(len(names), 0, str(options.shard or ""))
    played: list[PlayedReference | PlayedMutant] = []
    interrupted = False
    try:
        with closing(play_mutants(api, names, jobs=options.jobs, revision=options.revision)) as rows:
            for one in rows:
                played.append(one)
                yield _tell_one(one, len(checks), options.summaries)
    except KeyboardInterrupt:
        interrupted = True
    if not played:
        yield _tell_reference({}, len(checks))
    part = None
    if options.shard is not None:
        part = ShardPart(
            shard=options.shard,
            catalogue=digest_catalogue(checks),
            revision=options.revision,
            selection="all mutants" if options.whole else "some mutants",
            ran=tuple(names),
            whole=tuple(options.summaries),
        )
    matrix = to_matrix(names, checks, played, interrupted=interrupted)
    seconds = time.perf_counter() - begun
    yield from _conclude(matrix, options.summaries, seconds, whole=options.whole, part=part)


def tell_matrix(matrix: Matrix, summaries: Mapping[str, str], *, whole: bool) -> Iterator[RunEvent]:
    """The events of a run whose matrix is known; `whole` as in `ProofOptions`."""
    yield RunStarted(MUTANTS)
    yield Planned(len(summaries), 0)
    yield _tell_reference(matrix.unmet, len(matrix.checks))
    for name in matrix.kills:
        yield CheckFinished(_judge_mutant(matrix.row(name), summaries[name]))
    yield from _conclude(matrix, summaries, sum(matrix.seconds.values()), whole=whole)


def _tell_one(one: PlayedReference | PlayedMutant, checks: int, summaries: Mapping[str, str]) -> RunEvent:
    if isinstance(one, PlayedReference):
        return _tell_reference(one.unmet, checks)
    return CheckFinished(_judge_mutant(one, summaries[one.mutant]))


def _tell_reference(unmet: Mapping[str, str], checks: int) -> PhaseFinished:
    notes = tuple(f"{check}: {why}" for check, why in unmet.items())
    return PhaseFinished(name=REFERENCE, counts={"checks": checks}, notes=notes)


def _conclude(
    matrix: Matrix,
    summaries: Mapping[str, str],
    seconds: float,
    *,
    whole: bool,
    part: ShardPart | None = None,
) -> Iterator[RunEvent]:
    """The end of a run, with its results in the order of the matrix."""
    unproved = () if matrix.interrupted or part is not None else matrix.without_killer
    yield PhaseFinished(name=UNPROVED, notes=unproved)
    results = [_judge_mutant(matrix.row(name), summaries[name]) for name in matrix.kills]
    results += map(_report_unproved, unproved if whole else ())
    code = Exit.INTERRUPTED if matrix.interrupted else exit_of(results)
    yield RunFinished(tuple(results), seconds, code, part=part)


def _judge_mutant(played: PlayedMutant, summary: str) -> Result:
    """The result of one mutant."""
    mutant, killers, errors = played.mutant, played.killers, played.errors
    survives = [] if killers else [Finding(NOTICED.id, "no check notices it", "a check that fails", "none")]
    observation = Observation.of(survives)
    if errors:
        observation = Observation(Outcome.ERROR, reason="\n".join(errors))
    row = KillRow(mutant, killers, errors)
    return decide(
        NOTICED,
        observation,
        Policy(),
        result_id=f"{NOTICED.id}[{mutant}]",
        title=summary,
        show=lambda _: (row,),
        seconds=played.seconds,
    )


def _report_unproved(check: str) -> Result:
    finding = Finding(PROVED.id, "no mutant makes it fail", "a mutant that it notices", "none")
    return decide(PROVED, Observation.of([finding]), Policy(), result_id=f"{PROVED.id}[{check}]", title=check)
