"""The faults of one connection as one incremental machine: a piece in, pieces out.

Sans-IO. Knows pieces and the order in which faults apply; must not know services, sockets or clocks. `FaultyBody`
of `service` pulls the pieces of a response through it. `cut_faults` finds the place of a drop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.faults.cut_faults import Cutter, Stage, TimeCutter
from harness.faults.event_faults import STAGES, ShortPromise, cut_completion, reshape
from harness.faults.values import HEAD_SPOTS, Cut, Drop, Fault, Reshape, Spot, Status
from harness.wire import Chunk, Chunked, Ending, Framing, Length, Pause, Piece, StreamProtocol
from harness.wire.bodies import encode_json


class BodyReshaper(Stage):
    """`strip:NAME`, `empty:NAME` in a JSON body, which is held until it is whole."""

    def __init__(self, fault: Reshape) -> None:
        self._fault = fault
        self._held = bytearray()

    def feed(self, piece: Piece) -> list[Piece]:
        """Nothing but pauses until the ending; a body that is no JSON, or ended early, stays as it is."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Chunk):
            self._held += piece.data
            return []
        return [*([Chunk(self._change(piece))] if self._held else []), piece]

    def _change(self, ending: Ending) -> bytes:
        data = bytes(self._held)
        try:
            value = json.loads(data) if ending.complete else None
            changed = reshape(value, self._fault)
        except (ValueError, RecursionError):
            return data
        if changed == value:
            return data
        self.fired = True
        return encode_json(changed, compact=True)


def build_refusal(fault: Status, words: str, protocol: StreamProtocol) -> tuple[str, bytes]:
    """The media type and the body of a refusal; `words` is its message where it has no better one."""
    if fault.body is None:
        return protocol.shaped_error(str(fault.shape), fault.code, words, fault.retry_info)
    start = fault.body.lstrip()[:1]
    media_type = "text/html; charset=utf-8" if start == "<" else "text/plain; charset=utf-8"
    if start in ("{", "["):
        media_type = "application/json"
    return media_type, fault.body.encode("utf-8", "surrogatepass")


PROMISED = 2**30
"""The Content-Length that `short-length` promises if the real one is unknown: far more than is ever sent."""


class Lead(Stage):
    """The stage that sends bytes before a body: the event that an inclusive resume repeats."""

    def __init__(self, data: bytes) -> None:
        self._data = data

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

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
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
        pieces = [piece]
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
    faults: Sequence[Fault],
    protocol: StreamProtocol,
    framing: Framing,
    *,
    lead: bytes = b"",
    streams: bool = True,
) -> tuple[Transducer, list[tuple[Fault, Stage]]]:
    """Build the machine for a body that is sent with `framing`; also return the stage of each fault that has one.

    `lead` is sent before the first byte; `streams`: the body is an event stream. Faults that concern the head or
    the request have no stage.
    """
    stages: list[tuple[Fault, Stage]] = []
    row: list[Stage] = [Lead(lead)] if lead else []
    for fault in faults:
        if isinstance(fault, Reshape) and not streams:
            stage: Stage = BodyReshaper(fault)
        elif isinstance(fault, Cut):
            if fault.place.spot in HEAD_SPOTS:
                continue
            if fault.place.spot in (Spot.COMPLETION, Spot.AFTER_COMPLETION):
                stage = cut_completion(fault, protocol)
            elif fault.place.spot is Spot.TIME:
                stage = TimeCutter(fault)
            else:
                stage = Cutter(fault, chunked=isinstance(framing, Chunked))
        elif type(fault) in STAGES:
            stage = STAGES[type(fault)](fault, protocol)
        else:
            continue
        row.append(stage)
        stages.append((fault, stage))
    if framing == Length(PROMISED):
        row.append(ShortPromise(PROMISED))
    return Transducer(row), stages
