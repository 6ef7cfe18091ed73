"""The kill matrix: which check notices which mutant of the reference service.

Layer 4. Judges are pure: if the exchanges of an exercise with a mutant equal the reference's byte for byte, so do
its observations, and no judge is called again. The audit of a whole run applies here too.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

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
from harness.kit.api import Api, ApiContract, EmbeddedService
from harness.kit.check import Check, Exercise
from harness.outcome import Basis, Exit, Finding, Level, Observation, Outcome, Rule, Source
from harness.wire import Exchange

_KILLS = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})

Fingerprint: TypeAlias = tuple[Any, ...]
Group: TypeAlias = tuple[Exercise, tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`kills` maps every mutant to the ids of the checks that notice it, in the order of the catalogue.

    If it was `interrupted`, the mutants that had not been tried are missing.

    `checks` are all judged ids. `unmet` maps those that the reference itself does not meet to the outcome and the
    reason. `errors` are our own faults, by mutant.
    """

    kills: Mapping[str, tuple[str, ...]]
    checks: tuple[str, ...]
    unmet: Mapping[str, str]
    errors: Mapping[str, tuple[str, ...]]
    interrupted: bool = False

    @property
    def survivors(self) -> tuple[str, ...]:
        """Mutants that no check notices."""
        return tuple(mutant for mutant, killers in self.kills.items() if not killers)

    @property
    def without_killer(self) -> tuple[str, ...]:
        """Checks that notice no mutant: nothing proves that they can fail."""
        proved = {check for killers in self.kills.values() for check in killers}
        return tuple(check for check in self.checks if check not in proved)


@dataclass(frozen=True, slots=True)
class _Row:
    """One mutant's row of the matrix, in a form that can be sent between processes."""

    mutant: str
    killers: tuple[str, ...]
    errors: tuple[str, ...]


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
        self._groups = _group_by_exercise(catalogue)
        self._checks = tuple(catalogue)
        self._fingerprints: dict[str, Fingerprint] = {}
        self._own: dict[str, Observation] = {}
        audit = Audit.of(self._checks, self._api)
        for exercise, checks in self._groups:
            played = self._play(exercise, build)
            audit.note(exercise, played)
            self._fingerprints[exercise.name] = _fingerprint(played)
            self._own.update((check.id, played.observe(check)) for check in checks)
        said = {check.id: audit.observe(check, self._own[check.id]) for check in self._checks}
        self._outcomes = {check_id: observation.outcome for check_id, observation in said.items()}
        self.unmet = {
            check_id: f"{observation.outcome}: {_why(observation)}"
            for check_id, observation in said.items()
            if observation.outcome is not Outcome.MET
        }

    def row(self, mutant: str, build: Callable[[], EmbeddedService]) -> _Row:
        """Play every exercise against one mutant."""
        own = dict(self._own)
        audit = Audit.of(self._checks, self._api)
        for exercise, checks in self._groups:
            played = self._play(exercise, build)
            if _fingerprint(played) != self._fingerprints[exercise.name]:
                audit.note(exercise, played)
                own.update((check.id, played.observe(check)) for check in checks)
        killers: list[str] = []
        errors: list[str] = []
        for check in self._checks:
            observation = audit.observe(check, own[check.id])
            if observation.outcome is Outcome.ERROR:
                errors.append(f"{check.id}: {observation.reason}")
            elif observation.outcome in _KILLS and self._outcomes[check.id] is not observation.outcome:
                killers.append(check.id)
        return _Row(mutant, tuple(killers), tuple(errors))

    def _play(self, exercise: Exercise, build: Callable[[], EmbeddedService] | None) -> PlayedExercise:
        able = everything(self._api.load_capabilities())
        resolved = embed_emulator(self._api, TargetOptions(revision=self._revision), build).able(able)
        driver = resolved.connect()
        try:
            return play(self._api, exercise, resolved.target, driver, CreatedResources(self._api))
        finally:
            driver.close()


def _why(observation: Observation) -> str:
    return observation.reason or "; ".join(finding.message for finding in observation.findings)


def kill_matrix(api: Api, mutants: Iterable[str] | None = None, *, jobs: int = 2, revision: str = "") -> Matrix:
    """Play the whole catalogue against `mutants` (all of them when None), over `jobs` processes.

    A KeyboardInterrupt ends it at once, with the rows that are finished.
    """
    names = list(api.load_mutants() if mutants is None else mutants)
    catalogue = _catalogue(api, api.load_contract(revision))
    order = {check.id: place for place, check in enumerate(catalogue)}
    found = _Found()
    interrupted = False
    try:
        if min(jobs, len(names)) <= 1:
            found.add_all(api, names, revision)
        else:
            _in_processes(api, names, revision, min(jobs, len(names)), found)
    except KeyboardInterrupt:
        interrupted = True
    rows = found.rows
    tried = [name for name in names if name in rows]
    return Matrix(
        kills={name: tuple(sorted(rows[name].killers, key=order.__getitem__)) for name in tried},
        checks=tuple(order),
        unmet=found.unmet,
        errors={name: rows[name].errors for name in tried if rows[name].errors},
        interrupted=interrupted,
    )


