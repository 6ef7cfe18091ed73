"""Changes of a text as edits of the bytes that it was decoded from. Layer 1, pure.

Bytes that are no UTF-8 pass through a text and come out again as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from harness.cassette.framing import Edit
from harness.cassette.vault import Change


class Found(NamedTuple):
    """A place in the bytes of a body, what to put there, and the kind of secret that was there."""

    edit: Edit
    kind: str


def placed(base: int, text: str, changes: Iterable[Change]) -> Iterator[Found]:
    """Changes of a text as edits of the bytes that it was decoded from, which begin at `base`."""
    offset: Callable[[int], int] = (
        (lambda at: base + at) if text.isascii() else (lambda at: base + len(bytes_of(text[:at])))
    )
    for change in changes:
        yield Found(Edit(offset(change.start), offset(change.end), bytes_of(change.text)), change.kind)


def text_of(data: bytes) -> str:
    """Bytes as a text that `bytes_of` turns back into them."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes of a text."""
    return text.encode("utf-8", "surrogateescape")
