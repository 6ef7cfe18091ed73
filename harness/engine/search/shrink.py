"""Shrinks a failing history: removes steps and fields, and rewrites the remaining ones, until none can go.

Layer 4. Every candidate is played; it is kept only if it shows the same defect. What is left is played once more
before anybody sees it. If the target does not fail again, the failure is kept as it was first seen. Removing and
rewriting single steps can end in a local minimum; in this process, where histories are cheap, all short histories
are played as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar, cast

from harness.engine.results import Replays
from harness.engine.search.exhaustive import every
from harness.engine.search.failure import Failure
from harness.engine.search.request_templates import resend, simpler_requests, templates, weigh_requests
from harness.engine.search.rules import ANSWERED
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.traffic.deadline import TimeUp
from harness.engine.traffic.patience import Pace

SHORTEST, MOST_SECONDS = 3, 20.0
"""In this process, all histories of up to this many steps are played: about a second for each target."""

Part = TypeVar("Part")

NEAR, FAR = 400, 40
"""How many histories may be played to shrink one, on this machine and elsewhere, where each may be billed."""

TRIES = 3
"""How often a failure that does not return at once is tried."""

STOPPED, LATE = "the search was interrupted", "time was up"


def minimal(
    place: SearchTarget, failure: Failure, also: Callable[[Failure], object] = lambda other: None
) -> Failure:
    """The smallest failure of the same kind, played once more; as far as time allows, and it says if not.

    A KeyboardInterrupt stops the timer of the place, and nothing of the failure is lost.
    `also` hears of every failure that is seen on the way.
    """
    model = place.model
    if failure.history:
        return _Shrinking(place, failure, failure.history, play, model.simplify, model.weigh, also).run()
    requests = tuple(templates(failure.trail, place.resolved.api))
    return _Shrinking(place, failure, requests, resend, simpler_requests, weigh_requests, also).run()


class _Shrinking(Generic[Part]):
    """Simplifies one failure step by step; `parts` are its history or its requests.

    `tries` is how often a candidate is played before it is dropped.
    """

    def __init__(
        self,
        place: SearchTarget,
        failure: Failure,
        parts: tuple[Part, ...],
        again: Callable[[SearchTarget, Sequence[Part], str], list[Failure]],
        simpler: Callable[[tuple[Part, ...]], Iterator[tuple[Part, ...]]],
        weigh: Callable[[tuple[Part, ...]], tuple[int, ...]],
        also: Callable[[Failure], object],
    ) -> None:
        self._place = place
        self._best = failure
        self._parts = parts
        self._again, self._simpler, self._weigh, self._also = again, simpler, weigh, also
        self._left = NEAR if place.is_cheap else FAR
        self._tries = 1

    def run(self) -> Failure:
        """Shrink, then play the result again."""
        if why := _why_no_time(self._place):
            return replace(self._best, unshrunk=why, replays=Replays(why_not=why))
        try:
            self._set_pace(Pace.SHRINKING)
            first = self._replay()
            if first.lost and self._best.replays.why_not:
                return replace(self._best, unshrunk=self._best.replays.why_not)
            if first.lost:
                return replace(self._best, unshrunk="it did not fail again", replays=first)
            self._tries = TRIES if first.flaky else 1
            unshrunk = self._shrink()
            self._set_pace(Pace.CONFIRMING)
            last = first if _why_no_time(self._place) else self._replay()
        except TimeUp:
            return replace(self._best, unshrunk=LATE, replays=Replays(why_not=LATE))
        except KeyboardInterrupt:
            self._place.timer.stop()
            return replace(self._best, unshrunk=STOPPED, replays=Replays(why_not=STOPPED))
        finally:
            self._set_pace(Pace.SEARCHING)
        both = Replays(first.shown + last.shown, first.played + last.played)
        return replace(self._best, unshrunk=unshrunk, replays=last if last.shown else both)

    def _set_pace(self, pace: Pace) -> None:
        self._place.lag.confirming = pace is Pace.CONFIRMING
        if self._place.patience is not None and self._best.rule == ANSWERED:
            self._place.patience.pace = pace

    def _replay(self) -> Replays:
        """Play it until it failed, at most `TRIES` times."""
        for played in range(1, TRIES + 1):
            again = self._play(self._parts)
            if again is not None:
                self._keep(self._parts, again)
                return Replays(1, played)
            if _why_no_time(self._place):
                return Replays(0, played)
        return Replays(0, TRIES)

    def _shrink(self) -> str:
        """Replace the failure by smaller ones while there are any; return why there may be more, or ""."""
        tried = [self._parts]
        while True:
            for candidate in self._simpler(self._parts):
                if candidate in tried:
                    continue
                if why := _why_no_time(self._place):
                    return why
                if self._left <= 0:
                    return f"{NEAR if self._place.is_cheap else FAR} others were tried, which is the most"
                tried.append(candidate)
                if self._is_smaller(candidate):
                    break
            else:
                return ""

    def _is_smaller(self, candidate: tuple[Part, ...]) -> bool:
        """Play a candidate; if it shows the same, it takes the place of the best one."""
        for _ in range(self._tries):
            again = self._play(candidate)
            parts = candidate if again is None or not again.history else cast("tuple[Part, ...]", again.history)
            if again is not None and self._weigh(parts) < self._weigh(self._parts):
                self._keep(parts, again)
                return True
        return False

    def _keep(self, parts: tuple[Part, ...], again: Failure) -> None:
        """Take over a failure as it was seen again: its own answers belong to its own requests."""
        self._parts = parts
        self._best = replace(self._best, defect=again.defect, history=again.history, trail=again.trail)

    def _play(self, parts: tuple[Part, ...]) -> Failure | None:
        self._left -= 1
        mine = None
        for failure in self._again(self._place, parts, self._best.engine):
            self._also(failure)
            mine = failure if failure.key == self._best.key else mine
        return mine


def _why_no_time(place: SearchTarget) -> str:
    if place.timer.stopped:
        return STOPPED
    return LATE if place.timer.over() else ""


def shortest(place: SearchTarget, failures: Sequence[Failure]) -> list[Failure]:
    """The failures, each replaced if one of all short histories shows it with fewer steps."""
    longest = max((len(failure.history) for failure in failures), default=0)
    if not place.resolved.throwaway or longest < 2 or place.timer.over():
        return list(failures)
    searched = every(place, min(longest - 1, SHORTEST), seconds=min(place.timer.left, MOST_SECONDS))
    if searched.stopped:
        place.timer.stop()
    short = {failure.key: failure for failure in searched.failures}
    return [_pick_shorter(failure, short.get(failure.key)) for failure in failures]


def _pick_shorter(failure: Failure, other: Failure | None) -> Failure:
    if other is None or len(other.history) >= len(failure.history):
        return failure
    return replace(other, engine=failure.engine, seen=failure.seen, replays=Replays(1, 1))
