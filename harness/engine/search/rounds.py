"""The engines that Hypothesis drives: histories of its choice, and the laws of streams.

Only the number of examples and the time bound a search, never its findings: Hypothesis does not know of defects,
so one neither ends a search nor hides another. A search runs in rounds, since a new round frees the memory in
which Hypothesis keeps all it has drawn. Defects are shrunk once the search is over.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING

from harness.engine.search.budget import Budget, hypothesis_settings
from harness.engine.search.failure import ACCEPTED, LATER, AnswerCounts, Bug, EngineRun, Failure, SeenDefect
from harness.engine.search.search_target import SearchTarget, World
from harness.engine.search.shrink import minimal
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.kit.history import History, Step
from harness.kit.search import SearchModel

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase


# Counts the steps of a search over all its histories, and keeps the smallest history for each defect.
# Shared by the engines that Hypothesis drives. Hypothesis only chooses: it never learns of a defect, so it
# neither stops at one nor spends its examples on shrinking it.


class Tally:
    """Counts and bugs of up to `total` histories; `over`: time is up; `muted` are the keys of known defects.

    `wrong` counts the requests that were wrong on purpose, `longest` is the time of the slowest response.
    """

    def __init__(self, place: SearchTarget, total: int, over: Callable[[], bool], muted: frozenset[str]) -> None:
        self.histories = 0
        self.total = total
        self.muted = muted
        self.played: Counter[str] = Counter()
        self.answers = AnswerCounts()
        self.wrong = 0
        self.bugs: dict[str, Bug] = {}
        self.seen: Counter[str] = Counter()
        self.longest = 0.0
        self._place = place
        self._weigh = place.model.weigh
        self._over = over

    def play(self, world: World, step: Step) -> None:
        """Play one step, and note what it shows. Raises `TimeUp`."""
        if self._over():
            raise TimeUp
        before = len(world.played)
        found = world.play(step)
        if len(world.played) > before:
            self.played[step.label] += 1
        for defect in found:
            if self._place.judged(defect):
                self._note(defect, world)

    def _note(self, defect: SeenDefect, world: World) -> None:
        key = defect.key
        self.seen[key] += 1
        kept = self.bugs.get(key)
        if key in self.muted:
            return
        if kept is None or self._weigh(tuple(world.played)) < self._weigh(kept.history):
            self.bugs[key] = Bug(defect, tuple(world.played), tuple(world.sent))

    def add_history(self, world: World) -> None:
        self.histories += 1
        self.wrong += sum(sent.wrong for sent in world.sent)
        for exchange in world.trail:
            self.answers.add(self._place.model.name_call(exchange.request), exchange.status)
            self.longest = max(self.longest, exchange.seconds)
        timer = self._place.timer
        left = min(timer.left, timer.spent / self.histories * max(0, self.total - self.histories))
        counts = {f"of {self.total} histories": self.histories, "requests": self.answers.total()}
        self._place.progress(counts, len(self.bugs), left)


# Failing histories in an example database of Hypothesis, through which processes and machines share them.
# A history is stored as plain data, so it stays valid when what Hypothesis draws from changes.


class SharedHistories:
    """The failing histories of one engine in `database`; none are kept without one."""

    def __init__(self, database: ExampleDatabase | None, engine: str, model: SearchModel) -> None:
        self._database = database
        self._model = model
        self._key = f"harness fuzz {engine}".encode()

    def read(self) -> Iterator[list[Step]]:
        """The stored histories; a file that is no history of ours is skipped."""
        for value in sorted(self._database.fetch(self._key)) if self._database is not None else ():
            try:
                yield [self._model.read_step(record) for record in json.loads(value)]
            except (ValueError, TypeError):
                continue

    def keep(self, histories: Iterable[History]) -> None:
        for history in histories if self._database is not None else ():
            record = [step.record() for step in history]
            self._database.save(self._key, json.dumps(record, ensure_ascii=False).encode())  # type: ignore[union-attr]


HISTORY, LAWS = "history", "laws"

LEAST_ACCEPTED = 0.2
"""If a smaller share of the valid requests succeeded, the search proves nothing."""

RESERVED = 0.3
"""The share of a limited time that is kept for shrinking, once something was found."""

HANG = 2.0
"""A response that the time limit cuts off may be a hang if it took so many times as long as any other one."""

AT_ONCE = 25_000
"""Operations per round: Hypothesis keeps each choice it has made, up to 2 kB per operation."""


def search(
    place: SearchTarget,
    budget: Budget,
    *,
    engine: str = HISTORY,
    seed: int = 0,
    database: ExampleDatabase | None = None,
    passed_over: Iterable[str] = (),
) -> EngineRun:
    """Search with whole histories, or with the laws of streams; `passed_over` has the keys of known failures."""
    from hypothesis import given
    from hypothesis import seed as seeded

    model = place.model
    # A history of the laws has about twelve operations.
    examples, steps = (budget.histories, budget.steps) if engine == HISTORY else (budget.laws, 12)
    if engine == HISTORY:
        histories = model.draw_histories(place.able, budget.steps)
    elif model.draw_laws is not None:
        histories = model.draw_laws(place.able)
    else:
        return EngineRun(engine=engine, seconds=0.0, vacuous=("this API has no laws of streams",))
    whole, timer = place.timer, Timer(budget.seconds)
    place = place.within(timer)
    shared = SharedHistories(database, engine, model)

    def is_over() -> bool:
        return timer.left <= (RESERVED * (budget.seconds or 0.0) if tally.bugs else 0.0)

    tally = Tally(place, examples, is_over, frozenset(passed_over))

    def play(history: Iterable[Step]) -> None:
        with place.world() as world:
            try:
                for step in history:
                    tally.play(world, step)
            finally:
                tally.add_history(world)

    waited, is_hang = tuple[str, ...](), False
    try:
        for history in shared.read():
            play(history)
        for number in count():
            begun = tally.histories
            if begun >= examples or is_over():
                break
            most = min(max(1, AT_ONCE // steps), examples - begun)
            seeded(seed + number)(hypothesis_settings(most)(given(histories)(play)))()
            if tally.histories == begun:
                break
    except TimeUp as up:
        waited, is_hang = tuple(filter(None, (str(up),))), up.waited > HANG * tally.longest
    except KeyboardInterrupt:
        timer.stop()
    short = is_over() and 0 < tally.histories < examples
    failures = _shrink(place, tally, engine, whole)
    shared.keep(failure.history for failure in failures)
    hung = is_hang and not tally.bugs
    late = ""
    if not hung and not tally.answers and timer.over() and not timer.stopped:
        late = "the time limit was reached before a response was judged: give the search more time with --deadline"
    vacuous = [*(waited if hung else ())]
    if any(failure.is_suspicion for failure in failures):
        vacuous.append("a request seemed to hang, and no time was left for a second attempt")
    fitted = f"{tally.histories} of {tally.total} histories fitted into the time: --deadline gives more"
    if timer.stopped:
        fitted = f"the search was interrupted after {tally.histories} of {tally.total} histories"
    return EngineRun(
        engine=engine,
        seconds=timer.spent,
        counts={
            "histories": tally.histories,
            "operations": sum(tally.played.values()),
            "requests": tally.answers.total(),
            "accepted": tally.answers.totals[ACCEPTED],
            "kinds of operation": len(tally.played),
        },
        failures=tuple(failures),
        vacuous=(*vacuous, *([] if late else _list_vacuity(engine, place, tally))),
        late=late,
        notes=(*(() if hung else waited), *([fitted] if short else []), *place.notes()),
        answers=tally.answers,
        stopped=timer.stopped,
    )


def _shrink(place: SearchTarget, tally: Tally, engine: str, whole: Timer) -> list[Failure]:
    """The failures, as small as time allows, the most binding first; an interrupt ends only the shrinking.

    Failures that appear meanwhile count, too. Unless all are notes, it may take half of the time that the `whole`
    run has left: a failure in few steps is worth more than what the next engines might find.
    """
    found = {key: bug.failure(engine, tally.seen[key]) for key, bug in tally.bugs.items()}
    queue = sorted(found, key=lambda key: -found[key].rank(place.model))
    done: list[Failure] = []
    if queue and found[queue[0]].rank(place.model) and not place.timer.stopped and whole.left < math.inf:
        place.timer.end(max(place.timer.left, whole.left / 2))

    def add(failure: Failure) -> None:
        if failure.key not in found and failure.key not in tally.muted:
            found[failure.key] = failure
            queue.append(failure.key)

    for key in queue:  # grows
        done.append(minimal(place, found[key], add))
        place.progress({f"of {len(queue)} findings shrunk": len(done)}, len(found), 0.0)
    return done


def _list_vacuity(engine: str, place: SearchTarget, tally: Tally) -> Iterator[str]:
    """Reasons why the search proves nothing; none if it does."""
    if engine == LAWS and not tally.played:
        yield "the target does not stream, so no law applies: leave the engine out with -e history,schema"
        return
    totals, requests = tally.answers.totals, tally.answers.total()
    if not requests:
        yield "no request was sent"
        return
    meant = requests - tally.wrong
    busy = f" ({totals[LATER]} were rejected for now)" if totals[LATER] else ""
    if place.model.create in tally.answers.never_accepted:
        yield f"no create succeeded{busy}"
    elif totals[ACCEPTED] < LEAST_ACCEPTED * meant or 2 * totals[LATER] > requests:
        yield f"only {totals[ACCEPTED]} of {meant} valid requests succeeded{busy}"
    played = {label.split()[0] for label in tally.played}
    missing = [kind for kind in place.model.list_kinds(place.able) if kind not in played]
    if missing and len(played) < 2:
        yield "all of its operations were of one kind, so nothing was compared"
    elif engine == HISTORY and missing and tally.histories >= 100:  # so many play each kind, if they can
        yield f"never run: {', '.join(missing)}"
