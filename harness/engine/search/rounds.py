"""The engines that Hypothesis drives: histories of its choice, and the laws of streams.

Layer 4. Only the number of examples and the time bound a search, never what it found: Hypothesis is not told of
defects, so one neither ends a search nor hides another. A search runs in rounds, since a new round frees the
memory in which Hypothesis keeps all it has drawn. Defects are shrunk once the search is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from harness.engine.search.answer_counts import ACCEPTED, LATER
from harness.engine.search.budget import Budget, hypothesis_settings
from harness.engine.search.example_sharing import SharedHistories
from harness.engine.search.failure import EngineRun, Failure
from harness.engine.search.search_target import SearchTarget
from harness.engine.search.shrink import minimal, shortest
from harness.engine.search.tally import Tally
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.kit.search import Step

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

HISTORY, LAWS = "history", "laws"

LEAST_ACCEPTED = 0.2
"""If a smaller share of the requests that were not wrong on purpose succeeded, the search proves nothing."""

RESERVED = 0.3
"""The share of a limited time that is kept for shrinking, once something was found."""

AT_ONCE = 25_000
"""Operations per round: Hypothesis keeps each choice it has made, up to 2 kB per operation."""

_LAW_STEPS = 12
"""Approximate number of operations in a history of the laws."""

_ENOUGH = 100
"""Number of histories after which each kind of operation must have been played."""

Round = Callable[[SearchTarget, Tally, int, int], None]
"""Plays one round of (place, tally, examples, seed)."""


def search(
    place: SearchTarget, budget: Budget, *, seed: int = 0, database: ExampleDatabase | None = None,
    passed_over: Iterable[str] = (),
) -> EngineRun:  # fmt: skip
    """Search with histories; `passed_over` holds the keys of failures that are already known."""

    def play(place: SearchTarget, tally: Tally, examples: int, seed: int) -> None:
        from hypothesis import seed as seeded
        from hypothesis.stateful import run_state_machine_as_test

        from harness.engine.search.state_machine import machine

        factory: Any = seeded(seed)(machine(place, tally))
        run_state_machine_as_test(factory, settings=hypothesis_settings(examples, steps=budget.steps))

    return _play_rounds(HISTORY, place, play, budget, seed, database, passed_over)


def laws(
    place: SearchTarget, budget: Budget, *, seed: int = 0, database: ExampleDatabase | None = None,
    passed_over: Iterable[str] = (),
) -> EngineRun:  # fmt: skip
    """Search with the laws of streams, on drawn creates and cuts."""
    draw_laws = place.model.draw_laws
    if draw_laws is None:
        return EngineRun(engine=LAWS, seconds=0.0, vacuous=("this API has no laws of streams",))

    def play(place: SearchTarget, tally: Tally, examples: int, seed: int) -> None:
        from hypothesis import given
        from hypothesis import seed as seeded

        @seeded(seed)
        @hypothesis_settings(examples)
        @given(draw_laws(place.able))
        def hold(history: list[Step]) -> None:
            _play_all(place, tally, history)

        hold()

    return _play_rounds(LAWS, place, play, budget, seed, database, passed_over)


def _play_all(place: SearchTarget, tally: Tally, history: Iterable[Step]) -> None:
    with place.world() as world:
        try:
            for step in history:
                tally.play(world, step)
        finally:
            tally.add_history(world)


def _play_rounds(
    engine: str,
    place: SearchTarget,
    play: Round,
    budget: Budget,
    seed: int,
    database: ExampleDatabase | None,
    known: Iterable[str],
) -> EngineRun:
    from hypothesis.errors import Flaky

    timer = Timer(budget.seconds)
    place = place.within(timer)
    examples, steps = (budget.histories, budget.steps) if engine == HISTORY else (budget.laws, _LAW_STEPS)
    shared = SharedHistories(database, engine, place.model)

    def is_over() -> bool:
        return timer.left <= (RESERVED * (budget.seconds or 0.0) if tally.bugs else 0.0)

    tally = Tally(place, is_over, frozenset(known))
    waited = ""
    try:
        for history in shared.read():
            _play_all(place, tally, history)
        for number in count():
            begun = tally.histories
            if begun >= examples or is_over():
                break
            play(place, tally, min(max(1, AT_ONCE // steps), examples - begun), seed + number)
            if tally.histories == begun:
                break
    except TimeUp as up:
        waited = str(up)
    except KeyboardInterrupt:
        timer.stop()
    except (BaseExceptionGroup, Flaky):
        if not is_over():
            raise  # if time is up, Hypothesis may report an interrupted example as inconsistent: no error
    failures = _shrink(place, tally, engine)
    shared.keep(failure.history for failure in failures)
    hung = bool(waited) and not tally.bugs
    return EngineRun(
        engine=engine,
        seconds=timer.spent,
        counts=_counts(tally),
        failures=tuple(failures),
        vacuous=(*([waited] if hung else []), *_list_suspicions(failures), *_list_vacuity(engine, place, tally)),
        notes=(*([waited] if waited and not hung else []), *place.notes()),
        answers=tally.answers,
        stopped=timer.stopped,
    )


def _shrink(place: SearchTarget, tally: Tally, engine: str) -> list[Failure]:
    """What was found, as small as time allows; an interrupt ends only the shrinking.

    What is found on the way counts, too.
    """
    found = {key: bug.failure(engine, tally.seen[key]) for key, bug in tally.bugs.items()}
    queue = list(found)
    done: list[Failure] = []

    def add(failure: Failure) -> None:
        if failure.key not in found and not tally.is_muted(failure.key):
            found[failure.key] = failure
            queue.append(failure.key)

    for key in queue:  # grows
        done.append(minimal(place, found[key], add))
        place.report_progress({"histories": tally.histories, "shrunk": len(done)}, findings=len(found))
    return shortest(place, done)


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "histories": tally.histories,
        "operations": sum(tally.played.values()),
        "requests": tally.answers.requests,
        "accepted": tally.answers.totals[ACCEPTED],
        "kinds of operation": len(tally.played),
    }


def _list_suspicions(failures: Iterable[Failure]) -> Iterator[str]:
    if any(failure.is_suspicion for failure in failures):
        yield "a call seemed to hang, and there was no time to wait for it again"


def _list_vacuity(engine: str, place: SearchTarget, tally: Tally) -> Iterator[str]:
    """Reasons why the search proves nothing; none if it does."""
    if engine == LAWS and not tally.played:
        if place.timer.left <= 0:
            yield "time was up before a law was played: give the search more with --time"
            return
        yield "the target does not stream, so no law applies: leave the engine out with -e history,schema"
        return
    totals, requests = tally.answers.totals, tally.answers.requests
    if not requests:
        yield "no request was sent"
        return
    meant = requests - tally.wrong
    busy = f" ({totals[LATER]} were told to come back later)" if totals[LATER] else ""
    if place.model.create in tally.answers.never_accepted:
        yield f"no create succeeded{busy}"
    elif totals[ACCEPTED] < LEAST_ACCEPTED * meant or 2 * totals[LATER] > requests:
        yield f"only {totals[ACCEPTED]} of {meant} requests that were not wrong on purpose succeeded{busy}"
    if engine == HISTORY and tally.histories >= _ENOUGH:
        missing = _list_never_played(place, tally)
        if missing:
            yield f"never played: {', '.join(missing)}"


def _list_never_played(place: SearchTarget, tally: Tally) -> list[str]:
    played = {label.split()[0] for label in tally.played}
    return [kind for kind in place.model.list_kinds(place.able) if kind not in played]
