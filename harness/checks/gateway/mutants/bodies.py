"""Gateways with defects in how bodies pass: chunks, hang-ups, and whose body it is. Layer 2."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.gateway.mutants.mutant import EditedBody, FrameEdit, Gateway, MutantTable
from harness.wire import COMPLETE, Body, Chunk, Piece, Request, Service

AREA = MutantTable()


@AREA.mutant("utf8.chunks", "utf8")
class DecodesChunks(Gateway):
    """Each chunk is decoded as text on its own."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Mapped(body)


class _Mapped:
    """A body whose chunks are decoded and encoded again."""

    def __init__(self, inner: Body) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        piece = next(self._inner)
        return Chunk(piece.data.decode("utf-8", "replace").encode()) if isinstance(piece, Chunk) else piece

    def close(self) -> None:
        """Close the wrapped body."""
        self._inner.close()


@AREA.mutant("hang-up.ignored", "hang-up")
class HoldsOn(Gateway):
    """A stream that the client left is kept open."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._held: list[Body] = []  # otherwise garbage collection would hang up

    def relay_stream(self, request: Request, body: Body) -> Body:
        self._held.append(body)
        return _Deaf(body, FrameEdit(request))


class _Deaf(EditedBody):
    """A body that ignores `close`."""

    def close(self) -> None:
        """Do nothing."""


@AREA.mutant("two.mixed", "isolated")
class Mixes(Gateway):
    """Streams that are open at the same time get each other's events."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._open: list[Body] = []

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Shared(body, self._open)


class _Shared:
    """A body that takes every second piece from another body."""

    def __init__(self, inner: Body, everybody: list[Body]) -> None:
        self._inner = inner
        self._everybody = everybody
        self._turn = 0
        everybody.append(inner)

    def __iter__(self) -> Iterator[Piece]:
        return self

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
        self._inner.close()
