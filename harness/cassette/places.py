"""Changes of a text as edits of the bytes that it was decoded from. Layer 1, pure.

Bytes that are no UTF-8 pass through a text and come out again as they were.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from harness.cassette.framing import Edit
from harness.cassette.vault import Change

WINDOW = 3 * 64 * 1024
"""Bytes or characters that are looked at together where a whole body need not be; base64 cuts it evenly."""


class Found(NamedTuple):
    """A place in the bytes of a body, what to put there, and the kind of secret that was there."""

    edit: Edit
    kind: str


def placed(base: int, text: str, changes: Iterable[Change]) -> Iterator[Found]:
    """Changes of a text as edits of the bytes that it was decoded from, which begin at `base`."""
    offset = _offsets(text)
    for change in changes:
        start = base + offset(change.start)
        yield Found(Edit(start, base + offset(change.end), bytes_of(change.text)), change.kind)


def _offsets(text: str) -> Callable[[int], int]:
    """How many bytes stand before a place in a text; cheapest for places that are asked for in order."""
    if text.isascii():
        return lambda place: place
    at = size = 0

    def offset(place: int) -> int:
        nonlocal at, size
        if place < at:
            at = size = 0
        for start in range(at, place, WINDOW):  # never a second copy of a long text
            size += len(bytes_of(text[start : min(start + WINDOW, place)]))
        at = place
        return size

    return offset


def windows_of(data: bytes, errors: str = "surrogateescape") -> Iterator[str]:
    """The text of `data` in order, a little at a time: for readers that need no more than that in memory."""
    decode = codecs.getincrementaldecoder("utf-8")(errors).decode
    for at in range(0, len(data), WINDOW):
        yield decode(data[at : at + WINDOW])
    yield decode(b"", True)


def text_of(data: bytes) -> str:
    """Bytes as a text that `bytes_of` turns back into them."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        for _ in windows_of(data, "strict"):
            pass
    except UnicodeDecodeError:
        return False
    return True
