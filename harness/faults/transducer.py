"""The faults of one connection as one incremental machine: a piece in, pieces out.

Sans-IO. Knows pieces and the order in which faults apply; must not know services, sockets or clocks. `FaultyBody`
of `service` pulls the pieces of a response through it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.faults.cut_faults import Cut, Drop, ShortPromise
from harness.faults.fault import BodyKind, Fault, Stage
from harness.wire import Chunk, Chunked, Ending, Framing, Length, Piece, StreamProtocol

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
