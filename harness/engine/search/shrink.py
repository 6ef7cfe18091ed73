"""Shrinks a failing history: removes steps and fields, and rewrites the remaining ones, until none can go.

Every candidate runs; it is kept only if it shows the same defect. The result runs once more before it is reported.
If the target does not fail again, the failure is kept as it was first seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

from msgspec import structs

from harness.engine.events import Replays
from harness.engine.search.failure import ANSWERED, Bug, Failure
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.traffic.deadline import TimeUp
from harness.engine.traffic.patience import Pace
from harness.kit.search import simpler_values
from harness.wire import Exchange, Request
from harness.wire.bodies import GivenValue, encode_json, find_given, given_values, replace_given

# Requests as templates: what was sent once can be sent again, with other ids. What an earlier response gave is
# replaced by a placeholder, which is filled in from the responses of the new run.


_HOLE = re.compile(r"HARNESS-(\d+)-(\w+)-(\d+)-")


def place_holder(given: GivenValue) -> str:
    """The placeholder for what an earlier answer gave; safe in a URL, in JSON and in a shell."""
    return f"HARNESS-{given.answer}-{given.name}-{given.number}-"


def list_holes(request: Request) -> list[GivenValue]:
    """The values that the placeholders of a request stand for, each once."""
    text = request.target + request.body.decode("utf-8", "replace")
    found = dict.fromkeys(match.groups() for match in _HOLE.finditer(text))
    return [GivenValue(int(answer), name, int(number), "") for answer, name, number in found]


def templates(trail: Sequence[Exchange]) -> list[Request]:
    """The requests of a trail, with placeholders for what earlier responses gave."""
    given = given_values(trail)
    made = []
    for number, exchange in enumerate(trail):
        request = exchange.request
        for value in given:
            if value.answer < number:
                request = replace_given(request, value.value, place_holder(value))
        made.append(request)
    return made


def resend(place: SearchTarget, requests: Sequence[Request], engine: str) -> list[Failure]:
    """Send the requests in order; return the first failure of each kind that their answers show.

    A placeholder that no answer fills stays as it is.
    """
    found: dict[str, Bug] = {}
    answers: list[Exchange] = []
    with place.world() as world:
        for request in requests:
            for hole in list_holes(request):
                body = answers[hole.answer].body if hole.answer < len(answers) else b""
                if (value := find_given(body, hole.name, hole.number)) is not None:
                    request = replace_given(request, place_holder(hole), value)
            answer, seen = world.resend(request)
            answers.append(answer)
            for defect in seen:
                if place.judged(defect):
                    found.setdefault(defect.key, Bug(defect, (), tuple(world.sent)))
            if world.hung:
                break
    return [bug.failure(engine) for bug in found.values()]


def simpler_requests(requests: tuple[Request, ...]) -> Iterator[tuple[Request, ...]]:
    """Smaller lists of requests: each without one of them, or with less in the body of one."""
    for number in range(len(requests)):
        rest = _without(requests, number)
        if rest:
            yield rest
    for number, request in enumerate(requests):
        try:
            value = json.loads(request.body)
        except (ValueError, RecursionError):
            continue
        for body in map(encode_json, simpler_values(value)):
            yield (*requests[:number], structs.replace(request, body=body), *requests[number + 1 :])


def weigh_requests(requests: tuple[Request, ...]) -> tuple[int, ...]:
    """The sort key of a list of requests: fewer first, then smaller bodies."""
    return len(requests), sum(len(request.body) for request in requests)


def _without(requests: tuple[Request, ...], number: int) -> tuple[Request, ...]:
    """The requests without one, with its successors renumbered; none if another one needs what its answer gave."""
    rest = []
    for request in (*requests[:number], *requests[number + 1 :]):
        for hole in sorted(list_holes(request), key=lambda hole: hole.answer):
            if hole.answer == number:
                return ()
            moved = structs.replace(hole, answer=hole.answer - (hole.answer > number))
            request = replace_given(request, place_holder(hole), place_holder(moved))
        rest.append(request)
    return tuple(rest)


Part = TypeVar("Part")

NEAR, FAR = 400, 40
"""How many histories may be played to shrink one, on this machine and elsewhere, where each may be billed."""

TRIES = 3
"""How often a failure that does not return at once is tried."""

STOPPED, LATE = "the search was interrupted", "the time limit was reached"


def minimal(
    place: SearchTarget, failure: Failure, also: Callable[[Failure], object] = lambda other: None
) -> Failure:
    """Shrink a failure to the smallest one of its kind, and run that again.

    If time ends first, the smallest one so far is returned, and its `unshrunk` states why. Ctrl-C ends shrinking
    in the same way. `also` is called with every other failure that appears meanwhile.
    """
    model = place.model
    if failure.history:
        return _Shrinking(place, failure, failure.history, play, model.simplify, model.weigh, also).run()
    requests = tuple(templates(failure.trail))
    return _Shrinking(place, failure, requests, resend, simpler_requests, weigh_requests, also).run()


@dataclass(eq=False)
class _Shrinking(Generic[Part]):
    """Simplifies one failure step by step; `parts` are its history or its requests.

    `tries` is how often a candidate runs before it is dropped.
    """

    place: SearchTarget
    best: Failure
    parts: tuple[Part, ...]
    again: Callable[[SearchTarget, Sequence[Part], str], list[Failure]]
    simpler: Callable[[tuple[Part, ...]], Iterator[tuple[Part, ...]]]
    weigh: Callable[[tuple[Part, ...]], tuple[int, ...]]
    also: Callable[[Failure], object]
    tries: int = 1

    def __post_init__(self) -> None:
        self._left = NEAR if self.place.is_cheap else FAR

    def run(self) -> Failure:
        """Shrink, then play the result again."""
        if why := _why_no_time(self.place):
            return replace(self.best, unshrunk=why, replays=Replays(why_not=why))
        try:
            self._set_pace(Pace.SHRINKING)
            first = self._replay()
            if first.lost and self.best.replays.why_not:
                return replace(self.best, unshrunk=self.best.replays.why_not)
            if first.lost:
                return replace(self.best, unshrunk="it did not fail again", replays=first)
            self.tries = TRIES if first.flaky else 1
            unshrunk = self._shrink()
            self._set_pace(Pace.CONFIRMING)
            last = first if _why_no_time(self.place) else self._replay()
        except TimeUp:
            return replace(self.best, unshrunk=LATE, replays=Replays(why_not=LATE))
        except KeyboardInterrupt:
            self.place.timer.stop()
            return replace(self.best, unshrunk=STOPPED, replays=Replays(why_not=STOPPED))
        finally:
            self._set_pace(Pace.SEARCHING)
        both = Replays(first.shown + last.shown, first.played + last.played)
        return replace(self.best, unshrunk=unshrunk, replays=last if last.shown else both)

    def _set_pace(self, pace: Pace) -> None:
        self.place.lag.confirming = pace is Pace.CONFIRMING
        if self.place.patience is not None and self.best.rule == ANSWERED:
            self.place.patience.pace = pace

    def _replay(self) -> Replays:
        """Play it until it failed, at most `TRIES` times."""
        for played in range(1, TRIES + 1):
            again = self._play(self.parts)
            if again is not None:
                self._keep(self.parts, again)
                return Replays(1, played)
            if _why_no_time(self.place):
                return Replays(0, played)
        return Replays(0, TRIES)

    def _shrink(self) -> str:
        """Replace the failure by smaller ones while there are any; return why there may be more, or ""."""
        tried = [self.parts]
        while True:
            for candidate in self.simpler(self.parts):
                if candidate in tried:
                    continue
                if why := _why_no_time(self.place):
                    return why
                if self._left <= 0:
                    return f"{NEAR if self.place.is_cheap else FAR} others were tried, which is the most"
                tried.append(candidate)
                if self._is_smaller(candidate):
                    break
            else:
                return ""

    def _is_smaller(self, candidate: tuple[Part, ...]) -> bool:
        """Play a candidate; if it shows the same, it takes the place of the best one."""
        for _ in range(self.tries):
            again = self._play(candidate)
            parts = candidate if again is None or not again.history else cast("tuple[Part, ...]", again.history)
            if again is not None and self.weigh(parts) < self.weigh(self.parts):
                self._keep(parts, again)
                return True
        return False

    def _keep(self, parts: tuple[Part, ...], again: Failure) -> None:
        """Take over a failure as it was seen again: its own answers belong to its own requests."""
        self.parts = parts
        self.best = replace(self.best, defect=again.defect, history=again.history, trail=again.trail)

    def _play(self, parts: tuple[Part, ...]) -> Failure | None:
        self._left -= 1
        mine = None
        for failure in self.again(self.place, parts, self.best.engine):
            self.also(failure)
            mine = failure if failure.key == self.best.key else mine
        return mine


def _why_no_time(place: SearchTarget) -> str:
    if place.timer.stopped:
        return STOPPED
    return LATE if place.timer.over() else ""
