"""Changes that a reader of event streams must not notice: other line ends, and other boundaries between pieces.

Layer 1. Knows bytes and pieces only. Each byte is forwarded as soon as it arrives.
"""

from __future__ import annotations

import re

from harness.faults.splitting import CR
from harness.faults.values.events import Chunks
from harness.faults.values.frames import Trickle
from harness.wire import Chunk, Ending, How, Pause, Piece

_MOMENT = 0.001
"""Seconds between two pieces of a trickle."""

_LONG = 0.02
"""The same inside a character or a CR LF, so that even a slow reader gets its halves one by one."""

_INSIDE = frozenset(bytes([byte]) for byte in (10, *range(0x80, 0xC0)))
"""The bytes that never begin anything."""

_BARE_LF = re.compile(rb"(?<!\r)\n")


class LineEnds:
    """`crlf`: each LF that does not follow a CR becomes CR LF."""

    def __init__(self) -> None:
        self._after_cr = False
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece with its line ends changed; a torn chunk lacks as many bytes as before."""
        if not isinstance(piece, Chunk) or not piece.data:
            return [piece]
        data = piece.data
        kept = b""
        if self._after_cr and data.startswith(b"\n"):
            kept, data = b"\n", data[1:]
        self._after_cr = piece.data[-1] == CR
        changed = kept + _BARE_LF.sub(b"\r\n", data)
        self.fired = self.fired or changed != piece.data
        grown = len(changed) - len(piece.data)
        return [Chunk(changed, None if piece.declared is None else piece.declared + grown)]


class Rechunker:
    """`chunks:N`: pieces of N bytes; the last part of each original piece may be shorter."""

    def __init__(self, fault: Chunks) -> None:
        self._size = fault.size
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece in parts; if it is a torn chunk, its last part is torn."""
        if isinstance(piece, Pause | Ending):
            return [piece]
        data, size = piece.data, self._size
        if len(data) <= size:
            return [piece]
        self.fired = True
        parts: list[Piece] = [Chunk(data[at : at + size]) for at in range(0, len(data), size)]
        if piece.declared is not None:
            last = data[(len(data) - 1) // size * size :]
            parts[-1] = Chunk(last, piece.declared - len(data) + len(last))
        return parts


class Dripper(Rechunker):
    """`trickle:N`: the same, with a pause between two pieces."""

    def __init__(self, fault: Trickle) -> None:
        super().__init__(Chunks(fault.size))

    def feed(self, piece: Piece) -> list[Piece]:
        """The parts of the piece, and a pause after each; not after the last, which may be torn."""
        parts = super().feed(piece)
        if not isinstance(piece, Chunk):
            return parts
        slow: list[Piece] = []
        for part in parts:
            if slow and isinstance(part, Chunk):
                slow.append(Pause(_LONG if part.data[:1] in _INSIDE else _MOMENT))
            slow.append(part)
        return slow


class ShortPromise:
    """Ends a body whose Content-Length promises `size` bytes before all of them are sent."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sent = 0
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece, cut so that at least one promised byte is never sent; a complete ending becomes a FIN."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Ending):
            return [self._break_off() if piece.complete else piece]
        data = piece.data[: self._size - 1 - self._sent]
        self._sent += len(data)
        whole = len(data) == len(piece.data)
        return [Chunk(data)] if whole else [Chunk(data), self._break_off()]

    def _break_off(self) -> Ending:
        self.fired = True
        detail = "fault plan: short-length, and the body was over before the place of the cut"
        return Ending(how=How.FIN, declared=self._size, sent=self._sent, detail=detail)
