"""The gateway's upstream: a reference service, and a record of each request and how far its answer was read.

Layer 5. Knows services and bodies; must not know the client's side. A carrier may call it from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from harness.kit.relay import Answer
from harness.wire import (
    By,
    Chunk,
    Ending,
    Exchange,
    ExchangeBuilder,
    Framing,
    Headers,
    How,
    LogicalClock,
    Request,
    Response,
)
from harness.wire.observed_body import observe


class ReferenceService(Protocol):
    """A service that does what it should, and can be told what to answer."""

    def __call__(self, request: Request) -> Response: ...

    def script(self, script: Mapping[str, Any]) -> object:
        """Queue what a later request is answered with."""
        ...

    def release(self) -> int:
        """Let what a script holds go on."""
        ...


class UpstreamCall:
    """One request that arrived, and as much of its answer as has been read so far."""

    def __init__(self, request: Request, began: float) -> None:
        self.request = request
        self.began = began
        self.ended: Ending | None = None
        self.recorder = ExchangeBuilder(request, began=began)

    def record(self, now: float) -> Exchange:
        """The call as an exchange; if its answer is still being read, with what has been read so far."""
        still = Ending(by=By.LIMIT, how=How.TIMEOUT, detail="still being read")
        return self.recorder.finish(self.ended or still, now - self.began)


class Upstream:
    """A `Service` that answers as the reference does and records all calls; `prime` sets other answers.

    `clock` is the reference's. `is_primable` says which requests a primed answer is for.
    """

    def __init__(
        self, reference: ReferenceService, clock: LogicalClock, is_primable: Callable[[Request], bool]
    ) -> None:
        self.clock = clock
        self.reference = reference
        self.calls: list[UpstreamCall] = []
        self._is_primable = is_primable
        self._changed = threading.Condition()
        self._primed: list[Answer] = []

    def __call__(self, request: Request) -> Response:
        with self._changed:
            call = UpstreamCall(request, self.clock.now)
            answer = self._take(call)
            self.calls.append(call)
            self._changed.notify_all()
        response = answer(self.reference, request) if answer is not None else self.reference(request)
        return observe(response, _CallObserver(call, self._changed, lambda: self.clock.now))

    def prime(self, answer: Answer | None, requests: int = 1) -> None:
        """Answer the next `requests` with `answer`; it replaces what was set before, and None clears it."""
        with self._changed:
            self._primed = [] if answer is None else [answer] * requests

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait for at most `seconds` until `holds` returns true, and return whether it did."""
        with self._changed:
            return self._changed.wait_for(holds, seconds)

    def records(self, calls: Sequence[UpstreamCall]) -> tuple[Exchange, ...]:
        """These calls as exchanges."""
        with self._changed:
            return tuple(call.record(self.clock.now) for call in calls)

    def _take(self, call: UpstreamCall) -> Answer | None:
        return self._primed.pop() if self._primed and self._is_primable(call.request) else None


class _CallObserver:
    """Records what is read of the answer to a call, and wakes whoever waits for it."""

    def __init__(self, call: UpstreamCall, changed: threading.Condition, now: Callable[[], float]) -> None:
        self._call = call
        self._changed = changed
        self._now = now

    def note_head(self, status: int, headers: Headers, framing: Framing) -> None:
        with self._changed:
            self._call.recorder.head(status, headers, framing)

    def note_chunk(self, chunk: Chunk) -> None:
        with self._changed:
            self._call.recorder.chunk(chunk, self._now() - self._call.began)

    def note_end(self, ending: Ending) -> None:
        with self._changed:
            self._call.ended = ending
            self._changed.notify_all()
