"""The form of a recorded file: titled sections of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_MARK = "━━ "


class Section(NamedTuple):
    """A titled text."""

    title: str
    text: str


def write_sections(sections: Iterable[Section]) -> str:
    """The sections as one text. A line of a section that looks like a title is moved in by a space."""
    return "".join(f"{_MARK}{title}\n{_body(text)}" for title, text in sections)


def _body(text: str) -> str:
    moved = text.replace(f"\n{_MARK}", f"\n {_MARK}")
    if moved.startswith(_MARK):
        moved = f" {moved}"
    return moved if moved.endswith("\n") or not moved else f"{moved}\n"
