"""The ids that the creates of a run were answered with: one that comes again is no name of anything.

Layer 4. All workers of a run share one, unless each has a session of its own, in which ids may be what they are
elsewhere. What an exercise saw of an id that somebody else was given meanwhile may be what the other one made of
it. Must not know what is judged.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.kit.api import Api
from harness.outcome import Finding
from harness.wire import Exchange


@dataclass(frozen=True, slots=True)
class GivenId:
    """A create that was answered with an id, for somebody, at a time on the clock of this process."""

    exchange: Exchange
    owner: object
    moment: float


@dataclass(frozen=True, slots=True)
class RepeatedId:
    """A create that was answered with an id that an earlier one had been given, and what is wrong with that."""

    exchange: Exchange
    earlier: Exchange
    finding: Finding


class GivenIds:
    """Who was given which id; several threads may note exchanges at once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._given: dict[str, list[GivenId]] = defaultdict(list)
        self._lock = threading.Lock()

    def note(self, exchange: Exchange, owner: object) -> RepeatedId | None:
        """Record what a finished exchange was given; what is wrong if another create was given that before.

        The owner is who deletes what it made, whenever it is through.
        """
        identity = self._api.read_new_id(exchange)
        if not identity:
            return None
        with self._lock:
            given = self._given[identity]
            if any(known.exchange is exchange for known in given):  # one of several at once is told of twice
                return None
            found = next(iter(self._api.judge_new_id([identity] if given else [], identity)), None)
            given.append(GivenId(exchange, owner, time.perf_counter()))
        return None if found is None else RepeatedId(exchange, given[0].exchange, found)

    def list_shared(self, identities: Iterable[str], owner: object, since: float) -> frozenset[str]:
        """Those of the ids that several creates were given: of this owner since a time, and of all others."""
        with self._lock:
            return frozenset(
                identity
                for identity in identities
                if sum(
                    given.moment >= since or given.owner is not owner for given in self._given.get(identity, ())
                )
                > 1
            )

    def judge_again(self, identity: str) -> Finding:
        """What is wrong with an id that is shared."""
        return next(iter(self._api.judge_new_id([identity], identity)))

    def forget(self) -> None:
        """Forget all ids: a target that was gone for a while may have forgotten them, too."""
        with self._lock:
            self._given.clear()
