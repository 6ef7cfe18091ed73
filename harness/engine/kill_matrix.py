"""The kill matrix: which check kills which mutant of the reference service.

Layer 4. Judges are pure: if the exchanges of an exercise with a mutant equal the reference's byte for byte, so do
its observations, and no judge is called again. The audit of a whole run applies here too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from msgspec import structs

from harness.child_processes import begin_worker, use_bench, worker_pool
from harness.engine.audit import Audit
from harness.engine.capabilities import everything
from harness.engine.cleanup import CreatedResources
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
from harness.engine.execute import PlayedExercise, play
from harness.engine.results import KillRow, Result
from harness.engine.targets import TargetOptions, embed_emulator
from harness.engine.traffic.perform import GivenIds
from harness.kit.api import Api, EmbeddedService
from harness.kit.check import Check, Exercise
from harness.outcome import Basis, Exit, Finding, Level, Observation, Outcome, Rule, Source
from harness.wire import Exchange

_KILLS = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})

Fingerprint: TypeAlias = tuple[Any, ...]
Group: TypeAlias = tuple[Exercise, tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`kills` maps every mutant to the ids of the checks that kill it, in the order of the catalog.

    If it was `interrupted`, the mutants that had not been tried are missing.

    `checks` are all judged ids. `unmet` maps those that the reference itself does not meet to the outcome and the
    reason. `errors` are our own faults, and `seconds` the duration of the row, by mutant.
    """

    kills: Mapping[str, tuple[str, ...]]
    checks: tuple[str, ...]
    unmet: Mapping[str, str]
    errors: Mapping[str, tuple[str, ...]]
    interrupted: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def survivors(self) -> tuple[str, ...]:
        """Mutants that no check notices."""
        return tuple(mutant for mutant, killers in self.kills.items() if not killers)

    @property
    def without_killer(self) -> tuple[str, ...]:
        """Checks that notice no mutant: nothing proves that they can fail."""
        proved = {check for killers in self.kills.values() for check in killers}
        return tuple(check for check in self.checks if check not in proved)

    def row(self, mutant: str) -> PlayedMutant:
        """The row of one mutant that was tried."""
        errors, seconds = self.errors.get(mutant, ()), self.seconds.get(mutant, 0.0)
        return PlayedMutant(mutant, self.kills[mutant], errors, seconds)


@dataclass(frozen=True, slots=True)
class PlayedReference:
    """The rules that the reference itself does not meet: the outcome and the reason, by check."""

    unmet: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlayedMutant:
    """One mutant's row of the matrix, in a form that can be sent between processes; killers as in `Matrix`."""

    mutant: str
    killers: tuple[str, ...]
    errors: tuple[str, ...]
    seconds: float = 0.0


class _NothingOwed(CreatedResources):
    """Nothing is deleted: each exercise has a service of its own, which is thrown away."""

    def note(self, exchange: Exchange) -> None:
        """Read nothing."""


