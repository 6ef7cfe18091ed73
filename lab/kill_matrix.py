"""The kill matrix: which check kills which mutant of the reference service.

Every exercise is played on a service of its own, so that nothing else of a run can show a defect. Judges are pure:
if the exchanges of an exercise with a mutant equal the reference's byte for byte, so do its observations, and no
judge is called again. The audit of a whole run applies here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from harness.emulator.mutants import MUTANTS
from harness.engine.audit import Audit
from harness.engine.events import everything
from harness.engine.execute import PlayedExercise, play
from harness.engine.targets import TargetOptions, embed_emulator
from harness.engine.traffic.ledger import CreatedResources
from harness.interactions.servers import SERVERS, embedded_settings
from harness.kit.api import EmbeddedService, ServerApi
from harness.kit.check import Check, Exercise
from harness.outcome import Observation, Outcome
from harness.wire import Exchange

_KILLS = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})

Fingerprint: TypeAlias = tuple[Any, ...]
Group: TypeAlias = tuple[Exercise, tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class KillRow:
    """The checks that notice a mutant, in the order of the catalog, and our own errors with it."""

    killers: tuple[str, ...]
    errors: tuple[str, ...] = ()


class _NothingOwed(CreatedResources):
    """Nothing is deleted: each exercise has a service of its own, which is thrown away."""

    def note(self, exchange: Exchange) -> None:
        """Read nothing."""


class Bench:
    """The reference's exchanges and observations, to be compared with a mutant's.

    `unmet` are the checks that the reference itself does not meet, each with the outcome and the reason.
    """

    def __init__(
        self, api: ServerApi, catalogue: Sequence[Check], build: Callable[[], EmbeddedService] | None = None
    ) -> None:
        self._api = api
        self._contract = api.load_contract("")
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

    def play_mutant(self, name: str) -> KillRow:
        """Play every exercise against a mutant of the emulator."""
        return self.row(partial(MUTANTS[name].build, embedded_settings()))

    def row(self, build: Callable[[], EmbeddedService]) -> KillRow:
        """Play every exercise against a service with a defect."""
        killers: list[str] = []
        errors: list[str] = []
        for check_id, observation in self._observe_all(build).items():
            if observation.outcome is Outcome.ERROR:
                errors.append(f"{check_id}: {observation.reason}")
            elif observation.outcome in _KILLS and self._reference[check_id].outcome is not observation.outcome:
                killers.append(check_id)
        return KillRow(tuple(killers), tuple(errors))

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
            observed = [(check, played.observe(check)) for check in checks]
            audit.note(played, self._contract, observed, audit.run_judge.for_service())
            own.update((check.id, observation) for check, observation in observed)
        audit.settle_denials(one_service=False)  # each exercise had one of its own
        self._own = self._own or own
        return {check.id: audit.observe(check, own[check.id]) for check in self._checks}

    def _play(self, exercise: Exercise, build: Callable[[], EmbeddedService] | None) -> PlayedExercise:
        resolved = embed_emulator(self._api, TargetOptions(), build).able(self._able)
        with closing(resolved.connect()) as driver:
            return play(self._api, exercise, resolved.target, driver, _NothingOwed(self._api, deletes=False))


def load_bench() -> Bench:
    """The bench of the whole catalog."""
    return Bench(SERVERS, load_checks())


def load_checks() -> list[Check]:
    """The checks whose rules hold in the current revision, in the order of the catalog."""
    contract = SERVERS.load_contract("")
    return [check for check in SERVERS.load_catalogue() if contract.holds(check.rule)]


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
