"""A response as bytes on a connection, and what happens to the connection afterwards.

Sans-IO. Knows framings and endings; must not know sockets, transports or clocks. Pieces that are ready are written
together: one write for each event would be ten times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto

from harness.transport.http1.heads import has_body, write_response_head, write_start
from harness.transport.http1.observed import (
    after_unfinished,
    body_fault,
    head_bytes_sent,
    head_ending,
    observe_ending,
    overlong,
)
from harness.wire import (
    COMPLETE,
    At,
    Chunk,
    Chunked,
    Ending,
    Framing,
    How,
    Length,
    Pause,
    Piece,
    Response,
    UntilClose,
)
from harness.wire.message import ReadyBody, holds_head

BATCH_BYTES = 64 * 1024
"""A batch ends once it holds this many bytes, so a long body neither fills memory nor starves other streams."""

_BODILESS = frozenset({204, 304})
_GARBAGE = b"%%% not HTTP %%%\r\n"


def _code(chunk: Chunk) -> bytes:
    """A chunk with its header line, kept for the next reader; nothing for an empty one: it would be the last."""
    size = len(chunk.data)
    coded = b"%x\r\n%b\r\n" % (size, chunk.data) if size else b""
    if size <= 2048:  # to code a larger one takes no longer, and to keep it takes memory
        chunk.coded = coded
    return coded


def _collect_runs(take_run: Callable[[int], Sequence[Chunk]], out: list[bytes]) -> int:
    """Write the chunks that are ready; return how many bytes that is.

    The hottest path of all, a stream that is read again: its chunks were coded by the first reader.
    """
    size, most = 0, 16
    while size < BATCH_BYTES and (chunks := take_run(most)):
        coded = [chunk.coded or _code(chunk) for chunk in chunks]
        out += coded
        size += sum(map(len, coded))
        # Chunks of one stream are alike: by the size of these, so many more fill the batch.
        most = min(max((BATCH_BYTES - size) * len(out) // (size or 1), 16), 512)
    return size


class After(Enum):
    """The server's next step on the connection once the bytes are out."""

    KEEP = auto()
    FIN = auto()
    RST = auto()
    STALL = auto()


_AFTER = {How.FIN: After.FIN, How.BAD_HTTP: After.FIN, How.STALL: After.STALL}
"""Any other ending resets: an established connection can no longer be refused or fail its handshake."""


def write_at_once(
    response: Response, method: str, *, keep: bool, extra: bytes = b""
) -> tuple[bytes, After] | None:
    """A response whose bytes are all there as bytes, and what follows; None if it must be written piece by piece.

    Nearly every response but a stream is such a one; the bytes are those that a `ResponseWriter` gives.
    """
    body, framing, status = response.body, response.framing, response.status
    if type(body) is not ReadyBody or type(framing) is not Length or len(body.chunks) != 1 or body.at:
        return None
    data = body.chunks[0].data
    if method == "HEAD" or status < 200 or status in _BODILESS or framing.size != len(data):
        return None
    body.close()
    start = write_start(status, response.reason, response.headers)
    if start is None:
        head, keep = write_response_head(response, framing, keep=keep, extra=extra)
        return head + data, After.KEEP if keep else After.FIN
    close = b"" if keep else b"connection: close\r\n"
    head = b"%bcontent-length: %d\r\n%b%b\r\n%b" % (start, framing.size, close, extra, data)
    return head, After.KEEP if keep else After.FIN


