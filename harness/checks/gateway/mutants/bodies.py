"""Gateways with defects in how bodies pass: chunks, hang-ups, and whose body it is. Layer 2."""

from __future__ import annotations

from dataclasses import replace

from harness.checks.gateway.mutants.mutant import EditedBody, FrameEdit, Gateway, row
from harness.wire import (
    COMPLETE,
    Body,
    By,
    Chunk,
    Chunked,
    Ending,
    Headers,
    How,
    Length,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    UntilClose,
)
from harness.wire.coding import CodedBody, accepts
from harness.wire.message import WrappedBody

_DROPPED_RUN = 3


class DecodesChunks(Gateway):
    """Each chunk is decoded as text on its own."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Mapped(body)


class _Mapped(WrappedBody):
    """A body whose chunks are decoded and encoded again."""

    def __next__(self) -> Piece:
        piece = next(self._inner)
        return Chunk(piece.data.decode("utf-8", "replace").encode()) if isinstance(piece, Chunk) else piece


class LosesWhenPaced(Gateway):
    """An event is lost if the stream paused before it; a stream without pauses is complete."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Lossy(body)


class _Lossy(WrappedBody):
    """A body that drops the first chunk after its third run of pauses."""

    def __init__(self, inner: Body) -> None:
        super().__init__(inner)
        self._runs = 0
        self._paused = False

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Pause):
            self._paused = True
        elif self._paused:
            self._paused = False
            self._runs += 1
            if self._runs == _DROPPED_RUN and isinstance(piece, Chunk):
                return next(self._inner)
        return piece


class Hoards(Gateway):
    """Streams are compressed for clients that accept gzip, and arrive only after their end."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Hoarding(body, "gzip") if accepts(request.headers.get("accept-encoding"), "gzip") else body

    def relay_response(self, request: Request, response: Response) -> Response:
        response = super().relay_response(request, response)
        if isinstance(response.body, _Hoarding):
            response.headers = response.headers.having("content-encoding", "gzip")
        return response


class _Hoarding(CodedBody):
    """A compressed body that is flushed only at its end."""

    def _code(self, piece: Chunk) -> Chunk:
        return Chunk(self._coder.compress(piece.data))


class ForgetsCoding(Gateway):
    """Compressed responses are forwarded without their Content-Encoding."""

    def relay_response(self, request: Request, response: Response) -> Response:
        response.headers = response.headers.without("content-encoding")
        return super().relay_response(request, response)


class InventsCoding(Gateway):
    """Clients that accept gzip get plain text with a gzip Content-Encoding."""

    def relay_request(self, request: Request) -> Request:
        return replace(request, headers=request.headers.without("accept-encoding"))

    def relay_response(self, request: Request, response: Response) -> Response:
        if accepts(request.headers.get("accept-encoding"), "gzip"):
            response.headers = response.headers.having("content-encoding", "gzip")
        return super().relay_response(request, response)


class AnnouncesClosedBodies(Gateway):
    """A body that ends with its connection is forwarded as complete, even after a reset."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if isinstance(response.framing, UntilClose):
            response.framing = Chunked()
            response.body = _Forgiving(response.body)
        return super().relay_response(request, response)


class _Forgiving(WrappedBody):
    """A body that always ends in order."""

    def __next__(self) -> Piece:
        piece = next(self._inner)
        return COMPLETE if isinstance(piece, Ending) else piece


class HoldsOn(Gateway):
    """A stream stays open upstream after its client disconnects."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._held: list[Body] = []  # otherwise garbage collection would hang up

    def relay_stream(self, request: Request, body: Body) -> Body:
        self._held.append(body)
        return _HeldOpen(body, FrameEdit(request))


class _HeldOpen(EditedBody):
    """A body that ignores `close`."""

    def close(self) -> None:
        """Do nothing."""


class _Counted(Gateway):
    """Counts the streams that are open; from the fifth on it has a defect."""

    most = 4

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self.open: list[Body] = []

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Listed(body, self.open)


class HasFewConnections(_Counted):
    """The fifth parallel stream returns 502."""

    def __call__(self, request: Request) -> Response:
        if len(self.open) >= self.most:
            return Response(502, Headers([("content-type", "text/html")]), Length(0), PieceBody([COMPLETE]))
        return super().__call__(request)


class CutsTheFifth(_Counted):
    """The fifth parallel stream is dropped after its first event."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        crowded = len(self.open) >= self.most
        kept = super().relay_stream(request, body)
        return _Cut(kept) if crowded else kept


class _Listed(WrappedBody):
    """A body that is in a list as long as it is open."""

    def __init__(self, inner: Body, everybody: list[Body]) -> None:
        super().__init__(inner)
        self._everybody = everybody
        everybody.append(self)

    def close(self) -> None:
        """Close the wrapped body, and leave the list."""
        if self in self._everybody:
            self._everybody.remove(self)
        super().close()


class _Cut(WrappedBody):
    """A body that breaks off after one piece."""

    def __init__(self, inner: Body) -> None:
        super().__init__(inner)
        self._pieces = 0

    def __next__(self) -> Piece:
        self._pieces += 1
        return next(self._inner) if self._pieces == 1 else Ending(By.SERVER, How.RST)


class Mixes(Gateway):
    """Parallel streams get each other's events."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._open: list[Body] = []

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Mixed(body, self._open)


class _Mixed(WrappedBody):
    """A body that takes every second piece from another body."""

    def __init__(self, inner: Body, everybody: list[Body]) -> None:
        super().__init__(inner)
        self._everybody = everybody
        self._turn = 0
        everybody.append(inner)

    def __next__(self) -> Piece:
        self._turn += 1
        others = [body for body in self._everybody if body is not self._inner]
        if others and self._turn % 2 == 0:
            piece = next(others[0], COMPLETE)
            if isinstance(piece, Chunk):
                return piece
        return next(self._inner, COMPLETE)

    def close(self) -> None:
        """Close the wrapped body."""
        if self._inner in self._everybody:
            self._everybody.remove(self._inner)
        super().close()


MUTANTS = (
    row("utf8.chunks", "utf8", "Each chunk is decoded as text on its own.", DecodesChunks),
    row("live.lossy", "events",
        "An event is lost if the stream paused before it; a stream without pauses is complete.", LosesWhenPaced),
    row("live.compressed", "live",
        "Streams are compressed for clients that accept gzip, and arrive only after their end.", Hoards),
    row("coding.unnamed", "coding",
        "Compressed responses are forwarded without their Content-Encoding.", ForgetsCoding),
    row("coding.invented", "coding",
        "Clients that accept gzip get plain text with a gzip Content-Encoding.", InventsCoding),
    row("close.completed", "truncated",
        "A body that ends with its connection is forwarded as complete, even after a reset.",
        AnnouncesClosedBodies),
    row("hang-up.ignored", "hang-up", "A stream stays open upstream after its client disconnects.", HoldsOn),
    row("crowd.refused", "crowd", "The fifth parallel stream returns 502.", HasFewConnections),
    row("crowd.cut", "crowd", "The fifth parallel stream is dropped after its first event.", CutsTheFifth),
    row("two.mixed", "isolated", "Parallel streams get each other's events.", Mixes),
)  # fmt: skip
