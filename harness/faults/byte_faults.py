"""Changes that a reader of event streams must not notice: other line ends, and other boundaries between pieces.

They know bytes and pieces only. Each byte is forwarded as soon as it arrives.
"""

from __future__ import annotations

import re
from typing import Self

from harness.faults.event_stage import CR
from harness.faults.fault import BareFault, BodyKind, Fault, Stage, Word, require_range
from harness.wire import Chunk, Ending, Pause, Piece

_LONG = 0.02
"""Seconds between two parts inside a character or a CR LF, so that a reader gets its halves one by one."""

_LONGEST = 0.2
"""The same inside the first characters: a reader on a busy machine gets at least their halves one by one."""

_FIRST = 3
"""How many characters are the first ones."""

_INSIDE = frozenset(bytes([byte]) for byte in (10, *range(0x80, 0xC0)))
"""The bytes that never begin anything."""

_BARE_LF = re.compile(rb"(?<!\r)\n")


class Crlf(BareFault, frozen=True):
    """`crlf`: every line ends in CR LF."""

    def stage(self, body: BodyKind) -> Stage:
        return LineEnds()


class LineEnds(Stage):
    """Makes CR LF of each LF that does not follow a CR."""

    def __init__(self) -> None:
        self._after_cr = False

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


class _OfSize(Fault, frozen=True):
    """A fault that makes pieces of `size` bytes, and is spelled as its class is named."""

    size: int

    def __post_init__(self) -> None:
        require_range(type(self).__name__.lower(), self.size, least=1)

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(word.number())

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}:{self.size}"


class Chunks(_OfSize, frozen=True):
    """`chunks:N`: pieces of N bytes, regardless of what they split; the last of each piece may be shorter."""

    def stage(self, body: BodyKind) -> Stage:
        return Rechunker(self.size)


class Trickle(_OfSize, frozen=True):
    """`trickle:N`: the same, with a moment between two pieces: readers get them one by one."""

    def stage(self, body: BodyKind) -> Stage:
        return Rechunker(self.size, drips=True)


class Rechunker(Stage):
    """Divides each piece; if it `drips`, with a pause between two parts.

    Without, a pause follows the first few parts that end inside a character: a client on a socket, such as Node's
    `fetch`, would otherwise read them together, and never see one that is split.
    """

    def __init__(self, size: int, *, drips: bool = False) -> None:
        self._size = size
        self._drips = drips
        self._split = 0

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece in parts; if it is a torn chunk, its last part is torn."""
        found: list[Piece] = []
        for part in self._divide(piece):
            if found and isinstance(part, Chunk) and (pause := self._choose_pause(part.data[:1])):
                found.append(Pause(pause))
            found.append(part)
        return found

    def _choose_pause(self, first: bytes) -> float:
        """The seconds before a part that begins with this byte."""
        is_inside = first in _INSIDE and first != b"\n"
        self._split += is_inside
        is_early = is_inside and self._split <= _FIRST
        if not self._drips:
            return _LONG if is_early else 0.0
        return _LONGEST if is_early else _LONG if first in _INSIDE else 0.001

    def _divide(self, piece: Piece) -> list[Piece]:
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
