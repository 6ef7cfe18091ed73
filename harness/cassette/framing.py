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
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from harness.wire import Decoder

_PIECE = r"(?:0|[1-9][0-9]{0,14}+)@(?:0|[1-9][0-9]{0,11}+)(?:\.[0-9]{1,3}+)?+"
_PACKED = re.compile(rf"(?:{_PIECE}(?: (?=[0-9])|\Z))*+")
_FIRST_WRONG = re.compile(rf"(?:{_PIECE}(?: |\Z))*+")
_ONE_A_LINE = str.maketrans("@ ", "\n\n")
_decode_lines = msgspec.json.Decoder().decode_lines


class Edit(NamedTuple):
    """The bytes from `start` to `end` of a body give way to `data`."""

    start: int
    end: int
    data: bytes


class Pieces:
    """How a body came: of each piece its bytes, `sizes`, and the microseconds since the one before, `waits`.

    Two parallel arrays, not to be changed. Where they come from a packed scalar, which was checked whole when it
    was read, they are made when first asked for: most readers of a long recording never ask.
    """

    __slots__ = ("_arrays", "_packed", "total")

    total: int
    """Bytes of all pieces."""

    def __init__(self, sizes: Iterable[int] = (), waits: Iterable[int] = ()) -> None:
        self._packed = ""
        self._arrays: tuple[array[int], array[int]] | None = array("Q", sizes), array("Q", waits)
        self.total = sum(self._arrays[0])

    @classmethod
    def packed(cls, packed: str, total: int) -> Pieces:
        """The pieces of a scalar that is known to be right and to add up to `total` bytes."""
        pieces = cls()
        pieces._packed, pieces._arrays, pieces.total = packed, None, total
        return pieces

    @property
    def sizes(self) -> array[int]:
        """Bytes of each piece."""
        return self._unpacked()[0]

    @property
    def waits(self) -> array[int]:
        """Microseconds before each piece."""
        return self._unpacked()[1]

    def _unpacked(self) -> tuple[array[int], array[int]]:
        if self._arrays is None:
            numbers = _numbers(self._packed)
            # Twelve digits before the point, three after it: the product is off by less than half a microsecond.
            waits = [round(milliseconds * 1000) for milliseconds in numbers[1::2]]
            self._arrays = array("Q", numbers[::2]), array("Q", waits)
        return self._arrays

    def __len__(self) -> int:
        return len(self.sizes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pieces) and self._unpacked() == other._unpacked()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"unpack({pack(self)!r})"


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
    return Pieces.packed(packed, sum(_numbers(packed)[::2]))


def _numbers(packed: str) -> list[Any]:
    """Bytes and milliseconds in turn, of a scalar that is well formed."""
    return _decode_lines(packed.translate(_ONE_A_LINE))


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
        each, over = divmod(sum(waits), len(sizes)) if sizes else (0, 0)
        waits = [each + (number < over) for number in range(len(sizes))]
    return Pieces(sizes, waits)


def after(pieces: Pieces, offset: int) -> Pieces:
    """The pieces from byte `offset` on; one that holds the offset gives its rest."""
    ends = list(accumulate(pieces.sizes))
    first = bisect_right(ends, offset)
    if first >= len(ends):
        return Pieces()
    sizes = pieces.sizes[first:]
    sizes[0] = ends[first] - offset
    return Pieces(sizes, pieces.waits[first:])


def until(pieces: Pieces, offset: int) -> Pieces:
    """The pieces up to byte `offset`; one that holds the offset gives its beginning."""
    pairs, left = [], offset
    for size, wait in zip(pieces.sizes, pieces.waits, strict=True):
        if left <= 0:
            break
        pairs.append((min(size, left), wait))
        left -= size
    return pieces_of(pairs)


def apply(body: bytes, edits: Sequence[Edit]) -> bytes:
    """The body after `edits`, which are in order and do not overlap."""
    whole, at = memoryview(body), 0  # whose slices are no copies
    parts: list[bytes | memoryview] = []
    for start, end, data in edits:
        parts += [whole[at:start], data]
        at = end
    return b"".join((*parts, whole[at:])) if parts else body


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
