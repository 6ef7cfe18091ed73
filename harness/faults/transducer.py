"""The faults of one connection as one incremental machine: a piece in, pieces out.

Layer 1, sans-IO. Knows pieces and the order in which faults apply; must not know services, sockets or clocks.
`cut` pulls pieces through it synchronously; a proxy can push what it receives through the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from harness.faults.answer_faults import BodyReshaper, EventReshaper, RawEnder
from harness.faults.cut_faults import Cutter, TimeCutter
from harness.faults.event_faults import (
    BareErrer,
    CompletionCutter,
    Delayer,
    Errer,
    Identifier,
    Pinger,
    Replayer,
    Silencer,
    Stranger,
)
from harness.faults.frame_faults import frame_stage
from harness.faults.framing_faults import Dripper, LineEnds, Rechunker, ShortPromise
from harness.faults.plan import Fault
from harness.faults.values.answers import Compress, Raw, Reshape, Status
from harness.faults.values.cuts import HEAD_SPOTS, Cut, Drop, Spot
from harness.faults.values.events import (
    BareError,
    Chunks,
    Crlf,
    ErrorEvent,
    Ids,
    Inclusive,
    Late,
    Ping,
    Replay,
    Silence,
    Unknown,
)
from harness.faults.values.frames import Comment, Garble, Glue, Members, Omit, Trickle
from harness.wire import At, Chunk, Chunked, Ending, Framing, Length, Piece, StreamProtocol

PROMISED = 2**30
"""The Content-Length that `short-length` promises if the real one is unknown: far more than is ever sent."""

_BEFORE_BODY = frozenset({At.BEFORE_HEADERS, At.IN_HEADERS})


class FaultFilter(Protocol):
    """One fault being applied to one body. `fired` says whether it has done anything yet."""

    fired: bool

    def begin(self) -> list[Piece]:
        """Pieces to send before the first piece; an `Ending` among them ends the body."""

    def feed(self, piece: Piece) -> list[Piece]:
        """Pieces to send in place of one piece; an `Ending` is always the last."""


class Lead:
    """The stage that sends bytes before a body: the event that an inclusive resume repeats."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.fired = False

    def begin(self) -> list[Piece]:
        """The bytes."""
        self.fired = True
        return [Chunk(self._data)]

    def feed(self, piece: Piece) -> list[Piece]:
        """Forward the piece unchanged."""
        return [piece]


class Transducer:
    """A row of stages; each gets the output of the one before it. Nothing comes out after an `Ending`.

    A body that begins with an ending before or inside the head passes unchanged, as there is nothing to damage.
    """

    def __init__(self, stages: Sequence[FaultFilter]) -> None:
        self._stages = tuple(stages)
        self._begun = False
        self.ended = False

    def feed(self, piece: Piece) -> list[Piece]:
        """Pieces that a carrier sends in place of `piece`; the first call may return pieces that precede it."""
        if self.ended:
            return []
        begins, self._begun = not self._begun, True
        if begins and isinstance(piece, Ending) and piece.at in _BEFORE_BODY and not piece.complete:
            self.ended = True
            return [piece]
        pieces = [piece]
        for stage in self._stages:
            pieces = _feed_all(stage, pieces, begins=begins)
        self.ended = _is_over(pieces)
        return pieces


def _feed_all(stage: FaultFilter, pieces: list[Piece], *, begins: bool) -> list[Piece]:
    out = stage.begin() if begins else []
    for piece in pieces:
        if _is_over(out):
            break
        out += stage.feed(piece)
    return out


def _is_over(pieces: list[Piece]) -> bool:
    return bool(pieces) and isinstance(pieces[-1], Ending)


def framing_for(faults: Sequence[Fault], framing: Framing) -> Framing:
    """The framing of a body after `faults` are applied.

    A Content-Length is kept only if it stays true or is meant to promise too much. Otherwise chunks replace it.
    """
    last = faults[-1] if faults else None
    drop = last.drop if isinstance(last, Cut) else None
    edited = any(not isinstance(fault, Cut) for fault in faults)
    if drop is Drop.SHORT_LENGTH:
        return framing if isinstance(framing, Length) and not edited else Length(PROMISED)
    if drop is Drop.BAD_CHUNK:
        return Chunked()
    return Chunked() if isinstance(framing, Length) and (edited or drop is Drop.END) else framing


def transducer(
    faults: Sequence[Fault],
    protocol: StreamProtocol,
    framing: Framing,
    *,
    lead: bytes = b"",
    streams: bool = True,
) -> tuple[Transducer, list[tuple[Fault, FaultFilter]]]:
    """Build the machine for a body that is sent with `framing`; also return the stage of each fault that has one.

    `lead` is sent before the first byte; `streams` says whether the body is an event stream. Faults that concern
    the head or the request have no stage.
    """
    stages: list[tuple[Fault, FaultFilter]] = []
    row: list[FaultFilter] = [Lead(lead)] if lead else []
    for fault in faults:
        stage = _build_stage(fault, protocol, framing) if streams else _build_whole_stage(fault, protocol, framing)
        if stage is not None:
            row.append(stage)
            stages.append((fault, stage))
    if framing == Length(PROMISED):
        row.append(ShortPromise(PROMISED))
    return Transducer(row), stages


def _build_whole_stage(fault: Fault, protocol: StreamProtocol, framing: Framing) -> FaultFilter | None:
    """The stage for a body that is not a stream."""
    return BodyReshaper(fault) if isinstance(fault, Reshape) else _build_stage(fault, protocol, framing)


def _build_stage(fault: Fault, protocol: StreamProtocol, framing: Framing) -> FaultFilter | None:
    if isinstance(fault, Cut):
        if fault.place.spot in HEAD_SPOTS:
            return None
        if fault.place.spot in (Spot.COMPLETION, Spot.AFTER_COMPLETION):
            return CompletionCutter(fault, protocol)
        if fault.place.spot is Spot.TIME:
            return TimeCutter(fault)
        return Cutter(fault, chunked=isinstance(framing, Chunked))
    make = _STAGES[type(fault)]
    return None if make is None else make(fault, protocol)


_STAGES: dict[type, Callable[[Any, StreamProtocol], FaultFilter] | None] = {
    Status: None,
    Inclusive: None,
    Compress: None,
    Raw: lambda fault, _: RawEnder(fault),
    Silence: lambda fault, _: Silencer(fault),
    Reshape: lambda fault, _: EventReshaper(fault),
    Replay: lambda fault, _: Replayer(fault),
    Ping: lambda fault, _: Pinger(fault),
    Unknown: Stranger,
    ErrorEvent: Errer,
    BareError: BareErrer,
    Ids: Identifier,
    Late: Delayer,
    Crlf: lambda fault, _: LineEnds(),
    Chunks: lambda fault, _: Rechunker(fault),
    Trickle: lambda fault, _: Dripper(fault),
    **dict.fromkeys((Garble, Omit, Glue, Members, Comment), frame_stage),
}
