"""A whole fuzz run: stored failures first, then each engine in turn, ignoring what an earlier one has found.

Layer 4. Yields what each engine did when it ends; reports listen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checks.capabilities import CAPABILITIES
from harness.engine.capabilities import Capability
from harness.engine.probe import probe
from harness.engine.search.budget import Budget
from harness.engine.search.exhaustive import ENGINE as EXHAUSTIVE
from harness.engine.search.exhaustive import every
from harness.engine.search.failure import EngineRun
from harness.engine.search.failure_store import Store
from harness.engine.search.openapi import ENGINE as SCHEMA
from harness.engine.search.openapi import document
from harness.engine.search.rounds import HISTORY, LAWS, laws, search
from harness.engine.search.search_target import Place
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.outcome import Exit, Level, TargetFault, Verdict
from harness.wire import Driver

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

ENGINES = (HISTORY, LAWS, SCHEMA, EXHAUSTIVE)
USUAL = (HISTORY, LAWS, SCHEMA)
"""The engines that run by default."""

_NEEDED = frozenset(
    {"store", "stream", "background", "background-slow", "functions", "search", "event-ids", "two-keys", "auth"}
)
"""The capabilities that decide which operations are played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzOptions:
    """What the user chose.

    `seconds` is the limit for the whole run, None if the user gave none. `depth` is that of the exhaustive engine,
    which no profile bounds. If `store` is None, failures are not stored.
    """

    engines: tuple[str, ...] = USUAL
    budget: Budget
    depth: int = 3
    seconds: float | None = None
    seed: int = 0
    level: Level = Level.MAY
    strict: bool = False
    said: tuple[Capability, ...] = ()
    database: ExampleDatabase | None = None
    store: Path | None = None


def fuzz(resolved: ResolvedTarget, options: FuzzOptions) -> Iterator[EngineRun]:
    """Run the engines. Raises TargetFault if the target cannot be probed."""
    timer = Timer(options.seconds)
    with _place(resolved, options, timer) as place:
        store = Store(options.store, resolved.info.name) if options.store is not None else None
        known: set[str] = set()
        if store is not None:
            yield _noting(store.replay(place.within(timer)), known)
        for number, engine in enumerate(options.engines):
            share = None if options.seconds is None else timer.left / (len(options.engines) - number)
            done = _noting(_engine(engine, place, options, share, frozenset(known)), known)
            for failure in done.failures if store is not None else ():
                store.keep(failure)  # type: ignore[union-attr]
            yield done


def _engine(
    engine: str, place: Place, options: FuzzOptions, seconds: float | None, known: frozenset[str]
) -> EngineRun:
    if seconds is not None and seconds <= 0:
        return EngineRun(engine=engine, seconds=0.0, vacuous=("time was up before it began",))
    budget = options.budget.limited(None, seconds)
    if engine == HISTORY:
        return search(place, budget, seed=options.seed, database=options.database, passed_over=known)
    if engine == LAWS:
        return laws(place, budget, seed=options.seed, database=options.database, passed_over=known)
    if engine == SCHEMA:
        return document(place, budget, seed=options.seed, strict=options.strict, passed_over=known)
    return every(place, options.depth, seconds=seconds)


def _noting(run: EngineRun, known: set[str]) -> EngineRun:
    known |= {failure.key for failure in run.failures}
    return run


@contextmanager
def _place(resolved: ResolvedTarget, options: FuzzOptions, timer: Timer) -> Iterator[Place]:
    driver = resolved.connect()
    try:
        able = _probed(driver, resolved, options, timer)
        denied = frozenset(item.name for item in options.said if not item.present)
        shared = None if resolved.throwaway else driver
        yield Place(able, able.target.capabilities, options.level, denied, shared)
    finally:
        driver.close()


def _probed(driver: Driver, resolved: ResolvedTarget, options: FuzzOptions, timer: Timer) -> ResolvedTarget:
    try:
        bounded = GovernedDriver(driver, [Deadline(timer, resolved.target.wait)], owned=False)
        found = probe(bounded, resolved.target, options.said, _NEEDED)
    except TimeUp:
        raise TargetFault(f"the target did not answer the first questions within {options.seconds:g} s") from None
    return resolved.able(found.capabilities, found.says)


def exit_of(runs: Sequence[EngineRun], *, strict: bool) -> Exit:
    """1 for a failure, 3 if an engine proved nothing, 0 otherwise; warnings do not fail the run."""
    verdicts = {failure.verdict(strict=strict) for run in runs for failure in run.failures}
    if Verdict.FAIL in verdicts:
        return Exit.FAILED
    return Exit.NOTHING_RAN if any(run.vacuous for run in runs) else Exit.OK


def replay(target: ResolvedTarget, history: Sequence[dict[str, object]]) -> list[str]:
    """Play a stored history on a target and return the keys of its failures: for regression tests."""
    from harness.engine.search.search_target import play
    from harness.strategies.operations import Operation

    place = Place(target, frozenset(CAPABILITIES))
    found = play(place, [Operation(**operation) for operation in history], HISTORY)  # type: ignore[arg-type]
    return [failure.key for failure in found]


__all__ = ["ENGINES", "EXHAUSTIVE", "USUAL", "FuzzOptions", "exit_of", "fuzz", "replay"]
