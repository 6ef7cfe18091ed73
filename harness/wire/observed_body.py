"""A body that tells an observer what is read from it; the reader notices nothing.

Layer 0. Knows pieces and endings; must not know what an observer does with them, or why a body is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.wire.message import Framing, Headers, Length, ReadyBody, Response, WrappedBody
from harness.wire.pieces import COMPLETE, At, By, Chunk, Ending, How, Piece

_HEADLESS = frozenset({At.BEFORE_HEADERS, At.IN_HEADERS})


class AnswerObserver(Protocol):
    """Is called for one answer, on the thread that reads it: at most one head, then chunks, then one ending."""

    def note_head(self, status: int, headers: Headers, framing: Framing) -> object:
        """The head of the answer goes out."""

    def note_chunks(self, chunks: Sequence[Chunk], start: int = 0, end: int = 1) -> object:
        """The bytes of `chunks[start:end]` go out at once; the chunks do not change any more."""

    def note_end(self, ending: Ending) -> object:
        """The answer ended, or its reader disconnected."""


def observe(response: Response, observer: AnswerObserver) -> Response:
    """The same response; its body reports to the observer."""
    response.body = ObservedBody(response, observer)
    return response


class ObservedBody(WrappedBody):
    """Forwards the pieces of a response's body unchanged and reports them."""

    __slots__ = ("_ended", "_head", "_observer", "_opened", "_response", "_sent")

    def __init__(self, response: Response, observer: AnswerObserver) -> None:
        super().__init__(response.body)
        self._head = response.status, response.headers  # as answered: a wrapper may change its own copy
        self._response = response  # its framing is settled when it is written
        self._observer = observer
        self._opened = self._ended = False
        self._sent = 0

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Chunk):
            self._open()
            self._sent += len(piece.data)
            self._observer.note_chunks((piece,))
        elif isinstance(piece, Ending):
            if piece.at not in _HEADLESS:
                self._open()
            self._end(piece)
        else:
            self._open()
        return piece

    def take_run(self, most: int) -> Sequence[Chunk]:
        """Take the next chunks of a `ReadyBody`; none of any other body, which is read piece by piece.

        Without this, a stream that is replayed beside an open page would cost twenty times as much.
        """
        inner = self._inner
        if type(inner) is not ReadyBody:
            return ()
        chunks, start = inner.chunks, inner.at
        taken = inner.take_run(most)
        if taken:
            self._open()
            self._observer.note_chunks(chunks, start, inner.at)
        return taken

    def close(self) -> None:
        """Close the wrapped body; what was not read to its ending was left by the client."""
        super().close()
        if not self._ended:
            self._open()
            left = Ending(by=By.CLIENT, how=How.FIN, detail="disconnected")
            self._end(COMPLETE if self._is_whole() else left)

    def _is_whole(self) -> bool:
        """Whether only the ending was left to read."""
        framing = self._response.framing
        return isinstance(framing, Length) and self._sent == framing.size

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            self._observer.note_head(*self._head, self._response.framing)

    def _end(self, ending: Ending) -> None:
        if not self._ended:
            self._ended = True
            self._observer.note_end(ending)