class _Found:
    """The rows of the matrix that are finished, and what the reference itself does not meet."""

    def __init__(self) -> None:
        self.rows: dict[str, _Row] = {}
        self.unmet: dict[str, str] = {}

    def add_all(self, api: Api, names: Iterable[str], revision: str) -> None:
        """Compute the rows in this process."""
        worker = _Worker(api, revision)
        self.unmet = worker.bench.unmet
        for name in names:
            self.rows[name] = worker.row(name)


class _Worker:
    """Computes rows of one matrix."""

    def __init__(self, api: Api, revision: str) -> None:
        self._api = api
        self._contract = api.load_contract(revision)
        self.bench = Bench(api, _catalogue(api, self._contract), revision=revision)

    def row(self, name: str) -> _Row:
        return self.bench.row(name, partial(self._api.new_service, self._contract, name))


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


def prove(
    api: Api, summaries: Mapping[str, str], *, whole: bool, jobs: int, revision: str, mutants: TargetInfo
) -> Generator[RunEvent, None, None]:
    """Run the catalogue against mutants, given with their defects; if these are the `whole`, judge the checks."""
    begun = time.perf_counter()
    yield RunStarted(mutants)
    yield Planned(len(summaries), 0)
    matrix = kill_matrix(api, list(summaries), jobs=jobs, revision=revision)
    unmet = tuple(f"{check}: {why}" for check, why in matrix.unmet.items())
    yield PhaseFinished(name=REFERENCE, counts={"checks": len(matrix.checks)}, notes=unmet)
    whole = whole and not matrix.interrupted
    yield PhaseFinished(name=UNPROVED, notes=() if matrix.interrupted else matrix.without_killer)
    results = [_judge_mutant(matrix, name, summaries[name]) for name in matrix.kills]
    results += [_report_unproved(check) for check in matrix.without_killer] if whole else []
    yield from map(CheckFinished, results)
    code = Exit.INTERRUPTED if matrix.interrupted else exit_of(results)
    yield RunFinished(tuple(results), time.perf_counter() - begun, code)


def _judge_mutant(matrix: Matrix, mutant: str, summary: str) -> Result:
    """The result of one mutant."""
    killers, errors = matrix.kills[mutant], matrix.errors.get(mutant, ())
    survives = [] if killers else [Finding(NOTICED.id, "no check notices it", "a check that fails", "none")]
    observation = Observation.of(survives)
    if errors:
        observation = Observation(Outcome.ERROR, reason="\n".join(errors))
    row = KillRow(mutant, killers, errors)
    return decide(
        NOTICED, observation, Policy(), result_id=f"{NOTICED.id}[{mutant}]", title=summary, show=lambda _: (row,)
    )


def _report_unproved(check: str) -> Result:
    finding = Finding(PROVED.id, "no mutant makes it fail", "a mutant that it notices", "none")
    return decide(PROVED, Observation.of([finding]), Policy(), result_id=f"{PROVED.id}[{check}]", title=check)


def _catalogue(api: Api, contract: ApiContract) -> list[Check]:
    return [check for check in api.load_catalogue() if contract.holds(check.rule)]


def _in_processes(api: Api, names: list[str], revision: str, workers: int, found: _Found) -> None:
    """Compute the rows in other processes, which are killed if this one is interrupted."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Spawned, not forked: a fork in a process with threads may deadlock.
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with ProcessPoolExecutor(workers, context, _begin_worker, (api, revision)) as pool:
        try:
            asked = pool.submit(_unmet_in_worker)
            for future in as_completed([pool.submit(_row_in_worker, name) for name in names]):
                row = future.result()
                found.rows[row.mutant] = row
            found.unmet = asked.result()
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                found.unmet = asked.result()
            raise


_worker: _Worker | None = None
"""The worker of this process, if it is one of `_in_processes`."""


def _begin_worker(api: Api, revision: str) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first one ends the others
    _worker = _Worker(api, revision)


def _row_in_worker(name: str) -> _Row:
    assert _worker is not None
    return _worker.row(name)


def _unmet_in_worker() -> dict[str, str]:
    assert _worker is not None
    return _worker.bench.unmet


def _fingerprint(played: PlayedExercise) -> Fingerprint:
    """All that a judge could see of the exchanges, and nothing that differs between two equal runs."""
    failure = played.failure
    told = None if failure is None else (failure.outcome, failure.reason)
    return (told, *(_to_fingerprint(exchange) for exchange in played.trail))


def _to_fingerprint(exchange: Exchange) -> Fingerprint:
    request = exchange.request
    return (
        (request.method, request.target, request.headers, request.body),
        (exchange.status, exchange.headers, exchange.framing, exchange.body, exchange.size),
        (exchange.ending, exchange.seconds, bytes(exchange.arrivals.moments)),
    )


def _group_by_exercise(catalogue: Sequence[Check]) -> list[Group]:
    grouped: dict[str, list[Check]] = {}
    for check in catalogue:
        grouped.setdefault(check.exercise.name, []).append(check)
    return [(checks[0].exercise, tuple(checks)) for checks in grouped.values()]
