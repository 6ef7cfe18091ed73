"""The faults of one connection as one incremental machine: a piece in, pieces out.

Layer 1, sans-IO. Knows pieces and the order in which faults apply; must not know services, sockets or clocks.
`cut` pulls pieces through it synchronously; a proxy can push what it receives through the same object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from harness.faults.cut_faults import Cutter, TimeCutter
from harness.faults.event_faults import (
    BareErrer,
    CompletionCutter,
    Delayer,
    Dripper,
    Errer,
    EventStage,
    Identifier,
    LineEnds,
    Pinger,
    Rechunker,
    Replayer,
    ShortPromise,
    Silencer,
    Stranger,
    frame_stage,
    rewrite,
)
from harness.faults.plan import Fault
from harness.faults.splitting import Event
from harness.faults.values import (
    HEAD_SPOTS,
    BareError,
    Chunks,
    Comment,
    Compress,
    Crlf,
    Cut,
    Drop,
    Edit,
    ErrorEvent,
    Garble,
    Glue,
    Ids,
    Inclusive,
    Late,
    Members,
    Omit,
    Ping,
    Raw,
    Replay,
    Reshape,
    Silence,
    Spot,
    Status,
    Trickle,
    Unknown,
)
from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, Framing, Length, Pause, Piece, StreamProtocol
from harness.wire.json_value import encode_json

# Applies the faults of whole answers (see `values`): raw text, changed members, the body of a refusal.
# Knows events and JSON bodies; must not know services. The content coding is `harness.wire`'s.


_JSON = "application/json"


class RawEnder(EventStage):
    """`raw:K+TEXT`."""

    def __init__(self, fault: Raw) -> None:
        super().__init__()
        self._left = fault.after
        self._text = fault.text.encode("utf-8", "surrogatepass")

    def begin(self) -> list[Piece]:
        """The text and the end, for `raw:0`."""
        return self._finish() if self._left == 0 else []

    def event(self, event: Event) -> list[Piece]:
        """The event; after the K-th one, the text and the end."""
        self._left -= 1
        return [Chunk(event.raw), *(self._finish() if self._left == 0 else [])]

    def _finish(self) -> list[Piece]:
        self.fired = True
        return [Chunk(self._text), COMPLETE]


class EventReshaper(EventStage):
    """`strip:NAME`, `empty:NAME` in a stream."""

    def __init__(self, fault: Reshape) -> None:
        super().__init__()
        self._fault = fault

    def event(self, event: Event) -> list[Piece]:
        """The event, without what is to go."""
        payload = event.payload()
        if payload is None:
            return [Chunk(event.raw)]
        changed = _reshape(payload, self._fault)
        if changed == payload:
            return [Chunk(event.raw)]
        self.fired = True
        return [rewrite(event, encode_json(changed, compact=True))]


class BodyReshaper:
    """`strip:NAME`, `empty:NAME` in a JSON body, which is held until it is whole."""

    def __init__(self, fault: Reshape) -> None:
        self._fault = fault
        self._held = bytearray()
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

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
            changed = _reshape(value, self._fault)
        except (ValueError, RecursionError):
            return data
        if changed == value:
            return data
        self.fired = True
        return encode_json(changed, compact=True)


def build_refusal(fault: Status, words: str, protocol: StreamProtocol) -> tuple[str, bytes]:
    """The media type and the body of a refusal; `words` is its message where it has no better one."""
    if fault.body is not None:
        return _guess_media_type(fault.body), fault.body.encode("utf-8", "surrogatepass")
    return protocol.shaped_error(str(fault.shape), fault.code, words, fault.retry_info)


def _guess_media_type(body: str) -> str:
    start = body.lstrip()[:1]
    if start in ("{", "["):
        return _JSON
    return "text/html; charset=utf-8" if start == "<" else "text/plain; charset=utf-8"


def _reshape(value: Any, fault: Reshape) -> Any:
    if isinstance(value, list):
        return [_reshape(item, fault) for item in value]
    if not isinstance(value, dict):
        return value
    if fault.edit is Edit.STRIP:
        return {key: _reshape(item, fault) for key, item in value.items() if key != fault.member}
    return {key: _empty(item) if key == fault.member else _reshape(item, fault) for key, item in value.items()}


def _empty(value: Any) -> Any:
    """An empty value of the same kind; null for what has none."""
    return type(value)() if isinstance(value, str | list | dict) else None


PROMISED = 2**30
"""The Content-Length that `short-length` promises if the real one is unknown: far more than is ever sent."""

_BEFORE_BODY = frozenset({At.BEFORE_HEADERS, At.IN_HEADERS})


class FaultFilter(Protocol):
    """One fault being applied to one body. `fired`: it has had an effect."""

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
) -> tuple[Transducer, list[tuple[Fault, FaultFilter]]]:
    """Build the machine for a body that is sent with `framing`; also return the stage of each fault that has one.

    `lead` is sent before the first byte; `streams`: the body is an event stream. Faults that concern the head or
    the request have no stage.
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
