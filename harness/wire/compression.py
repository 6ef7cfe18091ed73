"""Compresses the body of a response while it passes (RFC 9110, 8.4.1). Layer 0, sans-IO.

Each piece is flushed, so that a reader gets every event as soon as it was sent.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

from harness.wire.message import Body, Chunked, Length, Response, WrappedBody
from harness.wire.pieces import At, Chunk, Ending, Piece

_WINDOWS = {"gzip": 31, "deflate": zlib.MAX_WBITS}
"""The window of each coding; HTTP's deflate is the zlib format."""


def accepts(accepted: str, coding: str) -> bool:
    """Whether an Accept-Encoding header allows a coding: named, or by `*`, and not with a weight of 0."""
    weights = {name.strip().lower(): _read_weight(rest) for name, _, rest in (
        item.partition(";") for item in accepted.split(",")
    )}  # fmt: skip
    return weights.get(coding, weights.get("*", 0.0)) > 0


def _read_weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 1.0


def compress(response: Response, coding: str) -> Response:
    """The response with its body in a coding, `gzip` or `deflate`; a Content-Length gives way to chunks."""
    headers = response.headers.without("content-length").having("content-encoding", coding)
    response.headers = headers if "vary" in headers else headers.having("vary", "Accept-Encoding")
    response.framing = Chunked() if isinstance(response.framing, Length) else response.framing
    response.body = CodedBody(response.body, coding)
    return response


class CodedBody(WrappedBody):
    """A body in a content coding. What a broken body had sent can be decoded; only a complete one is finished."""

    __slots__ = ("_coder", "_missing", "_ready", "_sent")

    def __init__(self, inner: Body, coding: str) -> None:
        super().__init__(inner)
        self._coder = zlib.compressobj(wbits=_WINDOWS[coding])
        self._ready: list[Piece] = []
        self._missing = 0  # bytes that the last chunk declared but did not contain
        self._sent = 0

    def __next__(self) -> Piece:
        if self._ready:
            return self._ready.pop()
        piece = next(self._inner)
        if isinstance(piece, Chunk):
            return self._code(piece)
        if isinstance(piece, Ending):
            return self._end(piece)
        return piece

    def _code(self, piece: Chunk) -> Chunk:
        data = self._coder.compress(piece.data) + self._coder.flush(zlib.Z_SYNC_FLUSH)
        self._sent = len(data)
        self._missing = 0 if piece.declared is None else max(0, piece.declared - len(piece.data))
        return Chunk(data, self._sent + self._missing if self._missing else None)

    def _end(self, ending: Ending) -> Piece:
        if ending.complete:
            self._ready.append(ending)
            return Chunk(self._coder.flush(zlib.Z_FINISH))
        if ending.at is At.IN_CHUNK:
            return replace(ending, declared=self._sent + self._missing, sent=self._sent)
        return ending

    def close(self) -> None:
        """Close the body inside."""
        self._ready.clear()
        super().close()
