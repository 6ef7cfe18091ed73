"""The driver for a service in this process: no socket, no thread, no sleeping; the clock has the time.

Knows pauses and the clock; `observed` decides what a client would see over a connection. A pause ends its length
after the moment it was pulled, so readers that pause at the same time move the clock only once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from harness.outcome import HarnessFault, Unmet
from harness.transport.client.stream import LiveStreamReader, ResponseReading, StreamEnds, decoder_for, read_whole
from harness.transport.http1.observed import ResponseView
from harness.transport.http1.reader import Limits
from harness.wire import (
    By,
    Chunk,
    Clock,
    Collect,
    Driver,
    DriverAction,
    Ending,
    Exchange,
    How,
    Interrupt,
    Listen,
    LogicalClock,
    Open,
    Pause,
    Request,
    Send,
    Service,
    Together,
    Wait,
)
from harness.wire.delivery import PATIENCE, Arrival, Delivery, Inbox, NoReply, Outbox

ROOT = "http://localhost/receivers/"

Elsewhere = Callable[[Delivery], int | None]
"""Sends a delivery to a receiver that is not ours and returns the status; raises Unmet if it must not."""


class ServicePost:
    """The receivers of one service."""

    def __init__(self, outbox: Outbox, clock: Clock, elsewhere: Elsewhere | None = None) -> None:
        self._outbox = outbox
        self._clock = clock
        self._elsewhere = elsewhere
        self._receivers: dict[str, ServiceReceiver] = {}
        self._opened = 0

    def listen(self) -> ServiceReceiver:
        """Open one more receiver."""
        self._opened += 1
        uri = f"{ROOT}{self._opened}"
        self._receivers[uri] = receiver = ServiceReceiver(uri, self, lambda: self._clock.now)
        return receiver

    def close(self, uri: str) -> None:
        """Close a receiver; what still comes for it is given up."""
        self._receivers.pop(uri, None)

    def carry(self) -> None:
        """Carry everything that is due now."""
        while due := self._outbox.take_due():
            for delivery in due:
                try:
                    status = self._send(delivery)
                except Unmet as unmet:
                    self._outbox.drop(delivery, unmet.reason)
                else:
                    self._outbox.note_answer(delivery, status)

    def _send(self, delivery: Delivery) -> int | None:
        parts = urlsplit(delivery.uri)
        receiver = self._receivers.get(f"{parts.scheme}://{parts.netloc}{parts.path}")
        if receiver is None and self._elsewhere is not None:
            return self._elsewhere(delivery)
        if receiver is None:
            raise Unmet("no receiver in this process has this address")
        began = self._clock.now
        receiver(delivery.request)
        answer = receiver.last_answer
        if answer is NoReply.SLOW:
            self._clock.reached(began + PATIENCE)
        return answer if isinstance(answer, int) else None

    def carry_until(self, done: Callable[[], bool], seconds: float) -> None:
        """Carry what comes within `seconds` of logical time, until `done`; idle time is skipped."""
        end = self._clock.now + seconds
        while True:
            self.carry()
            if done() or self._clock.now >= end:
                return
            busy = self._outbox.attend()
            due = self._outbox.next_due
            # so often one looks at the runs that a webhook waits for
            steps = [end, *([self._clock.now + 0.25] if busy else []), *([due] if due is not None else [])]
            self._clock.reached(min(steps))


class ServiceReceiver(Inbox):
    """A receiver for a service in this process."""

    def __init__(self, uri: str, post: ServicePost, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.uri = uri
        self._post = post

    def collect(self, count: int, seconds: float) -> list[Arrival]:
        """Let logical time pass until so many deliveries have come."""
        self._post.carry_until(lambda: self.waiting >= count, seconds)
        return self.take()

    def close(self) -> None:
        """Close the receiver."""
        self._post.close(self.uri)


class ServiceReading(ResponseReading):
    """One response of a service, read on demand.

    After a `step`, `wake` is the moment until which the body pauses, None if it does not pause.
    """

    def __init__(self, service: Service, request: Request, clock: Clock, limits: Limits, ends: StreamEnds) -> None:
        super().__init__(request, limits, ends, clock.now, lambda: clock.now)
        self._clock = clock
        self._idle = 0.0
        self._pauses = 0
        self._size = 0
        self.wake: float | None = None
        self._seen = ResponseView(service, request)
        self._coding = decoder_for(self._seen.headers, limits)
        if self._seen.dead is not None:
            self._end(self._seen.dead)
        else:
            self.recorder.head(self._seen.status, self._seen.headers, self._seen.framing)

    def more(self) -> bytes:
        """The next bytes of the body; a pause passes at once, in logical time."""
        self.awake()
        data = self.step()
        self.awake()
        return data

    def look(self) -> bytes:
        """The bytes until the next pause."""
        data = b""
        while self.ended is None and self.wake is None:
            data += self.step()
        return data

    def awake(self) -> None:
        """End the pause: move the clock to `wake`."""
        if self.wake is not None:
            self._clock.reached(self.wake)
            self.wake = None

    def step(self) -> bytes:
        """Read one piece and return its bytes; raises `HarnessFault` if the body misbehaves."""
        try:
            piece = self._seen.pull()
        except HarnessFault:
            self.stop(By.CLIENT, How.FIN, "the body raised")
            raise
        if isinstance(piece, Chunk):
            return self._take_chunk(piece)
        if isinstance(piece, Pause):
            self._count_pause()
            left, name = self._measure_patience()
            if piece.seconds > left:
                self._clock.reached(self._clock.now + left)
                self.stop(By.LIMIT, How.TIMEOUT, f"nothing came in time ({self._limits.name_wait(name)})")
            elif self.ended is None:
                self._idle += piece.seconds
                self.wake = self._clock.now + piece.seconds
        else:
            self._end(piece)
        return b""

    def _take_chunk(self, piece: Chunk) -> bytes:
        data = piece.data
        if data:
            self._idle = self._pauses = 0
        else:
            self._count_pause()
        self._size += len(data)
        data = self._take(data)
        if self._size > self._limits.body_bytes:
            self.stop(By.LIMIT, How.FIN, f"body exceeds {self._limits.body_bytes} bytes (Limits.body_bytes)")
        return data

    def _count_pause(self) -> None:
        self._pauses += 1
        if self._pauses > self._limits.pauses:
            detail = f"{self._limits.pauses} pieces in a row without a byte (Limits.pauses)"
            self.stop(By.LIMIT, How.TIMEOUT, detail)

    def _measure_patience(self) -> tuple[float, str]:
        """Seconds that may still pass without a byte, and the name of the limit behind them."""
        limits = self._limits
        total = limits.total_seconds - (self._clock.now - self._began)
        idle = min(limits.idle_seconds - self._idle, self._last.measure_patience(self._clock.now))
        return (idle, "idle_seconds") if idle <= total else (max(total, 0.0), "total_seconds")

    def _end(self, ending: Ending) -> None:
        if ending.how is How.STALL:
            # Over a connection a stall looks like a slow response: our own limit ends it.
            left, name = (
                (self._limits.head_seconds, "head_seconds") if ending.headless else self._measure_patience()
            )
            self._clock.reached(self._clock.now + left)
            detail = f"nothing came in time ({self._limits.name_wait(name)})"
            ending = replace(ending, by=By.LIMIT, how=How.TIMEOUT, detail=detail)
        elif ending.complete and self._coding is not None:
            breach = self._coding.finish()
            if breach is not None:
                ending = replace(self._seen.place(), by=breach.by, how=breach.how, detail=breach.detail)
        self.conclude(ending)
        self._seen.close()

    def hurry(self, seconds: float) -> None:
        """Let the rest take at most so many seconds of the clock."""
        until = self._clock.now - self._began + seconds
        if 0 < until < self._limits.total_seconds:
            self._limits = replace(self._limits, total_seconds=until)

    def stop(self, by: By, how: How, detail: str) -> None:
        """Disconnect, unless the response has ended already."""
        if self.ended is None:
            self.conclude(replace(self._seen.place(), by=by, how=how, detail=detail))
            self._seen.close()


class ServiceDriver(Driver):
    """A `wire.Driver` over a service in this process; `clock` must be the service's own.

    Raises `HarnessFault` if the service or one of its bodies raises, and never raises anything else.
    """

    def __init__(
        self,
        service: Service,
        clock: Clock | None = None,
        *,
        limits: Limits | None = None,
        ends: StreamEnds | None = None,
    ) -> None:
        """`ends` as for `UrlDriver`."""
        self._ends = ends or StreamEnds()
        self.service = service
        self.clock = clock or LogicalClock()
        self._limits = limits or Limits()
        self._open: list[ServiceReading] = []
        self._post: ServicePost | None = None

    def perform(self, action: DriverAction) -> Any:
        """Perform an action on the service, and move its clock for a `Wait`."""
        match action:
            case Send(request, timeout):
                return read_whole(self._begin(request, timeout))
            case Open(request, timeout):
                reading = self._begin(request, timeout)
                self._open = [other for other in self._open if other.ended is None]
                self._open.append(reading)
                return LiveStreamReader(reading, self._limits.event_bytes)
            case Together():
                return self._send_together(action)
            case Wait(seconds):
                return self.clock.reached(self.clock.now + seconds)
            case Listen():
                if self._post is None:
                    outbox = getattr(self.service, "outbox", None)
                    if outbox is None:
                        raise Unmet("this service sends nothing by itself")
                    self._post = ServicePost(outbox, self.clock)
                return self._post.listen()
            case Collect(receiver, count, seconds):
                return receiver.collect(count, seconds)
            case Interrupt():
                return None  # no real time passes during a wait

    def _begin(self, request: Request, timeout: float | None = None) -> ServiceReading:
        return ServiceReading(self.service, request, self.clock, self._limits.within(timeout), self._ends)

    def _send_together(self, action: Together) -> list[Exchange]:
        """Send all before reading any; then the response that wakes first is read first, ties in request order."""
        readings: list[ServiceReading] = []
        try:
            for request in action.requests:
                readings.append(self._begin(request, action.timeout))  # noqa: PERF401 - those that began are stopped below
            queue = [(self.clock.now, index) for index in range(len(readings))]
            while queue:
                _, index = heapq.heappop(queue)
                current = readings[index]
                current.awake()
                while current.ended is None and current.wake is None:
                    current.step()
                if current.wake is not None:
                    heapq.heappush(queue, (current.wake, index))
        finally:
            for reading in readings:
                reading.stop(By.CLIENT, How.FIN, "another of the requests failed")
        exchanges = [reading.record() for reading in readings]
        if action.note is not None:
            for exchange in exchanges:
                action.note(exchange)
        return exchanges

    def close(self) -> None:
        """Close the streams that are still open."""
        for reading in self._open:
            reading.stop(By.CLIENT, How.FIN, "")
        self._open = []
