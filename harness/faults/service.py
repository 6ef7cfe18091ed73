"""`cut(service, plan, protocol)`: a service that suffers from a plan, and the record of what it suffered.

The `Transducer` of a connection knows the order in which its faults apply, piece by piece, and no service. A
`FaultyBody` pulls the pieces of a response through it; `FaultyService` counts connections and forwards `close`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus

from harness.faults.answer_faults import Compress, Inclusive, Reshape, Status, build_refusal
from harness.faults.byte_faults import Chunks, Trickle
from harness.faults.cut_faults import HEAD_SPOTS, Cut, Drop, ShortPromise, Spot, ending_of
from harness.faults.event_faults import real_id
from harness.faults.event_stage import Splitter
from harness.faults.fault import BodyKind, Fault, Stage
from harness.faults.grammar import parse
from harness.faults.plan import Plan, Scope, choose_scope
from harness.outcome.words import format_count
from harness.wire import (
    Body,
    Chunk,
    Chunked,
    Ending,
    Framing,
    Headers,
    Length,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    StreamProtocol,
)
from harness.wire.bodies import accepts, compress, object_or_none
from harness.wire.message import EVENT_STREAM, WrappedBody

PROMISED = 2**30
"""The Content-Length that `short-length` promises if the real one is unknown: far more than is ever sent."""


class Transducer:
    """A row of stages; each gets the output of the one before it. Nothing comes out after an `Ending`.

    `lead` comes before the first piece: the event that an inclusive resume repeats. A body that begins with an
    ending before or inside the head passes unchanged, as there is nothing to damage.
    """

    def __init__(self, stages: Sequence[Stage], lead: bytes = b"") -> None:
        self._stages = tuple(stages)
        self._lead = lead
        self._begun = False
        self.ended = False

    def feed(self, piece: Piece) -> list[Piece]:
        """Pieces that a carrier sends in place of `piece`; the first call may return pieces that precede it."""
        if self.ended:
            return []
        begins, self._begun = not self._begun, True
        if begins and isinstance(piece, Ending) and piece.headless and not piece.complete:
            self.ended = True
            return [piece]
        pieces = [Chunk(self._lead), piece] if begins and self._lead else [piece]
        for stage in self._stages:
            out = stage.begin() if begins else []
            for each in pieces:
                if _is_over(out):
                    break
                out += stage.feed(each)
            pieces = out
        self.ended = _is_over(pieces)
        return pieces


def _is_over(pieces: list[Piece]) -> bool:
    return bool(pieces) and isinstance(pieces[-1], Ending)


def framing_for(faults: Sequence[Fault], framing: Framing) -> Framing:
    """The framing of a body after `faults` are applied.

    A Content-Length is kept only if it stays true or must be wrong on purpose. Otherwise chunks replace it.
    """
    last = faults[-1] if faults else None
    drop = last.drop if isinstance(last, Cut) else None
    stays_true = isinstance(framing, Length) and all(isinstance(fault, Cut) for fault in faults)
    if drop is Drop.SHORT_LENGTH:
        return framing if stays_true else Length(PROMISED)
    if drop is Drop.BAD_CHUNK or (isinstance(framing, Length) and (drop is Drop.END or not stays_true)):
        return Chunked()
    return framing


def transducer(
    faults: Sequence[Fault], protocol: StreamProtocol, framing: Framing, *, lead: bytes = b"", streams: bool = True
) -> tuple[Transducer, list[tuple[Fault, Stage]]]:
    """Build the machine for a body that is sent with `framing`; also return the stage of each fault that has one.

    `streams`: the body is an event stream.
    """
    body = BodyKind(protocol, framing, streams)
    stages = [(fault, stage) for fault in faults if (stage := fault.stage(body)) is not None]
    row = [stage for _, stage in stages]
    if framing == Length(PROMISED):
        row.append(ShortPromise(PROMISED))
    return Transducer(row, lead), stages


# What a request asks for, and the event with which an inclusive server would begin a resumed stream.
# Knows requests through the `StreamProtocol`; must not know what a plan does.


def kind_of(request: Request, protocol: StreamProtocol) -> Scope:
    """`starts`, `resumes` or `calls`: whether the request asks for a stream, and whether that continues one.

    If there is a body, the `stream` field of its JSON decides, the convention of every streaming API we know;
    without a body, an `Accept` header that names event streams does, but for calls of the API: some clients send
    it with each of them.
    """
    if protocol.is_resume(request) is not None:
        return Scope.RESUMES
    if request.body:
        value = object_or_none(request.body) if b'"stream"' in request.body else None
        return Scope.STARTS if value is not None and value.get("stream") is True else Scope.CALLS
    asks = EVENT_STREAM in request.headers.get("accept").lower() and not protocol.operation(request)
    return Scope.STARTS if asks else Scope.CALLS


_OPERATIONS = {"create": Scope.CREATES, "get": Scope.GETS, "cancel": Scope.CANCELS, "delete": Scope.DELETES}


def scopes_of(request: Request, protocol: StreamProtocol) -> frozenset[Scope]:
    """All scopes that a request is in; `gets` are those that do not stream."""
    kind = kind_of(request, protocol)
    found = {Scope.ALL, kind, Scope.CALLS if kind is Scope.CALLS else Scope.STREAMS}
    operation = _OPERATIONS.get(protocol.operation(request))
    if operation is not None and not (operation is Scope.GETS and kind is not Scope.CALLS):
        found.add(operation)
    return frozenset(found)


def with_real_cursor(request: Request, protocol: StreamProtocol) -> Request:
    """The request with the real cursor, if its own is one that a fault made up and the service cannot know."""
    asked = protocol.is_resume(request)
    if asked is None or asked[1] is None or real_id(asked[1]) == asked[1]:
        return request
    return protocol.resume(request, asked[0], real_id(asked[1]))


def boundary_event(service: Service, request: Request, protocol: StreamProtocol) -> bytes:
    """The event whose cursor `request` resumes after, found by replaying the stream from its start.

    Empty if the request has no cursor or the replay does not contain that event.
    """
    asked = protocol.is_resume(request)
    if asked is None or asked[1] is None:
        return b""
    splitter, pauses = Splitter(), 0
    with closing(service(protocol.resume(request, asked[0], None)).body) as pieces:
        for piece in pieces:
            for event in splitter.feed(piece.data) if isinstance(piece, Chunk) else ():
                if protocol.cursor(event.payload() or {}) == asked[1]:
                    return event.block
            # Past events are replayed without pauses: a run that only pauses has caught up with the present.
            pauses += isinstance(piece, Pause)
            if pauses > 1000:
                break
    return b""


@dataclass(slots=True)
class Suffered:
    """One connection that a plan counted: its number, its request, and the faults planned for it.

    `number` counts from 1 the requests of its `scope`, one of the plan's. The record is live until the body is
    closed: a fault fires when the body reaches it.
    """

    number: int
    method: str
    path: str
    faults: tuple[Fault, ...]
    stages: tuple[tuple[Fault, Stage], ...] = ()
    at_once: tuple[Fault, ...] = ()
    settled: tuple[Fault, ...] | None = None
    scope: Scope = Scope.STREAMS

    def settle(self) -> None:
        """Freeze the record: nothing more will fire. Free the stages, which may contain MiB of an open event."""
        self.settled = self.fired
        self.stages = ()

    @property
    def fired(self) -> tuple[Fault, ...]:
        """The faults that took effect; the others had nothing to act on, or the client left first."""
        stages, settled = self.stages, self.settled  # in this order: another thread may settle in between
        if settled is not None:
            return settled
        return (*self.at_once, *(fault for fault, stage in stages if stage.fired))


class FaultyBody(WrappedBody):
    """A body passed through a transducer; it pulls only on demand and closes the inner body once."""

    __slots__ = ("_closed", "_ready", "_transducer", "suffered")

    def __init__(self, inner: Body, machine: Transducer, suffered: Suffered) -> None:
        super().__init__(inner)
        self.suffered = suffered
        self._transducer = machine
        self._ready: deque[Piece] = deque()
        self._closed = False

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


@dataclass(slots=True)
class _Part:
    """A part of a plan, and how many connections it has counted."""

    plan: Plan
    sequence: Iterator[tuple[Fault, ...]]
    count: int = 0


class FaultyService:
    """A `Service` that wraps another. Connections are counted in the order they come, from any thread."""

    def __init__(self, service: Service, plan: Plan, protocol: StreamProtocol) -> None:
        self.plan = plan
        self._service = service
        self._protocol = protocol
        self._lock = threading.Lock()
        self._parts = {part.scope: _Part(part, part.sequence()) for part in plan.parts}
        self._log: deque[Suffered] = deque(maxlen=1000)

    def go_on_from(self, former: FaultyService, renewed: Collection[str]) -> None:
        """Go on where `former` is in the parts that both plans have, but for those whose scopes are `renewed`."""
        kept = {
            scope: part
            for scope, part in former._parts.items()
            if scope not in renewed and scope in self._parts and self._parts[scope].plan == part.plan
        }
        self._parts.update(kept)
        self._log.extend(suffered for suffered in former.log if suffered.scope in kept)

    @property
    def log(self) -> tuple[Suffered, ...]:
        """The latest thousand connections that the plan counted."""
        with self._lock:
            return tuple(self._log)

    @property
    def connections(self) -> int:
        """The number of connections that the plan counted."""
        return sum(part.count for part in self._parts.values())

    def __call__(self, request: Request) -> Response:
        return self.answer(request)[0]

    def answer(self, request: Request) -> tuple[Response, Suffered | None]:
        """The response, and what this connection suffers; None if the plan does not concern it."""
        request = with_real_cursor(request, self._protocol)
        scope = choose_scope(self._parts, scopes_of(request, self._protocol))
        if scope is None:
            return self._service(request), None
        part = self._parts[scope]
        with self._lock:
            part.count += 1
            faults = next(part.sequence)
            suffered = Suffered(part.count, request.method, request.raw_path, faults, scope=scope)
            self._log.append(suffered)
        if faults and isinstance(faults[0], Status):
            suffered.at_once = faults
            fault = faults[0]
            reason = HTTPStatus(fault.code).phrase if fault.code in set(HTTPStatus) else "Refused"
            media_type, body = build_refusal(fault, f"{reason}: refused by a fault plan.", self._protocol)
            waits = {"retry-after": fault.retry_after, "retry-after-ms": fault.retry_after_ms}
            fields = [(name, str(value)) for name, value in waits.items() if value is not None]
            return Response.whole(fault.code, Headers([("content-type", media_type), *fields]), body), suffered
        return self._apply_faults(suffered, request, self._service(request)), suffered

    def repeat(self, request: Request, suffered: Suffered | None) -> Response:
        """The response to a request with the faults of a connection that was counted before; this one is not."""
        request = with_real_cursor(request, self._protocol)
        again = Suffered(0, request.method, request.raw_path, () if suffered is None else suffered.faults)
        return self._apply_faults(again, request, self._service(request))

    def _apply_faults(self, suffered: Suffered, request: Request, response: Response) -> Response:
        faults = suffered.faults
        last = faults[-1] if faults else None
        if isinstance(last, Cut) and last.place.spot in HEAD_SPOTS:
            response.body = PieceBody((ending_of(last),), response.body.close)
            suffered.at_once = (last,)
            return response
        streams = response.headers.media_type() == EVENT_STREAM
        # Some faults also work on a response that is not an event stream.
        usable = [
            fault
            for fault in faults
            if streams
            or isinstance(fault, Compress | Reshape)
            or (isinstance(fault, Cut) and fault.place.spot is Spot.TIME)
            or _works_on_bytes(fault)
        ]
        is_led = streams and Inclusive() in faults and kind_of(request, self._protocol) is Scope.RESUMES
        lead = boundary_event(self._service, request, self._protocol) if is_led else b""
        suffered.at_once = (Inclusive(),) if lead else ()
        if usable:
            self._apply(suffered, usable, request, response, lead)
        return response

    def _apply(
        self, suffered: Suffered, faults: list[Fault], request: Request, response: Response, lead: bytes
    ) -> None:
        """Put the faults around the body: those of events inside its content coding, those of bytes outside."""
        streams = response.headers.media_type() == EVENT_STREAM
        coding = next((fault for fault in faults if isinstance(fault, Compress)), None)
        if coding is not None:
            asked = accepts(request.headers.get("accept-encoding"), coding.kind)
            if not asked or "content-encoding" in response.headers:
                faults, coding = [fault for fault in faults if fault != coding], None
        outer = [] if coding is None else list(filter(_works_on_bytes, faults[faults.index(coding) :]))
        inner = [fault for fault in faults if fault not in outer]
        framing = framing_for(faults, response.framing)
        machine, stages = transducer(inner, self._protocol, framing, lead=lead, streams=streams)
        response.body = FaultyBody(response.body, machine, suffered)
        if coding is not None:
            compress(response, coding.kind)
            suffered.at_once = (*suffered.at_once, coding)
        if outer:
            machine, more = transducer(outer, self._protocol, framing)
            stages += more
            response.body = FaultyBody(response.body, machine, suffered)
        suffered.stages = tuple(stages)
        response.framing = framing


def _works_on_bytes(fault: Fault) -> bool:
    """Whether it counts bytes, whatever they mean, so that it applies outside a content coding."""
    return isinstance(fault, Chunks | Trickle) or (isinstance(fault, Cut) and fault.place.spot is Spot.BYTE)


def cut(service: Service, plan: Plan | str, protocol: StreamProtocol) -> FaultyService:
    """Wrap `service` so that it suffers from `plan`, a value or its spelling; raises `UsageFault` if invalid."""
    return FaultyService(service, parse(plan) if isinstance(plan, str) else plan, protocol)


# What of a fault plan never happened, in words. A plan that nothing met makes a test green that has tested
# nothing.


_CALLED = {Scope.STARTS: "first stream", Scope.RESUMES: "resumed stream", Scope.ALL: "request"}
"""What a connection of a scope is called, where its name without the `s` does not say it."""


def find_unmet(faulty: FaultyService, excused: Collection[str] = ()) -> str:
    """Why a fault of a plan never took effect; "" if each did. Of a drawn plan, one fault is enough.

    Parts of the plan for `excused` scopes may stay without effect.
    """
    for plan in faulty.plan.parts:
        log = [suffered for suffered in faulty.log if suffered.scope is plan.scope]
        is_drawn = plan.seed is not None and any(suffered.fired for suffered in log)
        if plan.scope in excused or is_drawn:
            continue
        called = _CALLED.get(plan.scope, plan.scope.removesuffix("s"))
        first, came = 1, max((suffered.number for suffered in log), default=0)
        for connection in plan.connections:
            last = first + connection.times - 1 if connection.times is not None else came
            met = [suffered for suffered in log if first <= suffered.number <= max(first, last)]
            fired = [fault for suffered in met for fault in suffered.fired]
            if (missing := next((fault for fault in connection.faults if fault not in fired), None)) is not None:
                other = f"it is for {called} {first}, and {format_count(came, called)} came"
                other += "" if came or plan.scope is not Scope.STREAMS else "; for others, write calls=…"
                return f"no {called} came as far as {missing}" if met else other
            first = last + 1
    return ""
