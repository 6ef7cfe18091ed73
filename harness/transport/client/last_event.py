"""Notices the event with which a stream says that it is over, and how long it then stays open. Layer 3.

The sentinel says it, and so does what the API calls the end. A stream that stays open after it is left, as clients
in the field do. Once one stayed open for the whole time, nobody waits that long for the next one like it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.wire import By, Ending, How, Request
from harness.wire.json_value import object_or_none
from harness.wire.sse import Decoder

LINGER_SECONDS = 1.0
"""How long a stream may stay open after the sentinel."""

HURRIED_SECONDS = 0.2
"""How long it may if one like it stayed open for the whole time."""

_NEVER = math.inf


def _say_nothing(_: Mapping[str, Any]) -> bool | None:
    return None


class StreamEnds:
    """How the streams of one target end, learned by all drivers to it.

    `sentinel` is the data of the last event, empty if there is none. `ends` is `StreamProtocol.ends`.
    """

    def __init__(
        self, sentinel: bytes = b"", ends: Callable[[Mapping[str, Any]], bool | None] = _say_nothing
    ) -> None:
        self.sentinel = sentinel
        self.ends = ends
        self._open: defaultdict[str, float] = defaultdict(float)

    def watch(self, request: Request, seconds: float) -> LastEvent:
        """Look for the end of one answer, which may stay open for so many seconds after it."""
        return LastEvent(self, request.method, seconds)

    def known_open(self, method: str) -> float:
        """The longest time for which an answer to this method stayed open; 0.0 if none did."""
        return self._open[method]

    def note_open(self, method: str, seconds: float) -> None:
        """Learn that an answer stayed open for so many seconds."""
        self._open[method] = max(self._open[method], seconds)


class LastEvent:
    """Looks at one body for its last event; comments, and events that say nothing of the run, change nothing."""

    def __init__(self, known: StreamEnds, method: str, seconds: float) -> None:
        self._known = known
        self._method = method
        self._seconds = seconds
        self._decoder = Decoder()
        self._is_sentinel = False
        self._since = _NEVER

    @property
    def seen(self) -> bool:
        """Whether the stream said that it is over, and has not gone on."""
        return self._since < _NEVER

    def feed(self, data: bytes, now: float) -> None:
        """Look at the next bytes of a body, which came at the moment `now`."""
        for frame in self._decoder.feed(data) if data else ():
            if self._known.sentinel and frame.data == self._known.sentinel:
                self._since, self._is_sentinel = now, True
                continue
            over = self._known.ends(object_or_none(frame.data) or {})
            if over:
                self._since = now
            elif over is False or self._is_sentinel:
                self._since = _NEVER
            self._is_sentinel = False

    @property
    def _whole(self) -> float:
        return LINGER_SECONDS if self._is_sentinel else self._seconds

    @property
    def _patience(self) -> float:
        known = self._known.known_open(self._method)
        return min(self._whole, HURRIED_SECONDS) if known else self._whole

    def measure_patience(self, now: float) -> float:
        """For how many seconds the answer may still stay open; infinite before its last event."""
        return max(self._since + self._patience - now, 0.0) if self.seen else _NEVER

    def conclude(self, ending: Ending, now: float) -> Ending:
        """The ending of the answer: if only the time after the last event was up, the client left."""
        if not (self.seen and ending.by is By.LIMIT and ending.how is How.TIMEOUT):
            return ending
        stayed = now - self._since
        if stayed < self._patience * 0.99 and not self._is_sentinel:
            return ending
        longest = self._known.known_open(self._method)
        before = f", as one before it for {longest:.1f} s" if longest > stayed else ""
        self._known.note_open(self._method, stayed)
        detail = f"the stream stayed open for {stayed:.1f} s after its last event{before}"
        return replace(ending, by=By.CLIENT, how=How.STALL, detail=detail)
