"""The kill matrix: which check notices which mutant of the reference service.

Layer 4. Judges are pure: if the exchanges of an exercise with a mutant equal the reference's byte for byte, so do
its observations, and no judge is called again. The audit of a whole run applies here too.
"""

from __future__ import annotations

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
from harness.engine.execute import Played, play
from harness.engine.results import KillRow, Result
from harness.engine.targets import TargetOptions, embed_emulator
from harness.kit.api import Api, ApiContract, EmbeddedService
from harness.kit.check import Check, Exercise
from harness.outcome import Basis, Finding, Level, Observation, Outcome, Rule, Source
from harness.wire import Exchange

_KILLS = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})

Fingerprint: TypeAlias = tuple[Any, ...]
Group: TypeAlias = tuple[Exercise, tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`kills` maps every mutant to the ids of the checks that notice it, in the order of the catalogue.

    `checks` are all judged ids. `unmet` maps those that the reference itself does not meet to the outcome and the
    reason. `errors` are our own faults, by mutant.
    """

    kills: Mapping[str, tuple[str, ...]]
    checks: tuple[str, ...]
    unmet: Mapping[str, str]
    errors: Mapping[str, tuple[str, ...]]

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

    def _play(self, exercise: Exercise, build: Callable[[], EmbeddedService] | None) -> Played:
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
    """Play the whole catalogue against `mutants` (all of them when None), over `jobs` processes."""
    names = list(api.load_mutants() if mutants is None else mutants)
    workers = max(1, min(jobs, len(names)))
    if workers == 1:
        slices = [_rows(api, names, revision)]
    else:
        slices = _in_processes(api, [names[start::workers] for start in range(workers)], revision)
    rows = {row.mutant: row for part, _ in slices for row in part}
    catalogue = _catalogue(api, api.load_contract(revision))
    order = {check.id: place for place, check in enumerate(catalogue)}
    return Matrix(
        kills={name: tuple(sorted(rows[name].killers, key=order.__getitem__)) for name in names},
        checks=tuple(order),
        unmet=slices[0][1],
        errors={name: rows[name].errors for name in names if rows[name].errors},
    )


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
    yield PhaseFinished(name=UNPROVED, notes=matrix.without_killer)
    results = [_judge_mutant(matrix, name, summary) for name, summary in summaries.items()]
    results += [_report_unproved(check) for check in matrix.without_killer] if whole else []
    yield from map(CheckFinished, results)
    yield RunFinished(tuple(results), time.perf_counter() - begun, exit_of(results))


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


def _rows(api: Api, names: list[str], revision: str) -> tuple[list[_Row], dict[str, str]]:
    """Compute one worker's share; module-level and with plain values, so that it can run in another process."""
    contract = api.load_contract(revision)
    bench = Bench(api, _catalogue(api, contract), revision=revision)
    builds = [(name, partial(api.new_service, contract, name)) for name in names]
    return [bench.row(name, build) for name, build in builds], bench.unmet


def _catalogue(api: Api, contract: ApiContract) -> list[Check]:
    return [check for check in api.load_catalogue() if contract.holds(check.rule)]


def _in_processes(api: Api, shares: list[list[str]], revision: str) -> list[tuple[list[_Row], dict[str, str]]]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Spawned, not forked: a fork in a process with threads may deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(shares), mp_context=context) as pool:
        return list(pool.map(partial(_rows, api), shares, [revision] * len(shares)))


def _fingerprint(played: Played) -> Fingerprint:
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
