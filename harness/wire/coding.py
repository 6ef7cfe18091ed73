"""Content codings while bytes pass (RFC 9110, 8.4.1): decode and compress them. Sans-IO.

Knows gzip and deflate. At every step the caller limits how many decoded bytes it accepts. Each compressed piece is
flushed, so that a reader gets every event as soon as it was sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from harness.wire.message import At, Body, Chunk, Chunked, Ending, Headers, Length, Piece, Response, WrappedBody

CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
DECODED_BYTES = 64 * 1024 * 1024
"""Limit on the decoded size of a body that is decoded as a whole."""


def coding_of(headers: Headers) -> str:
    """The content coding of a body; "" if there is none."""
    coding = headers.get("content-encoding").strip().lower()
    return "" if coding == "identity" else coding


class Inflater:
    """Decodes one of `CODINGS`; several gzip members in a row are allowed."""

    def __init__(self, coding: str) -> None:
        self._may_be_raw = coding == "deflate"
        self._start = b""
        self._inflate = zlib.decompressobj(47)  # gzip or zlib, by its header

    @property
    def whole(self) -> bool:
        """Whether the end of the coded data was reached."""
        return self._inflate.eof

    def feed(self, data: bytes, most: int) -> bytes:
        """Decode these bytes; output stops at `most` + 1 bytes. Raises ValueError with zlib's message."""
        if len(self._start) < 2:
            data = self._start = self._start + data
            if len(data) < 2:
                return b""
            if self._may_be_raw and not _is_zlib(data):
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        parts, room = [], most + 1
        while data and room > 0:
            try:
                parts.append(self._inflate.decompress(data, room))
            except zlib.error as wrong:
                raise ValueError(str(wrong)) from None
            room -= len(parts[-1])
            data = self._inflate.unconsumed_tail
            if self._inflate.eof and self._inflate.unused_data:
                data, self._inflate = self._inflate.unused_data, zlib.decompressobj(47)
        return b"".join(parts)


def decode_pieces(coding: str, body: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Decode a body piece by piece, by the sizes of its pieces.

    Raises ValueError for a broken coding and for a decompression bomb.
    """
    inflater, at, room = Inflater(coding), 0, DECODED_BYTES
    for size in sizes:
        try:
            out = inflater.feed(body[at : at + size], room)
        except ValueError as wrong:
            raise ValueError(f"its gzip or deflate is broken: {wrong}") from None
        at += size
        room -= len(out)
        if room < 0:
            raise ValueError(f"it has more than {DECODED_BYTES} bytes once decompressed: refused")
        yield out


def is_coded(coding: str, body: bytes) -> bool:
    """Whether a body begins like one in this coding: many recorders decode the body and leave the header."""
    if coding == "deflate":
        return len(body) > 1 and (
            _is_zlib(body) or not body.lstrip().startswith((b"{", b"[", b"event:", b"data:"))
        )
    return body.startswith(b"\x1f\x8b")


def _is_zlib(body: bytes) -> bool:
    """Whether the body begins with a zlib header; many servers send raw deflate and call it deflate."""
    return body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0


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
            if piece.complete:
                self._ready.append(piece)
                return Chunk(self._coder.flush(zlib.Z_FINISH))
            if piece.at is At.IN_CHUNK:
                return replace(piece, declared=self._sent + self._missing, sent=self._sent)
            return piece
        return piece

    def _code(self, piece: Chunk) -> Chunk:
        data = self._coder.compress(piece.data) + self._coder.flush(zlib.Z_SYNC_FLUSH)
        self._sent = len(data)
        self._missing = 0 if piece.declared is None else max(0, piece.declared - len(piece.data))
        return Chunk(data, self._sent + self._missing if self._missing else None)

    def close(self) -> None:
        """Close the body inside."""
        self._ready.clear()
        super().close()
