"""A table of outcomes whose cells open: client × fault, checks × mutants."""

from __future__ import annotations

from dataclasses import dataclass

from harness.look import Mark
from harness.wire.stream_picture import StreamPicture


@dataclass(frozen=True, slots=True, kw_only=True)
class StripCase:
    """One case of a cell: a sign of one or two characters, and the words for it."""

    sign: str
    words: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixEntry:
    """One entry of a drawer: its `word` and `title`, folded over the lines and a `command`.

    `lines` are numbers of lines that the page has once: the first is a sentence, the others are of the wire.
    """

    word: str
    mark: Mark
    title: str
    rule: str
    lines: tuple[int, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """The content of a cell and of its drawer.

    `text` is short (`13/15`), `words` spells it out for readers who see no shape (`13 of 15 cases wrong`). The
    drawer shows `title`, the `cases`, `lines` of prose, the `picture` of a stream, the `wire` and a `command` to
    copy; without a `title` there is none.
    """

    text: str
    words: str
    mark: Mark
    title: str = ""
    cases: tuple[StripCase, ...] = ()
    lines: tuple[str, ...] = ()
    picture: StreamPicture | None = None
    wire: tuple[str, ...] = ()
    command: str = ""
    entries: tuple[MatrixEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """A row; a cell is None where there is nothing to say."""

    name: str
    about: str = ""
    cells: tuple[MatrixCell | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeMatrix:
    """The table. `key` is its fragment in the page, `corner` heads the rows.

    `narrow`: many columns with short names. Cells have no shape, so that their text must say it all; `legend`
    names their signs.
    """

    key: str
    title: str
    about: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    narrow: bool = False
    legend: tuple[StripCase, ...] = ()
