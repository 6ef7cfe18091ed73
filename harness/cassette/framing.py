"""The pieces in which a body arrived, and when: packing them into one string, and cutting them.

The packed form is one scalar, `"277@49 118@50"`: bytes, `@`, milliseconds since the previous piece (for the first,
since the request). A YAML list of pairs would take a hundred times as long to load. Times are whole microseconds,
so that packing and unpacking lose nothing.
"""

from __future__ import annotations

import codecs
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import accumulate
from typing import Any

import msgspec

from harness.wire import Decoder
from harness.wire.message import STEP
from harness.wire.secret_finder import TextEdit, bytes_of

_PIECE = r"(?:0|[1-9][0-9]{0,14}+)@(?:0|[1-9][0-9]{0,11}+)(?:\.[0-9]{1,3}+)?"
_PACKED = re.compile(rf"(?:{_PIECE}(?: (?=[0-9])|\Z))*+")  # hot: without the last + it takes three times as long
_FIRST_WRONG = re.compile(rf"(?:{_PIECE}(?: |\Z))*")
_ONE_A_LINE = str.maketrans("@ ", "\n\n")
_decode_lines = msgspec.json.Decoder().decode_lines


class Pieces:
    """The pieces of a body: `sizes` in bytes, and `waits`, the microseconds since the previous piece.

    The two arrays are parallel; do not modify them. `total` is the bytes of all pieces.
    """

    __slots__ = ("sizes", "total", "waits")

    def __init__(self, sizes: Iterable[int] = (), waits: Iterable[int] = ()) -> None:
        self.sizes = array("Q", sizes)
        self.waits = array("Q", waits)
        self.total = sum(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pieces) and (self.sizes, self.waits) == (other.sizes, other.waits)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"unpack({pack(self)!r})"


def pieces_of(pairs: Iterable[tuple[int, int]]) -> Pieces:
    """Pieces from (bytes, microseconds) pairs."""
    sizes, waits = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
    return Pieces(sizes, waits)


def pack(pieces: Pieces) -> str:
    """Pack pieces into one scalar."""
    packed = StringIO()  # a list of a million texts takes ten times as much
    packed.writelines(f"{size}@{_to_millis(wait)} " for size, wait in zip(pieces.sizes, pieces.waits, strict=True))
    return packed.getvalue()[:-1]


def unpack(packed: str) -> Pieces:
    """Unpack a scalar into pieces. Raises ValueError quoting the first wrong piece."""
    if _PACKED.fullmatch(packed) is None:
        good = _FIRST_WRONG.match(packed)
        wrong = packed[good.end() if good else 0 :].partition(" ")[0]
        raise ValueError(f"{wrong[:40]!r} is not a piece: write bytes@milliseconds, pieces parted by one space")
    numbers: list[Any] = _decode_lines(packed.translate(_ONE_A_LINE))  # bytes and milliseconds, alternating
    # Twelve digits before the point, three after it: the product is off by less than half a microsecond.
    return Pieces(numbers[::2], [round(milliseconds * 1000) for milliseconds in numbers[1::2]])


def _to_millis(microseconds: int) -> str:
    whole, rest = divmod(microseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)


def by_event(body: bytes, waits: Sequence[int] = ()) -> Pieces:
    """One piece for each server-sent event, and one for the bytes after the last; a guess at what was sent.

    `waits` belong to the pieces that the body had before. If their number is the same they are kept one to one;
    otherwise their total is spread evenly, so that the whole body takes as long as before.
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
    """The pieces from byte `offset` on; a piece that contains the offset is cut there."""
    ends = list(accumulate(pieces.sizes))
    first = bisect_right(ends, offset)
    if first >= len(ends):
        return Pieces()
    sizes = pieces.sizes[first:]
    sizes[0] = ends[first] - offset
    return Pieces(sizes, pieces.waits[first:])


def until(pieces: Pieces, offset: int) -> Pieces:
    """The pieces up to byte `offset`; a piece that contains the offset is cut there."""
    pairs, left = [], offset
    for size, wait in zip(pieces.sizes, pieces.waits, strict=True):
        if left <= 0:
            break
        pairs.append((min(size, left), wait))
        left -= size
    return pieces_of(pairs)


def follow(pieces: Pieces, edits: Sequence[TextEdit]) -> Pieces:
    """The pieces of the body after `edits`; a boundary inside replaced bytes stays inside the new bytes."""
    sizes = array("Q")
    shift = index = old = new = 0
    for size in pieces.sizes:
        old += size
        while index < len(edits) and edits[index].end <= old:
            shift += len(bytes_of(edits[index].text)) - (edits[index].end - edits[index].start)
            index += 1
        boundary = old + shift
        if index < len(edits) and edits[index].start < old:
            edit = edits[index]
            boundary = edit.start + shift + min(old - edit.start, len(bytes_of(edit.text)))
        sizes.append(boundary - new)
        new = boundary
    return Pieces(sizes, pieces.waits)


def decode_steps(data: bytes) -> Iterator[str]:
    """The text of `data`, a step after the other. Raises UnicodeDecodeError if it is not valid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(data), STEP):
        yield decoder.decode(data[at : at + STEP], final=at + STEP >= len(data))


def is_text(data: bytes) -> bool:
    """Whether `data` is valid UTF-8."""
    try:
        return all(True for _ in decode_steps(data))
    except UnicodeDecodeError:
        return False
