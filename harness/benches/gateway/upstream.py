"""The gateway's upstream: the emulator, and a record of each request and of how much of its answer was read.

Layer 5. Knows services and bodies; must not know the client's side. A carrier may call it from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from harness.benches.gateway.relayed_exchange import OperationName, operation_of
from harness.contract import Contract
from harness.emulator import Emulator, Settings
from harness.wire import (
    COMPLETE,
    At,
    Body,
    By,
    Chunk,
    Ending,
    Exchange,
    ExchangeBuilder,
    How,
    Length,
    LogicalClock,
    Piece,
    Request,
    Response,
    Service,
)

Answer: TypeAlias = Callable[[Service, Request], Response]
"""How the upstream answers a create, with the help of the emulator or without."""

SETTINGS = Settings(platform="any", require_key=False, models="any", ticks=12)
"""A gateway may use its own key or none, and its own model names. Runs last long enough to be acted on."""

_HEADLESS = frozenset({At.BEFORE_HEADERS, At.IN_HEADERS})


class UpstreamCall:
    """One request that arrived, and as much of its answer as has been read so far."""

    def __init__(self, request: Request, began: float) -> None:
        self.request = request
        self.operation = operation_of(request)
        self.began = began
        self.ended: Ending | None = None
        self.recorder = ExchangeBuilder(request)

    def record(self, now: float) -> Exchange:
        """The call as an exchange; if its answer is still being read, with what has been read so far."""
        still = Ending(by=By.LIMIT, how=How.TIMEOUT, detail="still being read")
        return self.recorder.finish(self.ended or still, now - self.began)


class Upstream:
    """A `Service` that answers as the emulator does and records all calls; `prime` sets other answers."""

    def __init__(self, *, seed: int = 0, settings: Settings = SETTINGS, contract: Contract | None = None) -> None:
        self.clock = LogicalClock()
        self.emulator = Emulator(settings, clock=self.clock, seed=seed, contract=contract)
        self.calls: list[UpstreamCall] = []
        self._changed = threading.Condition()
        self._primed: list[Answer] = []

    def __call__(self, request: Request) -> Response:
        with self._changed:
            call = UpstreamCall(request, self.clock.now)
            answer = self._take(call)
            self.calls.append(call)
            self._changed.notify_all()
        response = answer(self.emulator, request) if answer is not None else self.emulator(request)
        response.body = _Watched(response, call, self._changed, lambda: self.clock.now)
        return response

    def prime(self, answer: Answer | None, creates: int = 1) -> None:
        """Answer the next `creates` creates with `answer`; it replaces what was set before, and None clears it."""
        with self._changed:
            self._primed = [] if answer is None else [answer] * creates

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait for at most `seconds` until `holds` returns true, and return whether it did."""
        with self._changed:
            return self._changed.wait_for(holds, seconds)

    def records(self, calls: Sequence[UpstreamCall]) -> tuple[Exchange, ...]:
        """These calls as exchanges."""
        with self._changed:
            return tuple(call.record(self.clock.now) for call in calls)

    def _take(self, call: UpstreamCall) -> Answer | None:
        return self._primed.pop() if self._primed and call.operation is OperationName.CREATE else None


class _Watched:
    """A body that records what is read from it, and when it is closed."""

    def __init__(
        self, response: Response, call: UpstreamCall, changed: threading.Condition, now: Callable[[], float]
    ) -> None:
        self._inner: Body = response.body
        self._head = response.status, response.headers, response.framing
        self._call = call
        self._changed = changed
        self._now = now

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        piece = next(self._inner)
        with self._changed:
            self._note(piece)
        return piece

    def close(self) -> None:
        self._inner.close()
        with self._changed:
            if self._call.ended is None:
                self._open()
                left = Ending(by=By.CLIENT, how=How.FIN, detail="hung up")
                self._end(COMPLETE if self._whole() else left)

    def _note(self, piece: Piece) -> None:
        recorder = self._call.recorder
        if isinstance(piece, Chunk):
            self._open()
            recorder.chunk(piece, self._now() - self._call.began)
        elif isinstance(piece, Ending):
            if piece.at not in _HEADLESS:
                self._open()
            self._end(piece)
        else:
            self._open()

    def _whole(self) -> bool:
        """Whether only the ending was left to read."""
        framing = self._head[2]
        return isinstance(framing, Length) and self._call.recorder.size == framing.size

    def _open(self) -> None:
        if self._call.recorder.status is None:
            self._call.recorder.head(*self._head)

    def _end(self, ending: Ending) -> None:
        self._call.ended = ending
        self._changed.notify_all()
