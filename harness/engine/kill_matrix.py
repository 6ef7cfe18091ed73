"""The kill matrix: which check kills which mutant of the reference service.

Layer 4. Judges are pure: if the exchanges of an exercise with a mutant equal the reference's byte for byte, so do
its observations, and no judge is called again. The audit of a whole run applies here too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
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
from harness.kit.api import EmbeddedService, ServerApi
from harness.kit.check import Check, Exercise
from harness.outcome import Basis, Exit, Finding, Level, Observation, Outcome, Rule, Source
from harness.wire import Exchange

_KILLS = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})

Fingerprint: TypeAlias = tuple[Any, ...]
Group: TypeAlias = tuple[Exercise, tuple[Check, ...]]


class _NothingOwed(CreatedResources):
    """Nothing is deleted: each exercise has a service of its own, which is thrown away."""

    def note(self, exchange: Exchange) -> None:
        """Read nothing."""


class _LateIds(GivenIds):
    """Reads no id while an exercise runs: to read that of a stream judges it, and most plays are not judged."""

    def note(self, exchange: Exchange, owner: object) -> None:
        """Read nothing."""


def _read_ids(played: PlayedExercise) -> PlayedExercise:
    """The run of an exercise, with the defects of its ids."""
    given = GivenIds(played.api)
    repeated = [again for exchange in played.trail if (again := given.note(exchange, None)) is not None]
    return structs.replace(played, repeated=tuple(repeated), shared=given.judge_shared(played.trail, None, 0.0))


class Bench:
    """The reference's exchanges and observations, to be compared with a mutant's.

    `unmet` are the checks that the reference itself does not meet, each with the outcome and the reason.
    """

    def __init__(
        self,
        api: ServerApi,
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
        self._reference = self._observe_all(build)
        self.unmet = {
            check_id: f"{observation.outcome}: {observation.why}"
            for check_id, observation in self._reference.items()
            if observation.outcome is not Outcome.MET
        }

    @classmethod
    def of_catalogue(cls, api: ServerApi, revision: str) -> Bench:
        """The bench of the whole catalog."""
        return cls(api, load_checks(api, revision), revision=revision)

    def play_mutant(self, name: str) -> KillRow:
        """Play every exercise against a mutant of the API."""
        area = self._api.load_mutants()[name].area
        return self.row(name, partial(self._api.new_service, self._contract, name), area)

    def row(self, mutant: str, build: Callable[[], EmbeddedService], area: str = "") -> KillRow:
        """Play every exercise against one mutant; its killers are in the order of the catalog."""
        begun = time.perf_counter()
        killers: list[str] = []
        errors: list[str] = []
        for check_id, observation in self._observe_all(build).items():
            if observation.outcome is Outcome.ERROR:
                errors.append(f"{check_id}: {observation.reason}")
            elif observation.outcome in _KILLS and self._reference[check_id].outcome is not observation.outcome:
                killers.append(check_id)
        return KillRow(mutant, tuple(killers), tuple(errors), time.perf_counter() - begun, area)

    def _observe_all(self, build: Callable[[], EmbeddedService] | None) -> dict[str, Observation]:
        """The observation of each check; exchanges that equal those of the reference are not judged again."""
        own = dict(self._own)
        audit = Audit.of(self._checks, self._api)
        for exercise, checks in self._groups:
            played = self._play(exercise, build)
            fingerprint = _fingerprint(played)
            if fingerprint == self._fingerprints.get(exercise.name):
                continue
            self._fingerprints.setdefault(exercise.name, fingerprint)  # the first service is the reference
            played = _read_ids(played)
            observed = [(check, played.observe(check)) for check in checks]
            audit.begin_service()
            audit.note(played, self._contract, observed)
            own.update((check.id, observation) for check, observation in observed)
        audit.settle_denials(one_service=False)  # each exercise had one of its own
        self._own = self._own or own
        return {check.id: audit.observe(check, own[check.id]) for check in self._checks}

    def _play(self, exercise: Exercise, build: Callable[[], EmbeddedService] | None) -> PlayedExercise:
        resolved = embed_emulator(self._api, TargetOptions(revision=self._revision), build).able(self._able)
        driver = resolved.connect()
        try:
            owed = _NothingOwed(self._api, deletes=False)
            return play(self._api, exercise, resolved.target, driver, owed, given=_LateIds(self._api))
        finally:
            driver.close()


def play_mutants(
    api: ServerApi, names: Sequence[str], *, jobs: int = 1, revision: str = ""
) -> Generator[Mapping[str, str] | KillRow, None, None]:
    """Run the whole catalog over `jobs` processes: what the reference does not meet, then the row of each mutant.

    Rows come as they are finished. Whatever ends it early, an interrupt or a `close`, ends the processes at once.
    """
    workers = min(jobs, len(names))
    if workers <= 1:
        bench = Bench.of_catalogue(api, revision)
        yield bench.unmet
        yield from map(bench.play_mutant, names)
        return
    from concurrent.futures import as_completed

    with worker_pool(workers, begin_worker, (Bench.of_catalogue, api, revision)) as pool:
        reference = pool.submit(use_bench, attrgetter("unmet"))
        rows = [pool.submit(use_bench, Bench.play_mutant, name) for name in names]
        yield reference.result()
        for future in as_completed(rows):
            yield future.result()


def load_checks(api: ServerApi, revision: str) -> list[Check]:
    """The checks whose rules hold in a revision, in the order of the catalog. "" is the current one."""
    contract = api.load_contract(revision)
    return [check for check in api.load_catalogue() if contract.holds(check.rule)]


def _fingerprint(played: PlayedExercise) -> Fingerprint:
    """All that a judge could see of the exchanges, and nothing that differs between two equal runs."""
    failure = played.failure
    failed = None if failure is None else (failure.outcome, failure.reason)
    exchanges = (
        (
            (seen.request.method, seen.request.target, seen.request.headers, seen.request.body),
            (seen.status, seen.headers, seen.framing, seen.body, seen.size),
            (seen.ending, seen.seconds, bytes(seen.arrivals.moments)),
        )
        for seen in played.trail
    )
    return (failed, *exchanges)


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


def prove(api: ServerApi, options: ProofOptions) -> Generator[RunEvent, None, None]:
    """Run the catalog against mutants; with all of them, judge the checks, too."""
    begun = time.perf_counter()
    names = list(options.summaries)
    checks = load_checks(api, options.revision)
    yield RunStarted(MUTANTS)
    yield Planned(len(names), 0)
    rows: dict[str, KillRow] = {}
    reference: Mapping[str, str] | None = None
    interrupted = False
    try:
        with closing(play_mutants(api, names, jobs=options.jobs, revision=options.revision)) as played:
            for one in played:
                if isinstance(one, KillRow):
                    rows[one.mutant] = one
                    yield CheckFinished(_judge_mutant(one, options.summaries[one.mutant]))
                else:
                    reference = one
                    yield _report_reference(reference, len(checks))
    except KeyboardInterrupt:
        interrupted = True
    if reference is None:
        yield _report_reference({}, len(checks))
    proved = {killer for row in rows.values() for killer in row.killers}
    unproved = () if interrupted else tuple(check.id for check in checks if check.id not in proved)
    yield PhaseFinished(name=UNPROVED, notes=unproved)
    results = [_judge_mutant(rows[name], options.summaries[name]) for name in names if name in rows]
    if options.whole:
        for check_id in unproved:
            finding = Finding(PROVED.id, "no mutant makes it fail", "a mutant that it kills", "none")
            observation = Observation.of([finding])
            results.append(
                decide(PROVED, observation, Policy(), result_id=f"{PROVED.id}[{check_id}]", title=check_id)
            )
    code = Exit.INTERRUPTED if interrupted else exit_of(results)
    yield RunFinished(tuple(results), time.perf_counter() - begun, code)


def _report_reference(unmet: Mapping[str, str], checks: int) -> PhaseFinished:
    notes = tuple(f"{check}: {why}" for check, why in unmet.items())
    return PhaseFinished(name=REFERENCE, counts={"checks": checks}, notes=notes)


def _judge_mutant(row: KillRow, summary: str) -> Result:
    """The result of one mutant."""
    survives = [] if row.killers else [Finding(NOTICED.id, "no check kills it", "a check that fails", "none")]
    observation = Observation.of(survives)
    if row.errors:
        observation = Observation(Outcome.ERROR, reason="\n".join(row.errors))
    return decide(
        NOTICED,
        observation,
        Policy(),
        result_id=f"{NOTICED.id}[{row.mutant}]",
        title=summary,
        show=lambda _: (row,),
        seconds=row.seconds,
    )
