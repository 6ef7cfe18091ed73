"""Convert changes of a text to edits of the bytes it was decoded from. Layer 1, pure.

Bytes that are not valid UTF-8 survive decoding and encoding unchanged.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from harness.cassette.format.framing import ByteEdit

WINDOW = 3 * 64 * 1024
"""Bytes or characters processed at once where the whole body is not needed; a multiple of 3, for base64."""


class TextEdit(NamedTuple):
    """Replaces the characters `start` to `end` of a text with `text`; `kind` says why."""

    start: int
    end: int
    text: str
    kind: str


class Found(NamedTuple):
    """A place in the bytes of a body, what to put there, and the kind of secret that was there."""

    edit: ByteEdit
    kind: str


def to_byte_edits(base: int, text: str, changes: Iterable[TextEdit]) -> Iterator[Found]:
    """Convert changes of a text to edits of the bytes that it was decoded from, which begin at `base`."""
    offset = _map_offsets(text)
    for change in changes:
        start = base + offset(change.start)
        yield Found(ByteEdit(start, base + offset(change.end), bytes_of(change.text)), change.kind)


def _map_offsets(text: str) -> Callable[[int], int]:
    """A function from a place in a text to its byte offset; cheapest if called with increasing places."""
    if text.isascii():
        return lambda place: place
    at = size = 0

    def offset(place: int) -> int:
        nonlocal at, size
        if place < at:
            at = size = 0
        for start in range(at, place, WINDOW):  # in windows, to avoid a second copy of a long text
            size += len(bytes_of(text[start : min(start + WINDOW, place)]))
        at = place
        return size

    return offset


def windows_of(data: bytes, errors: str = "surrogateescape") -> Iterator[str]:
    """Decode `data` window by window, for readers that do not need the whole text in memory."""
    decode = codecs.getincrementaldecoder("utf-8")(errors).decode
    for at in range(0, len(data), WINDOW):
        yield decode(data[at : at + WINDOW])
    yield decode(b"", True)


def text_of(data: bytes) -> str:
    """Decode bytes into a text that `bytes_of` turns back into the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Encode a text; the inverse of `text_of`."""
    return text.encode("utf-8", "surrogateescape")


def is_text(data: bytes) -> bool:
    """Whether `data` is valid UTF-8."""
    try:
        for _ in windows_of(data, "strict"):
            pass
    except UnicodeDecodeError:
        return False
    return True
