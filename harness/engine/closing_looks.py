"""Looks once more at what a part of a run created, so that what was seen once is compared with something.

Layer 4. Most defects of a single answer show when its run is read again: another status, text, cost or instant. A
look is a plain read of what will be deleted anyway. Must not know what is wrong with an answer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from msgspec import Struct, field

from harness.engine.traffic.deadline import Timer
from harness.engine.traffic.perform import ActionRunner
from harness.kit.actions import Send, Together
from harness.wire import Request

_FREE = 5.0
"""Seconds that the looks of a run may always take."""

_SHARE = 0.1
"""The share of a run's time so far that they may take beyond that, all workers together.

It is small, because what has not been asked at all comes first.
"""

_UNFOUND = 8
"""Looks without a success after which no more are sent: the target does not offer them."""


class ClosingLooks(Struct):
    """The looks of one run; several workers share it. A target that answers slowly gets some only, if `limited`.

    `left_out` counts the others. Those that a target does not offer are no loss. After one that did not end in
    time no more are sent. `together`: how many of one worker are sent side by side.
    """

    timer: Timer
    limited: bool = True
    together: int = 4
    left_out: int = 0
    _seconds: float = 0.0
    _last: float = 0.0
    _found: int = 0
    _missed: int = 0
    _hung: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, looks: Sequence[Request], hand: ActionRunner, *, one_at_a_time: bool) -> None:
        """Send these looks, or as many as there is time for."""
        size = 1 if one_at_a_time else self.together
        for first in range(0, len(looks), size):
            if not self._found and self._missed >= _UNFOUND:
                return
            if self._hung or (self.limited and self._seconds + self._last > _FREE + _SHARE * self.timer.spent):
                with self._lock:
                    self.left_out += len(looks) - first
                return
            self._send(looks[first : first + size], hand)

    def _send(self, batch: Sequence[Request], hand: ActionRunner) -> None:
        begun = self.timer.spent
        received = [hand.perform(Send(batch[0]))] if len(batch) == 1 else hand.perform(Together(tuple(batch)))
        found = sum(exchange.succeeded for exchange in received)
        with self._lock:
            self._last = self.timer.spent - begun
            self._seconds += self._last
            self._found += found
            self._missed += len(received) - found
            self._hung = self._hung or any(exchange.hung for exchange in received)