class ResponseWriter:
    """Turns one response into batches of bytes.

    After each `batch()`, `pause` is the pause that the body asks for, if any; `after` is set once all is written.
    """

    __slots__ = (
        "_body",
        "_extra",
        "_framing",
        "_keep",
        "_response",
        "_sent",
        "_silent",
        "_unfinished",
        "after",
        "pause",
    )

    def __init__(
        self, response: Response, method: str, *, keep: bool = True, http10: bool = False, extra: bytes = b""
    ) -> None:
        framing: Framing = response.framing
        if http10 and isinstance(framing, Chunked):
            framing = response.framing = UntilClose()  # a recorder of the response learns how it went out
        self._silent = not has_body(method, response.status)
        self._keep = keep and (self._silent or not isinstance(framing, UntilClose))
        self._framing = framing
        self._response: Response | None = response
        self._body = response.body
        self._extra = extra
        self._sent = 0
        self._unfinished: Chunk | None = None
        self.pause: Pause | None = None
        self.after: After | None = None

    def batch(self) -> bytes:
        """The next bytes to write; the first batch begins with the head.

        Raises `HarnessFault` for a body that raises, contradicts itself, or runs out without an `Ending`.
        """
        self.pause = None
        out: list[bytes] = []
        try:
            if self._response is not None:
                response, self._response = self._response, None
                self._begin(response, next(self._body), out)
            if self.after is None and self.pause is None:
                self._collect(out)
        except Exception as error:
            raise body_fault(self._body, error) from error
        return b"".join(out)

    def _begin(self, response: Response, first: Piece, out: list[bytes]) -> None:
        if isinstance(first, Pause) and holds_head(first, self._framing):
            self._response, self.pause = response, first
            return
        head, self._keep = write_response_head(response, self._framing, keep=self._keep, extra=self._extra)
        ending = head_ending(first)
        if ending is not None:
            if ending.how is How.BAD_HTTP:
                out.append(_GARBAGE if ending.at is At.BEFORE_HEADERS else head[:-2] + _GARBAGE + b"\r\n")
            else:
                out.append(head[: head_bytes_sent(ending, len(head))])
            self.after = _AFTER.get(ending.how, After.RST)
            return
        out.append(head)
        if self._silent:
            self._finish()
        else:
            self._take(first, out)

    def _collect(self, out: list[bytes]) -> None:
        body, size = self._body, 0
        plain = isinstance(self._framing, Chunked) and self._unfinished is None
        take_run = getattr(body, "take_run", None) if plain else None
        if take_run is not None:
            size = _collect_runs(take_run, out)
        while self.after is None and self.pause is None and size < BATCH_BYTES:
            piece = next(body)
            if plain and type(piece) is Chunk and piece.declared is None:
                # The hot path of a stream, inlined: everything else goes through `_take`.
                data = piece.data
                if data:
                    out.append(b"%x\r\n%b\r\n" % (len(data), data))
                    size += len(data)
            elif plain and piece is COMPLETE:
                self._end(piece, out)
            else:
                self._take(piece, out)
                plain = plain and self._unfinished is None
                size += len(out[-1]) if out else 0

    def _take(self, piece: Piece, out: list[bytes]) -> None:
        if isinstance(piece, Chunk):
            data = piece.data
            if not isinstance(self._framing, Chunked):
                self._sent += len(data)
                if isinstance(self._framing, Length) and self._sent > self._framing.size:
                    raise overlong(self._framing.size)
                out.append(data)
            elif self._unfinished is not None:
                raise after_unfinished()
            elif piece.declared is not None:
                self._unfinished = piece
                out.append(b"%x\r\n%b" % (piece.declared, data))
            elif data:  # an empty chunk would be the last one
                out.append(b"%x\r\n%b\r\n" % (len(data), data))
        elif isinstance(piece, Pause):
            self.pause = piece
        else:
            self._end(observe_ending(piece, self._framing, self._sent, self._unfinished), out)

    def _end(self, ending: Ending, out: list[bytes]) -> None:
        if ending.complete:
            if isinstance(self._framing, Chunked):
                out.append(b"0\r\n\r\n")
            self._finish()
            return
        if ending.at is At.IN_CHUNK and self._unfinished is None:
            out.append(b"1" if ending.declared is None else b"%x\r\n" % ending.declared)
        if ending.how is How.BAD_HTTP:
            out.append(_GARBAGE)
        self.after = _AFTER.get(ending.how, After.RST)

    def _finish(self) -> None:
        self.after = After.KEEP if self._keep else After.FIN
