"""The engines that Hypothesis drives: histories of its choice, and the laws of streams.

Layer 4. Both run in rounds. A rule that was found broken is ignored in later rounds, so that one defect does not
hide others. A new round also frees the memory in which Hypothesis keeps all it has drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from harness.engine.search.budget import Budget, hypothesis_settings, write_only
from harness.engine.search.failure import Broken, EngineRun, Failure, key_of
from harness.engine.search.playing.operations_table import able_to
from harness.engine.search.search_target import Muted, SearchTarget
from harness.engine.search.shrink import minimal, shortest
from harness.engine.search.tally import Tally
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.outcome import Finding
from harness.strategies.operations import KINDS, ClientCommand

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

HISTORY, LAWS = "history", "laws"

LEAST_ACCEPTED = 0.2
"""If a smaller share of the requests succeeded, the search proves nothing."""

MOST_FINDS = 8
"""Number of rounds with a failure after which the search stops."""

AT_ONCE = 25_000
"""Operations per round: Hypothesis keeps each choice it has made, up to 2 kB per operation."""

_LAW_STEPS = 12
"""Approximate number of operations in a history of the laws."""

_ENOUGH = 100
"""Number of histories after which each kind of operation must have been played."""

Round = Callable[[SearchTarget, Tally, Muted, int, int, "ExampleDatabase | None"], None]
"""Plays one round of (place, tally, findings to ignore, examples, seed, database); raises as Hypothesis does."""


def search(
    place: SearchTarget, budget: Budget, *, seed: int = 0, database: ExampleDatabase | None = None,
    passed_over: Iterable[str] = (),
) -> EngineRun:  # fmt: skip
    """Search with histories; `passed_over` holds the keys of failures that are already known."""

    def play(
        place: SearchTarget, tally: Tally, muted: Muted, examples: int, seed: int, database: ExampleDatabase | None
    ) -> None:
        from hypothesis import seed as seeded
        from hypothesis.stateful import run_state_machine_as_test

        from harness.engine.search.state_machine import machine

        factory: Any = seeded(seed)(machine(place, tally, muted))
        shrink = place.resolved.throwaway
        settings = hypothesis_settings(examples, steps=budget.steps, database=database, shrink=shrink)
        run_state_machine_as_test(factory, settings=settings)

    return _rounds(HISTORY, place, play, budget, seed, database, set(passed_over))


def laws(
    place: SearchTarget, budget: Budget, *, seed: int = 0, database: ExampleDatabase | None = None,
    passed_over: Iterable[str] = (),
) -> EngineRun:  # fmt: skip
    """Search with the laws of streams, on drawn creates and cuts."""

    def play(
        place: SearchTarget, tally: Tally, muted: Muted, examples: int, seed: int, database: ExampleDatabase | None
    ) -> None:
        from hypothesis import given
        from hypothesis import seed as seeded

        from harness.engine.search.stream_laws import stream_histories

        @seeded(seed)
        @hypothesis_settings(examples, database=database, shrink=place.resolved.throwaway)
        @given(stream_histories(place.able))
        def hold(history: list[ClientCommand]) -> None:
            with place.world() as world:
                try:
                    for operation in history:
                        tally.step(world, operation, muted)
                finally:
                    tally.add_history(world)

        hold()

    return _rounds(LAWS, place, play, budget, seed, database, set(passed_over))


def _rounds(
    engine: str,
    place: SearchTarget,
    play: Round,
    budget: Budget,
    seed: int,
    database: ExampleDatabase | None,
    known: set[str],
) -> EngineRun:
    from hypothesis.errors import Flaky

    timer = Timer(budget.seconds)
    place = place.within(timer)
    tally = Tally(timer.over)
    examples, steps = (budget.histories, budget.steps) if engine == HISTORY else (budget.laws, _LAW_STEPS)
    at_once = max(1, AT_ONCE // steps)
    failures: list[Failure] = []
    notes: list[str] = []
    vacuous: list[str] = []

    def muted(finding: Finding) -> bool:
        return key_of(finding) in known or not place.judged(finding)

    finds = 0
    for number in count():
        begun = tally.histories
        if begun >= examples or timer.over() or finds == MOST_FINDS:
            break
        tally.bugs = {}
        try:
            seen = write_only(database) if known else database
            play(place, tally, muted, min(at_once, examples - begun), seed + number, seen)
        except TimeUp as up:
            hung = up.waited > timer.spent / 2
            (vacuous if hung else notes).extend([str(up)] if str(up) else [])
        except (Broken, BaseExceptionGroup, Flaky):
            if not tally.bugs and not timer.over():
                raise  # if time is up, Hypothesis may report an interrupted example as inconsistent: no error
        failures += (minimal(place, bug.failure(engine)) for bug in tally.bugs.values())
        known |= tally.bugs.keys()
        finds += bool(tally.bugs)
        if tally.histories == begun:
            break
    return EngineRun(
        engine=engine,
        seconds=timer.spent,
        counts=_counts(tally),
        failures=tuple(shortest(place, failures)),
        vacuous=(*vacuous, *_vacuity(engine, place, tally)),
        notes=(*notes, *place.notes()),
    )


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "histories": tally.histories,
        "operations": sum(tally.played.values()),
        "requests": tally.requests,
        "accepted": tally.accepted,
        "kinds of operation": len(tally.played),
    }


def _vacuity(engine: str, place: SearchTarget, tally: Tally) -> list[str]:
    """Reasons why the search proves nothing; empty if it does."""
    if engine == LAWS and not any(word.startswith("create") for word in tally.played):
        return ["the target does not stream, so no law applies: leave the engine out with -e history,schema"]
    if not tally.requests:
        return ["no request was sent"]
    found = []
    share = tally.accepted / tally.requests
    if share < LEAST_ACCEPTED:
        busy = f" ({tally.busy} were told to come back later)" if tally.busy else ""
        found.append(f"only {share:.0%} of {tally.requests} requests succeeded{busy}")
    if engine == HISTORY and tally.histories >= _ENOUGH:
        missing = _never_played(place, tally)
        if missing:
            found.append(f"never played: {', '.join(missing)}")
    return found


def _never_played(place: SearchTarget, tally: Tally) -> list[str]:
    played = {word.split()[0] for word in tally.played}
    world = place.open()
    able = [kind for kind in KINDS if able_to(world, ClientCommand(kind, mode=KINDS[kind][0]))]
    place.finish(world)
    return [kind for kind in able if kind not in played]
