"""One picture of a stream: a column is an event of the whole stream, a row is a connection.

A resume begins in the column after its cursor, so that it stands under the cut. An event that a connection skipped
is a missing cell in its column; an event that came again is a second cell in its column. Reports and the inspector
draw this picture; none of them counts columns for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from harness.wire.protocol import JsonObject, StreamProtocol


class CellKind(StrEnum):
    """The content of a column of a row; the later ones hide the earlier ones where many share a cell."""

    HAD = "had"
    CAME = "came"
    TWICE = "twice"
    MISSING = "missing"


SIGNS = {CellKind.HAD: ".", CellKind.CAME: "o", CellKind.TWICE: "2", CellKind.MISSING: "_"}
"""The cells as text; one that a finding names is `!`, and `x` is a cut."""

WORDS = {
    CellKind.HAD: "read before",
    CellKind.CAME: "received",
    CellKind.TWICE: "received again",
    CellKind.MISSING: "missing",
}


class PictureCell(Struct, frozen=True, kw_only=True):
    """One cell: its column, the look and the name of its event (see `find_look`), and whether a finding names it.

    `until` is the last column that it stands for: a picture of a long stream has several events in a cell.
    """

    column: int
    kind: CellKind = CellKind.CAME
    look: str = "step"
    name: str = ""
    accused: bool = False
    until: int = -1

    @property
    def words(self) -> str:
        """The cell in words: number, name, and what became of the event."""
        if self.until > self.column:
            place = f"events {self.column} to {self.until}"
        else:
            place = f"event {self.column} {self.name}".rstrip()
        return f"{place}: {WORDS[self.kind]}"


class PictureRow(Struct, frozen=True, kw_only=True):
    """One connection: its name, its cells line by line (a second line holds what came again), and how it ended.

    `start` is the column of its first event; `cut` the column where it broke, None if it was whole; `end`: how.
    """

    name: str
    start: int = 0
    lines: tuple[tuple[PictureCell, ...], ...] = ((),)
    cut: int | None = None
    end: str = ""

    @property
    def cells(self) -> Iterator[PictureCell]:
        """All cells, line by line."""
        return (cell for line in self.lines for cell in line)

    @property
    def is_empty(self) -> bool:
        """Whether the row shows neither an event nor the place of one."""
        return not self.start and not any(self.lines)


class StreamPicture(Struct, frozen=True, kw_only=True):
    """The rows of one stream and the number of its columns; `each` events stand in one column that is drawn."""

    columns: int
    rows: tuple[PictureRow, ...]
    each: int = 1

    @property
    def shown(self) -> int:
        """How many columns are drawn; a cut at the end has one of its own."""
        width = -(-self.columns // self.each)
        return max([width, *(row.cut + 1 for row in self.rows if row.cut is not None)])

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its cells, and `cut`."""
        found = {str(cell.kind) for row in self.rows for cell in row.cells}
        found |= {str(CellKind.HAD)} if any(row.start for row in self.rows) else set()
        return frozenset(found | ({"cut"} if any(row.cut is not None for row in self.rows) else set()))

    @property
    def is_accused(self) -> bool:
        """Whether a finding names one of its cells."""
        return any(cell.accused for row in self.rows for cell in row.cells)

    @property
    def words(self) -> str:
        """The picture for a reader that sees none: each connection in a sentence."""
        return " ".join(f"{row.name}: {describe_row(row)}." for row in self.rows)

    def fit(self, most: int) -> StreamPicture:
        """The picture in at most so many columns: several events share a cell, which shows the worst of them."""
        each = 1
        while -(-self.columns // each) > most:
            each *= 2
        if each == 1:
            return self
        return StreamPicture(columns=self.columns, rows=tuple(_merge(row, each) for row in self.rows), each=each)


def _merge(row: PictureRow, each: int) -> PictureRow:
    lines = []
    for line in row.lines:
        merged: dict[int, PictureCell] = {}
        for cell in line:
            place, old = cell.column // each, merged.get(cell.column // each)
            last = max(cell.column, -1 if old is None else old.until)
            worse = cell if old is None or _rank(cell) > _rank(old) else old
            first = cell.column if old is None else min(cell.column, old.column)
            merged[place] = replace(worse, column=first, until=last)
        lines.append(tuple(merged.values()))
    return replace(
        row, start=row.start // each, lines=tuple(lines), cut=None if row.cut is None else -(-row.cut // each)
    )


_KINDS = list(CellKind)
_LOOKS = ("done", "delta", "step", "edge", "odd", "error")


def _rank(cell: PictureCell) -> tuple[bool, int, int]:
    look = _LOOKS.index(cell.look) if cell.look in _LOOKS else 0
    return cell.accused, _KINDS.index(cell.kind), look


class ReadEvent(Struct, frozen=True, kw_only=True):
    """One event of a connection; `cursor` is its id, `key` distinguishes it from others ("" if nothing does)."""

    key: str = ""
    cursor: str = ""
    name: str = ""
    look: str = "step"


class EventKeys(Struct):
    """Gives each event of a connection a key that the same event has in every other connection.

    An event without an id is identified by its payload and by the last id before it; `cursor` is that of the
    resume. The last two words of such a key are its payload and its number since that id.
    """

    cursor: str = ""
    times: Counter[int] = field(default_factory=Counter)

    def make(self, cursor: str, data: bytes) -> str:
        """The key of the next event."""
        payload = hash(data)
        if cursor:
            self.cursor = cursor
            self.times.clear()
            return f"{cursor} {payload}"
        self.times[payload] += 1
        return f"{self.cursor} {payload} {self.times[payload]}"


class ReadStream(Struct, frozen=True, kw_only=True):
    """One connection as a client read it.

    `after` is the cursor that it resumes after, "" for a stream from its beginning. `columns` are those of its
    events, where they are known already, and `start` is then the first. A finding names `accused`, numbers of its
    events, and `lost`, columns that it skips. `end` describes how it was dropped, "" if it was not; `left`: the
    client itself left it.
    """

    name: str
    events: Sequence[ReadEvent] = ()
    after: str = ""
    columns: Sequence[int] | None = None
    start: int = 0
    lost: frozenset[int] = frozenset()
    accused: frozenset[int] = frozenset()
    end: str = ""
    left: bool = False


class Columns(Struct):
    """Gives each event the column that it has in the whole stream, whichever connection brings it."""

    by_key: dict[str, int] = field(default_factory=dict)
    by_cursor: dict[str, int] = field(default_factory=dict)
    by_payload: dict[tuple[str, ...], int] = field(default_factory=dict)
    known: int = 0
    """How many columns have an event."""

    def find(self, event: ReadEvent, at: int, lost: frozenset[int] = frozenset()) -> int:
        """The column of an event; `at` is the one that follows what its connection had before it."""
        if event.key and event.key in self.by_key:
            return self.by_key[event.key]
        payload = () if event.cursor else tuple(event.key.rsplit(" ", 2)[1:])
        if self.by_payload.get(payload, at) < at < self.known:  # no event of the rest, so one from before it again
            return self.by_payload[payload]
        column = self.by_cursor.get(event.cursor, -1)
        if column < at:  # unknown, or a server gives one id to many events
            column = at
            while column in lost:
                column += 1
        if event.key:
            self.by_key[event.key] = column
        if payload:
            self.by_payload.setdefault(payload, column)
        self.known = max(self.known, column + 1)
        if event.cursor:
            self.by_cursor.setdefault(event.cursor, column)
        return column

    def follow(self, after: str) -> int | None:
        """The column after the event with this cursor; None if none had it."""
        return self.by_cursor[after] + 1 if after in self.by_cursor else None


def draw_picture(readings: Sequence[ReadStream], *, total: int = 0) -> StreamPicture:
    """The picture of the connections of one stream, in their order; `total` is the number of events, if known."""
    columns = Columns()
    for reading in readings:  # a stream from its beginning is what a resume is compared with, whichever came first
        if not reading.after and reading.columns is None:
            _place(reading, reading.start, columns)
    names: dict[int, str] = {}
    drawn: list[tuple[ReadStream, int, list[PictureCell], int]] = []
    for reading in readings:
        start = (columns.follow(reading.after) or 0) if reading.after else reading.start
        cells, at = _place(reading, start, columns)
        names.update((cell.column, cell.name) for cell in cells if cell.name)
        drawn.append((reading, start, cells, at))
    total = max([total, *(at for _, _, _, at in drawn)])
    rows = []
    for number, (reading, start, cells, at) in enumerate(drawn):
        if not reading.left and not any(later <= at for _, later, _, _ in drawn[number + 1 :]):
            cells += [PictureCell(column=column, kind=CellKind.MISSING) for column in range(at, total)]
        # another connection may name an event that this one does not
        named = [cell if cell.name else replace(cell, name=names.get(cell.column, "")) for cell in cells]
        cut = at if reading.end or reading.left else None
        lines: list[dict[int, PictureCell]] = [{}]  # no two cells of a line share a column
        for cell in named:
            free = next((line for line in lines if cell.column not in line), None)
            if free is None and len(lines) < 3:
                lines.append(free := {})
            if free is not None:
                free[cell.column] = cell
        drawn_lines = tuple(tuple(line.values()) for line in lines)
        rows.append(PictureRow(name=reading.name, start=start, lines=drawn_lines, cut=cut, end=reading.end))
    return StreamPicture(columns=total, rows=tuple(rows))


def _place(reading: ReadStream, start: int, columns: Columns) -> tuple[list[PictureCell], int]:
    """The cells of a connection, and the column after its last one."""
    cells: list[PictureCell] = []
    at, came = start, set[int]()
    events = reading.events or [ReadEvent()] * len(reading.columns or ())
    for number, event in enumerate(events):
        column = columns.find(event, at, reading.lost) if reading.columns is None else reading.columns[number]
        kind = CellKind.TWICE if column in came or column < start else CellKind.CAME
        accused = number in reading.accused
        cells.append(PictureCell(column=column, kind=kind, look=event.look, name=event.name, accused=accused))
        came.add(column)
        at = max(at, column + 1)
    at = max([at, *(column + 1 for column in reading.lost)])
    cells += [
        PictureCell(column=column, kind=CellKind.MISSING, accused=column in reading.lost)
        for column in range(start, at)
        if column not in came
    ]
    return cells, at


def find_look(value: JsonObject | None, data: bytes, protocol: StreamProtocol, *, is_first: bool) -> str:
    """How an event is drawn: `edge` (first, last), `step`, `delta`, `error`, `done` (after the end) or `odd`."""
    if value is None:
        return "done" if data == protocol.sentinel else "odd"
    if protocol.is_error(value):
        return "error"
    if is_first or protocol.completes(value):
        return "edge"
    return "delta" if protocol.is_fragment(value) else "step"


def describe_row(row: PictureRow) -> str:
    """The content of a connection, in words."""
    kinds: Mapping[CellKind, list[int]] = {kind: [] for kind in CellKind}
    for cell in row.cells:
        kinds[cell.kind] += range(cell.column, max(cell.column, cell.until) + 1)
    parts = [f"{WORDS[kind]} {spell_columns(found)}" for kind, found in kinds.items() if found]
    return "; ".join([*parts, row.end] if row.end else parts) or "no event"


def spell_columns(columns: Iterable[int]) -> str:
    """Numbers as ranges: `0-3, 5`."""
    ranges: list[list[int]] = []
    for column in columns:
        if ranges and column == ranges[-1][1] + 1:
            ranges[-1][1] = column
        else:
            ranges.append([column, column])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def picture_lines(picture: StreamPicture, *, most: int = 64) -> Iterator[str]:
    """The picture as text: a line for each connection, its events in their columns."""
    drawn = picture.fit(most)
    width = max((len(row.name) for row in drawn.rows), default=0)
    for row in drawn.rows:
        for number, line in enumerate(row.lines):
            before = 0 if number else row.start
            signs = [*SIGNS[CellKind.HAD] * before, *" " * (drawn.shown - before)]
            for cell in line:
                signs[cell.column // drawn.each] = "!" if cell.accused else SIGNS[cell.kind]
            if row.cut is not None and not number:
                signs.insert(min(row.cut, len(signs) - 1), "x")
            yield f"{'' if number else row.name:<{width}}  {''.join(signs).rstrip()}".rstrip()
    each = "each event" if drawn.each == 1 else f"{drawn.each} events"
    plain = {cell.kind for row in drawn.rows for cell in row.cells if not cell.accused} | {CellKind.HAD}
    legend = [f"{SIGNS[kind]} {WORDS[kind]}" for kind in CellKind if kind in drawn.kinds & plain]
    legend += ["! the finding"] if drawn.is_accused else []
    legend += ["x cut"] if "cut" in drawn.kinds else []
    yield f"a column for {each}: {', '.join(legend)}"
