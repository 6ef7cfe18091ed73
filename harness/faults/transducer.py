"""The faults of one connection as one incremental machine: a piece in, pieces out.

Layer 1, sans-IO. Knows pieces and in which order faults apply; must not know services, sockets or clocks. `cut`
pulls through it synchronously; a proxy can push what it receives through the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from harness.faults.cutting import Cutter
from harness.faults.editing import (
    CompletionCutter,
    Delayer,
    Errer,
    Identifier,
    Pinger,
    Replayer,
    Stranger,
)
from harness.faults.plan import (
    HEAD_SPOTS,
    Chunks,
    Crlf,
    Cut,
    Drop,
    ErrorEvent,
    Fault,
    Ids,
    Inclusive,
    Late,
    Ping,
    Replay,
    Spot,
    Status,
    Unknown,
)
from harness.faults.reshaping import LineEnds, Rechunker, ShortPromise
from harness.wire import At, Chunk, Chunked, Ending, Framing, Length, Piece, StreamProtocol

PROMISED = 2**30
"""The Content-Length that `short-length` promises where the real one is not known: far more than comes."""

_BEFORE_BODY = frozenset({At.BEFORE_HEADERS, At.IN_HEADERS})


class Stage(Protocol):
    """One fault at work. `fired` tells whether it has done anything yet."""

    fired: bool

    def begin(self) -> list[Piece]:
        """What comes before the first piece; an `Ending` in there ends the body."""

    def feed(self, piece: Piece) -> list[Piece]:
        """What one piece becomes; an `Ending` is the last of them."""


class Lead:
    """The stage that puts bytes before a body: the event that an inclusive resume repeats."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.fired = False

    def begin(self) -> list[Piece]:
        """The bytes."""
        self.fired = True
        return [Chunk(self._data)]

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece as it is."""
        return [piece]


class Transducer:
    """Stages in a row; each sees what the one before it let through. Nothing comes out after an `Ending`.

    A body whose first piece says that there is no head passes untouched: there is nothing left to hurt.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._begun = False
        self.ended = False

    def feed(self, piece: Piece) -> list[Piece]:
        """What a carrier is to send in place of `piece`; the first call may bring what precedes it."""
        if self.ended:
            return []
        begins, self._begun = not self._begun, True
        if begins and isinstance(piece, Ending) and piece.at in _BEFORE_BODY and not piece.complete:
            self.ended = True
            return [piece]
        pieces = [piece]
        for stage in self._stages:
            pieces = _through(stage, pieces, begins=begins)
        self.ended = _is_over(pieces)
        return pieces


def _through(stage: Stage, pieces: list[Piece], *, begins: bool) -> list[Piece]:
    out = stage.begin() if begins else []
    for piece in pieces:
        if _is_over(out):
            break
        out += stage.feed(piece)
    return out


def _is_over(pieces: list[Piece]) -> bool:
    return bool(pieces) and isinstance(pieces[-1], Ending)


def framing_for(faults: Sequence[Fault], framing: Framing) -> Framing:
    """How a body is framed once `faults` had their way with it.

    A Content-Length stays only where it stays true, or where it is to be short. Else a body comes in chunks.
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
    faults: Sequence[Fault], protocol: StreamProtocol, framing: Framing, *, lead: bytes = b""
) -> tuple[Transducer, list[tuple[Fault, Stage]]]:
    """The machine for a body that is sent with `framing`, and the stage of each fault that has one.

    `lead` comes before the first byte. Faults that concern the head or the request have no stage here.
    """
    stages: list[tuple[Fault, Stage]] = []
    row: list[Stage] = [Lead(lead)] if lead else []
    for fault in faults:
        stage = _stage(fault, protocol, framing)
        if stage is not None:
            row.append(stage)
            stages.append((fault, stage))
    if framing == Length(PROMISED):
        row.append(ShortPromise(PROMISED))
    return Transducer(row), stages


def _stage(fault: Fault, protocol: StreamProtocol, framing: Framing) -> Stage | None:
    if isinstance(fault, Cut):
        if fault.place.spot in HEAD_SPOTS:
            return None
        if fault.place.spot is Spot.COMPLETION:
            return CompletionCutter(fault, protocol)
        return Cutter(fault, chunked=isinstance(framing, Chunked))
    make = _STAGES[type(fault)]
    return None if make is None else make(fault, protocol)


_STAGES: dict[type, Callable[[Any, StreamProtocol], Stage] | None] = {
    Status: None,
    Inclusive: None,
    Replay: lambda fault, _: Replayer(fault),
    Ping: lambda fault, _: Pinger(fault),
    Unknown: Stranger,
    ErrorEvent: Errer,
    Ids: Identifier,
    Late: Delayer,
    Crlf: lambda fault, _: LineEnds(),
    Chunks: lambda fault, _: Rechunker(fault),
}
