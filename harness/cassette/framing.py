"""How a body was cut into pieces, and when each came: packed into one string, and cut anew. Layer 1, pure.

The packed form is one scalar, `"277@49 118@50"`: bytes, `@`, milliseconds since the piece before (of the first:
since the request). A YAML list of pairs would cost a hundred times as much to load. Times are kept as whole
microseconds, so that packing and unpacking lose nothing.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from harness.wire import Decoder

_PACKED = re.compile(r"(?:[0-9]{1,15}+@[0-9]{1,12}+(?:\.[0-9]{1,3}+)?+(?: (?=[0-9])|\Z))*+")
_FIRST_WRONG = re.compile(r"(?:[0-9]{1,15}+@[0-9]{1,12}+(?:\.[0-9]{1,3}+)?+(?: |\Z))*+")


class Edit(NamedTuple):
    """The bytes from `start` to `end` of a body give way to `data`."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parallel arrays: bytes of each piece, and microseconds between it and the one before."""

    sizes: array[int] = field(default_factory=lambda: array("Q"))
    waits: array[int] = field(default_factory=lambda: array("Q"))

    @property
    def total(self) -> int:
        """Bytes of all pieces."""
        return sum(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)


def pieces_of(pairs: Iterable[tuple[int, int]]) -> Pieces:
    """Pieces from (bytes, microseconds) pairs."""
    sizes, waits = array("Q"), array("Q")
    for size, wait in pairs:
        sizes.append(size)
        waits.append(wait)
    return Pieces(sizes, waits)


def pack(pieces: Pieces) -> str:
    """The one scalar that stands for these pieces."""
    return " ".join(f"{size}@{_milliseconds(wait)}" for size, wait in zip(pieces.sizes, pieces.waits, strict=True))


def unpack(packed: str) -> Pieces:
    """The pieces of a packed scalar. Raises ValueError that quotes the first wrong piece."""
    if _PACKED.fullmatch(packed) is None:
        good = _FIRST_WRONG.match(packed)
        wrong = packed[good.end() if good else 0 :].partition(" ")[0]
        raise ValueError(f"{wrong[:40]!r} is no piece: write bytes@milliseconds, pieces parted by one space")
    words = packed.replace("@", " ").split()
    sizes, waits = words[::2], words[1::2]
    # Twelve digits before the point and three after it: the product is off by less than half a microsecond.
    microseconds = {wait: round(float(wait) * 1000) for wait in set(waits)}
    return Pieces(array("Q", map(int, sizes)), array("Q", map(microseconds.__getitem__, waits)))


def _milliseconds(microseconds: int) -> str:
    whole, rest = divmod(microseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)


def by_event(body: bytes, waits: Sequence[int] = ()) -> Pieces:
    """One piece for each server-sent event, and one for what follows the last; a guess at what was sent.

    `waits` are those of the pieces that the body had before: kept one to one where the number is the same, else
    spread evenly, so that the whole takes as long as it took.
    """
    ends = [frame.end for frame in Decoder().feed(body)]
    if body and (not ends or ends[-1] < len(body)):
        ends.append(len(body))
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if len(waits) != len(sizes):
        waits = [sum(waits) // len(sizes)] * len(sizes) if sizes else []
    return Pieces(array("Q", sizes), array("Q", waits))


def after(pieces: Pieces, offset: int) -> Pieces:
    """The pieces from byte `offset` on; one that holds the offset gives its rest."""
    ends = list(accumulate(pieces.sizes))
    first = bisect_right(ends, offset)
    if first >= len(ends):
        return Pieces()
    sizes = pieces.sizes[first:]
    sizes[0] = ends[first] - offset
    return Pieces(sizes, pieces.waits[first:])


def apply(body: bytes, edits: Sequence[Edit]) -> bytes:
    """The body after `edits`, which are in order and do not overlap."""
    parts, at = [], 0
    for start, end, data in edits:
        parts += [body[at:start], data]
        at = end
    return b"".join((*parts, body[at:]))


def follow(pieces: Pieces, edits: Sequence[Edit]) -> Pieces:
    """The pieces of the body that `edits` make; a boundary inside replaced bytes stays inside the new ones."""
    sizes = array("Q")
    shift = index = old = new = 0
    for size in pieces.sizes:
        old += size
        while index < len(edits) and edits[index].end <= old:
            shift += len(edits[index].data) - (edits[index].end - edits[index].start)
            index += 1
        boundary = old + shift
        if index < len(edits) and edits[index].start < old:
            edit = edits[index]
            boundary = edit.start + shift + min(old - edit.start, len(edit.data))
        sizes.append(boundary - new)
        new = boundary
    return Pieces(sizes, pieces.waits)
