"""Counts what a search played over all its histories, and keeps the smallest history for each defect.

Layer 4. Shared by the engines that Hypothesis drives. Hypothesis only chooses: it never learns of a defect, so it
neither stops at one nor spends its examples on shrinking it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from harness.engine.search.answer_counts import AnswerCounts
from harness.engine.search.defect import SeenDefect
from harness.engine.search.failure import Bug
from harness.engine.search.search_target import SearchTarget
from harness.engine.search.world import World
from harness.engine.traffic.deadline import TimeUp
from harness.kit.search import Step


class Tally:
    """Counts and bugs; `over` tells whether time is up, `muted` is the keys of what is known already.

    `wrong` counts the requests that were wrong on purpose.
    """

    def __init__(self, place: SearchTarget, over: Callable[[], bool], muted: frozenset[str] = frozenset()) -> None:
        self.histories = 0
        self.played: Counter[str] = Counter()
        self.answers = AnswerCounts()
        self.wrong = 0
        self.bugs: dict[str, Bug] = {}
        self.seen: Counter[str] = Counter()
        self._place = place
        self._weigh = place.model.weigh
        self._over = over
        self._muted = muted

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
        if not self.is_muted(key) and (
            kept is None or self._weigh(tuple(world.played)) < self._weigh(kept.history)
        ):
            self.bugs[key] = Bug(defect, tuple(world.played), tuple(world.sent))

    def is_muted(self, key: str) -> bool:
        """Whether a defect is known already."""
        return key in self._muted

    def add_history(self, world: World) -> None:
        """Add the counts of a finished history."""
        self.histories += 1
        self.wrong += sum(sent.wrong for sent in world.sent)
        for exchange in world.trail:
            self.answers.add(self._place.model.name_call(exchange.request), exchange.status)
        self._place.report_progress(
            {"histories": self.histories, "requests": self.answers.requests}, findings=len(self.bugs)
        )
