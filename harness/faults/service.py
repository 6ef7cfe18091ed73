"""`cut(service, plan, protocol)`: a service that suffers from a plan, and the record of what it suffered.

Layer 1. Knows services, counts connections and forwards `close`; `transducer` knows how a fault is applied.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus

from harness.faults.cut_faults import ending_of
from harness.faults.frame_values import Trickle
from harness.faults.grammar import parse
from harness.faults.plan import HEAD_SPOTS, Chunks, Cut, Fault, Inclusive, Plan, Scope, Spot, Status
from harness.faults.resume_requests import boundary_event, concerns, kind_of, with_real_cursor
from harness.faults.transducer import FaultFilter, Transducer, framing_for, transducer
from harness.wire import Body, Piece, PieceBody, Request, Response, Service, StreamProtocol
from harness.wire.message import EVENT_STREAM

_KEPT = 1000


@dataclass(slots=True)
class Suffered:
    """One connection that a plan counted: its number, its request, and the faults planned for it.

    `number` counts from 1. The record is live until the body is closed: a fault fires when the body reaches it.
    """

    number: int
    method: str
    path: str
    faults: tuple[Fault, ...]
    stages: tuple[tuple[Fault, FaultFilter], ...] = ()
    at_once: tuple[Fault, ...] = ()
    settled: tuple[Fault, ...] | None = None

    def settle(self) -> None:
        """Freeze the record: nothing more will fire. Frees the stages, which may hold MiB of an open event."""
        self.settled = self.fired
        self.stages = ()

    @property
    def fired(self) -> tuple[Fault, ...]:
        """The faults that took effect; the others had nothing to act on, or the client left first."""
        stages, settled = self.stages, self.settled  # in this order: another thread may settle in between
        if settled is not None:
            return settled
        return (*self.at_once, *(fault for fault, stage in stages if stage.fired))


class FaultyBody:
    """A body passed through a transducer; it pulls only on demand and closes the inner body once."""

    __slots__ = ("_closed", "_inner", "_ready", "_transducer", "suffered")

    def __init__(self, inner: Body, machine: Transducer, suffered: Suffered) -> None:
        self._inner = inner
        self.suffered = suffered
        self._transducer = machine
        self._ready: deque[Piece] = deque()
        self._closed = False

    def __iter__(self) -> FaultyBody:
        return self

    def __next__(self) -> Piece:
        while not self._ready:
            if self._closed or self._transducer.ended:
                raise StopIteration
            self._ready.extend(self._transducer.feed(next(self._inner)))
        return self._ready.popleft()

    def close(self) -> None:
        """Stop reading, and close the inner body so that its service learns of it."""
        if not self._closed:
            self._closed = True
            self._ready.clear()
            self.suffered.settle()
            self._inner.close()


class FaultyService:
    """A `Service` that wraps another. Connections are counted in the order they come, from any thread."""

    def __init__(self, service: Service, plan: Plan, protocol: StreamProtocol) -> None:
        self.plan = plan
        self._service = service
        self._protocol = protocol
        self._lock = threading.Lock()
        self._count = 0
        self._sequence = plan.sequence()
        self._log: deque[Suffered] = deque(maxlen=_KEPT)

    @property
    def log(self) -> tuple[Suffered, ...]:
        """The latest thousand connections that the plan counted."""
        with self._lock:
            return tuple(self._log)

    @property
    def connections(self) -> int:
        """The number of connections that the plan counted."""
        return self._count

    def __call__(self, request: Request) -> Response:
        return self.answer(request)[0]

    def answer(self, request: Request) -> tuple[Response, Suffered | None]:
        """The response, and what this connection suffers; None if the plan does not concern it."""
        request = with_real_cursor(request, self._protocol)
        kind = kind_of(request, self._protocol)
        if not concerns(self.plan.scope, kind):
            return self._service(request), None
        number, faults = self._next()
        if faults and isinstance(faults[0], Status):
            suffered = self._keep(Suffered(number, request.method, request.raw_path, faults, at_once=faults))
            return self._refuse(faults[0]), suffered
        response = self._service(request)
        return self._hurt(number, request, response, faults)

    def _next(self) -> tuple[int, tuple[Fault, ...]]:
        with self._lock:
            self._count += 1
            return self._count, next(self._sequence)

    def _keep(self, suffered: Suffered) -> Suffered:
        with self._lock:
            self._log.append(suffered)
        return suffered

    def _refuse(self, fault: Status) -> Response:
        reason = HTTPStatus(fault.code).phrase if fault.code in set(HTTPStatus) else "Refused"
        body = self._protocol.error_body(fault.code, "", f"{reason}: refused by a fault plan.")
        waits = {"retry-after": fault.retry_after, "retry-after-ms": fault.retry_after_ms}
        fields = [(name, str(value)) for name, value in waits.items() if value is not None]
        return Response.json(fault.code, body, fields)

    def _hurt(
        self, number: int, request: Request, response: Response, faults: tuple[Fault, ...]
    ) -> tuple[Response, Suffered]:
        last = faults[-1] if faults else None
        if isinstance(last, Cut) and last.place.spot in HEAD_SPOTS:
            response.body = PieceBody((ending_of(last),), response.body.close)
            return response, self._keep(
                Suffered(number, request.method, request.raw_path, faults, at_once=(last,))
            )
        streams = response.headers.media_type() == EVENT_STREAM
        usable = [fault for fault in faults if streams or _needs_no_event(fault)]
        lead = self._lead(request) if streams and Inclusive() in faults else b""
        framing = framing_for(usable, response.framing)
        machine, stages = transducer(usable, self._protocol, framing, lead=lead)
        at_once = (Inclusive(),) if lead else ()
        suffered = self._keep(Suffered(number, request.method, request.raw_path, faults, tuple(stages), at_once))
        if usable:
            response.body = FaultyBody(response.body, machine, suffered)
            response.framing = framing
        return response, suffered

    def _lead(self, request: Request) -> bytes:
        if kind_of(request, self._protocol) is not Scope.RESUMES:
            return b""
        return boundary_event(self._service, request, self._protocol)


def _needs_no_event(fault: Fault) -> bool:
    """Whether the fault also works on a response that is not an event stream."""
    return isinstance(fault, Chunks | Trickle) or (isinstance(fault, Cut) and fault.place.spot is Spot.BYTE)


def cut(service: Service, plan: Plan | str, protocol: StreamProtocol) -> FaultyService:
    """Wrap `service` so that it suffers from `plan`, a value or its spelling; raises `UsageFault` if invalid."""
    return FaultyService(service, parse(plan) if isinstance(plan, str) else plan, protocol)