class _LateIds(GivenIds):
    """Ids that are read when a play is judged: to read the id of a stream judges it, and most plays are not."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._api = api
        self._noted: list[Exchange] = []

    def note(self, exchange: Exchange, owner: object) -> None:
        """Keep it for later."""
        self._noted.append(exchange)

    def judge_shared(self, trail: Iterable[Exchange], owner: object, since: float) -> dict[str, Finding]:
        """Say nothing yet."""
        return {}

    def complete(self, played: PlayedExercise) -> PlayedExercise:
        """The run of an exercise, with the defects of its ids."""
        given = GivenIds(self._api)
        repeated = [again for exchange in self._noted if (again := given.note(exchange, self)) is not None]
        return structs.replace(
            played, repeated=tuple(repeated), shared=given.judge_shared(played.trail, self, 0.0)
        )


class Bench:
    """The reference's exchanges and observations, to be compared with a mutant's."""

    def __init__(
        self,
        api: Api,
        catalogue: Sequence[Check],
        build: Callable[[], EmbeddedService] | None = None,
        *,
        revision: str = "",
    ) -> None:
        self._api = api
        self._revision = revision
        self._contract = api.load_contract(revision)
        self._groups = group_by_exercise(catalogue)
        self._checks = tuple(catalogue)
        self._fingerprints: dict[str, Fingerprint] = {}
        self._own: dict[str, Observation] = {}
        self._able = everything(api.load_capabilities())
        audit = Audit.of(self._checks, self._api)
        for exercise, checks in self._groups:
            played, ids = self._play(exercise, build)
            played = ids.complete(played)
            own = [(check, played.observe(check)) for check in checks]
            audit.begin_service()
            audit.note(exercise, played, self._contract, own)
            self._fingerprints[exercise.name] = _fingerprint(played)
            self._own.update((check.id, observation) for check, observation in own)
        audit.settle_denials(one_service=False)  # each exercise had one of its own
        observations = {check.id: audit.observe(check, self._own[check.id]) for check in self._checks}
        self._outcomes = {check_id: observation.outcome for check_id, observation in observations.items()}
        self.unmet = {
            check_id: f"{observation.outcome}: {observation.why}"
            for check_id, observation in observations.items()
            if observation.outcome is not Outcome.MET
        }

    def row(self, mutant: str, build: Callable[[], EmbeddedService]) -> PlayedMutant:
        """Play every exercise against one mutant."""
        begun = time.perf_counter()
        own = dict(self._own)
        audit = Audit.of(self._checks, self._api)
        for exercise, checks in self._groups:
            played, ids = self._play(exercise, build)
            if _fingerprint(played) != self._fingerprints[exercise.name]:
                played = ids.complete(played)
                observed = [(check, played.observe(check)) for check in checks]
                audit.begin_service()
                audit.note(exercise, played, self._contract, observed)
                own.update((check.id, observation) for check, observation in observed)
        audit.settle_denials(one_service=False)
        killers: list[str] = []
        errors: list[str] = []
        for check in self._checks:
            observation = audit.observe(check, own[check.id])
            if observation.outcome is Outcome.ERROR:
                errors.append(f"{check.id}: {observation.reason}")
            elif observation.outcome in _KILLS and self._outcomes[check.id] is not observation.outcome:
                killers.append(check.id)
        return PlayedMutant(mutant, tuple(killers), tuple(errors), time.perf_counter() - begun)

    def _play(
        self, exercise: Exercise, build: Callable[[], EmbeddedService] | None
    ) -> tuple[PlayedExercise, _LateIds]:
        resolved = embed_emulator(self._api, TargetOptions(revision=self._revision), build).able(self._able)
        driver = resolved.connect()
        try:
            owed, ids = _NothingOwed(self._api, deletes=False), _LateIds(self._api)
            return play(self._api, exercise, resolved.target, driver, owed, given=ids), ids
        finally:
            driver.close()


def kill_matrix(api: Api, mutants: Iterable[str] | None = None, *, jobs: int = 2, revision: str = "") -> Matrix:
    """Run the whole catalog against `mutants` (all of them when None), over `jobs` processes."""
    names = list(api.load_mutants() if mutants is None else mutants)
    checks = load_checks(api, revision)
    return to_matrix(names, checks, list(play_mutants(api, names, jobs=jobs, revision=revision)))


def play_mutants(
    api: Api, names: Sequence[str], *, jobs: int, revision: str
) -> Generator[PlayedReference | PlayedMutant, None, None]:
    """Run the whole catalog over `jobs` processes: the reference first, then each mutant as it is finished.

    Whatever ends it early, an interrupt or a `close`, ends the processes at once.
    """
    if min(jobs, len(names)) <= 1:
        worker = _Worker(api, revision)
        yield PlayedReference(worker.bench.unmet)
        yield from map(worker.row, names)
    else:
        yield from _play_in_processes(api, names, revision, min(jobs, len(names)))


def to_matrix(
    names: Sequence[str],
    checks: Sequence[Check],
    played: Iterable[PlayedReference | PlayedMutant],
    *,
    interrupted: bool = False,
) -> Matrix:
    """The matrix of these runs, its rows in the order of `names`."""
    rows: dict[str, PlayedMutant] = {}
    unmet: Mapping[str, str] = {}
    for one in played:
        if isinstance(one, PlayedReference):
            unmet = one.unmet
        else:
            rows[one.mutant] = one
    tried = [rows[name] for name in names if name in rows]
    return Matrix(
        kills={row.mutant: row.killers for row in tried},
        checks=tuple(check.id for check in checks),
        unmet=unmet,
        errors={row.mutant: row.errors for row in tried if row.errors},
        interrupted=interrupted,
        seconds={row.mutant: row.seconds for row in tried},
    )


def load_checks(api: Api, revision: str) -> list[Check]:
    """The checks whose rules hold in a revision, in the order of the catalog. "" is the current one."""
    contract = api.load_contract(revision)
    return [check for check in api.load_catalogue() if contract.holds(check.rule)]


class _Worker:
    """Computes rows of one matrix."""

    def __init__(self, api: Api, revision: str) -> None:
        self._api = api
        self._contract = api.load_contract(revision)
        self.bench = Bench(api, load_checks(api, revision), revision=revision)

    def row(self, name: str) -> PlayedMutant:
        return self.bench.row(name, partial(self._api.new_service, self._contract, name))

    def read_unmet(self) -> dict[str, str]:
        return self.bench.unmet


def _play_in_processes(
    api: Api, names: Sequence[str], revision: str, workers: int
) -> Generator[PlayedReference | PlayedMutant, None, None]:
    from concurrent.futures import as_completed

    with worker_pool(workers, begin_worker, (_Worker, api, revision)) as pool:
        reference = pool.submit(use_bench, _Worker.read_unmet)
        rows = [pool.submit(use_bench, _Worker.row, name) for name in names]
        yield PlayedReference(reference.result())
        for future in as_completed(rows):
            yield future.result()


def _fingerprint(played: PlayedExercise) -> Fingerprint:
    """All that a judge could see of the exchanges, and nothing that differs between two equal runs."""
    failure = played.failure
    failed = None if failure is None else (failure.outcome, failure.reason)
    return (failed, *(_to_fingerprint(exchange) for exchange in played.trail))


def _to_fingerprint(exchange: Exchange) -> Fingerprint:
    request = exchange.request
    return (
        (request.method, request.target, request.headers, request.body),
        (exchange.status, exchange.headers, exchange.framing, exchange.body, exchange.size),
        (exchange.ending, exchange.seconds, bytes(exchange.arrivals.moments)),
    )


def group_by_exercise(catalogue: Sequence[Check]) -> list[Group]:
    """Return the checks of a catalog by the exercise they share."""
    grouped: dict[str, list[Check]] = {}
    for check in catalogue:
        grouped.setdefault(check.exercise.name, []).append(check)
    return [(checks[0].exercise, tuple(checks)) for checks in grouped.values()]


# A run over mutants: is each one noticed, and can each check fail? Its events, as those of every run.


NOTICED = Rule(
    id="proof.noticed",
    level=Level.MUST,
    statement="Some check kills each mutant.",
    breaks="The harness reports a server with this defect as conformant.",
    source=Source(Basis.GENERIC, "Mutants", "Every mutant is killed"),
)
PROVED = Rule(
    id="proof.proved",
    level=Level.MUST,
    statement="Each check kills a mutant.",
    breaks="The check may be unable to fail.",
    source=Source(Basis.GENERIC, "Mutants", "Every check kills"),
)
REFERENCE, UNPROVED = "reference", "checks that kill no mutant"
"""The phases of a run; their notes are what the reference does not meet and why, and ids of checks."""

MUTANTS = TargetInfo(name="the emulator")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOptions:
    """The mutants to run, by name, each with its defect, over `jobs` processes.

    `whole`: these are all mutants, so that a check that kills none of them is unproved.
    """

    summaries: Mapping[str, str]
    whole: bool
    jobs: int = 1
    revision: str = ""


def prove(api: Api, options: ProofOptions) -> Generator[RunEvent, None, None]:
    """Run the catalog against mutants; with all of them, judge the checks, too."""
    begun = time.perf_counter()
    names = list(options.summaries)
    checks = load_checks(api, options.revision)
    yield RunStarted(MUTANTS)
    yield Planned(len(names), 0)
    played: list[PlayedReference | PlayedMutant] = []
    interrupted = False
    try:
        with closing(play_mutants(api, names, jobs=options.jobs, revision=options.revision)) as rows:
            for one in rows:
                played.append(one)
                if isinstance(one, PlayedReference):
                    yield _report_reference(one.unmet, len(checks))
                else:
                    yield CheckFinished(_judge_mutant(one, options.summaries[one.mutant]))
    except KeyboardInterrupt:
        interrupted = True
    if not played:
        yield _report_reference({}, len(checks))
    matrix = to_matrix(names, checks, played, interrupted=interrupted)
    unproved = () if interrupted else matrix.without_killer
    yield PhaseFinished(name=UNPROVED, notes=unproved)
    results = [_judge_mutant(matrix.row(name), options.summaries[name]) for name in matrix.kills]
    results += map(_report_unproved, unproved if options.whole else ())
    code = Exit.INTERRUPTED if interrupted else exit_of(results)
    yield RunFinished(tuple(results), time.perf_counter() - begun, code)


def _report_reference(unmet: Mapping[str, str], checks: int) -> PhaseFinished:
    notes = tuple(f"{check}: {why}" for check, why in unmet.items())
    return PhaseFinished(name=REFERENCE, counts={"checks": checks}, notes=notes)


def _judge_mutant(played: PlayedMutant, summary: str) -> Result:
    """The result of one mutant."""
    mutant, killers, errors = played.mutant, played.killers, played.errors
    survives = [] if killers else [Finding(NOTICED.id, "no check kills it", "a check that fails", "none")]
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
    finding = Finding(PROVED.id, "no mutant makes it fail", "a mutant that it kills", "none")
    return decide(PROVED, Observation.of([finding]), Policy(), result_id=f"{PROVED.id}[{check}]", title=check)
