"""The form of a recorded file: titled sections of text, which survive being written and read."""

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


def read_sections(text: str) -> list[Section]:
    """The sections of a text that `write_sections` made, each with its last line ended."""
    made: list[Section] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(_MARK):
            made.append(Section(line[len(_MARK) :].rstrip("\n"), ""))
        elif made:
            made[-1] = made[-1]._replace(text=made[-1].text + line)
    return made


def _body(text: str) -> str:
    moved = text.replace(f"\n{_MARK}", f"\n {_MARK}")
    if moved.startswith(_MARK):
        moved = f" {moved}"
    return moved if moved.endswith("\n") or not moved else f"{moved}\n"
