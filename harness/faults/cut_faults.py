"""The cut of a connection: its place, how it ends there, and the stage that finds the place while bytes pass.

Nothing is buffered: a place is known by the time the piece that crosses it arrives. So the pieces before a cut
are forwarded unchanged. Complete events are counted, those included that faults further to the left added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import ClassVar, Self

from msgspec import Struct
from msgspec.structs import replace

from harness.faults.event_stage import CR, LF, Event, Splitter, edit_completion
from harness.faults.fault import BodyKind, Fault, Stage, Word, require_range
from harness.wire import COMPLETE, At, Chunk, Chunked, Decoder, Ending, How, Pause, Piece


class Spot(StrEnum):
    """The kinds of places where a connection can be cut."""

    BEFORE_HEADERS = "before-headers"
    HEADERS = "headers"
    BYTE = "byte"
    EVENT = "event"
    DATA = "data"
    BLANK = "blank"
    UTF8 = "utf8"
    COMPLETION = "completion"
    AFTER_COMPLETION = "after-completion"
    TIME = "time"


HEAD_SPOTS = frozenset({Spot.BEFORE_HEADERS, Spot.HEADERS})
_BARE_SPOTS = frozenset({Spot.BEFORE_HEADERS, Spot.COMPLETION, Spot.AFTER_COMPLETION})


class Drop(StrEnum):
    """The ways a cut connection can end."""

    FIN = "fin"
    RST = "rst"
    STALL = "stall"
    END = "end"
    SHORT_LENGTH = "short-length"
    BAD_CHUNK = "bad-chunk"
    BAD_HEAD = "bad-head"


_HEAD_DROPS = (Drop.FIN, Drop.RST, Drop.STALL, Drop.BAD_HEAD)
_BODY_DROPS = (Drop.FIN, Drop.RST, Drop.STALL, Drop.END, Drop.SHORT_LENGTH, Drop.BAD_CHUNK)


class Place(Struct, frozen=True):
    """Where a connection is cut.

    `at` is a number of bytes for `byte` and `headers` (None for `headers`: half of the head), None for a spot that
    takes no number, of seconds for `time`, and otherwise the number of complete events before the cut. `plus`, for
    `event` only, is the number of bytes of the next event.
    """

    spot: Spot
    at: int | None = None
    plus: int = 0

    def __post_init__(self) -> None:
        if self.at is None:
            if self.spot not in _BARE_SPOTS and self.spot is not Spot.HEADERS:
                raise ValueError(f"{self.spot} needs a number: write for example {self.spot}:5")
        elif self.spot in _BARE_SPOTS:
            raise ValueError(f"{self.spot} takes no number: write {self.spot} alone")
        else:
            require_range(self.spot, self.at, least=1 if self.spot in (Spot.HEADERS, Spot.TIME) else 0)
        if self.plus and self.spot is not Spot.EVENT:
            raise ValueError(f"{self.spot} takes no +{self.plus}: only event:K+N counts bytes of the next event")
        require_range(f"the bytes after {self.spot}", self.plus)

    def __str__(self) -> str:
        number = "" if self.at is None else f":{self.at}"
        return f"{self.spot}{number}" + (f"+{self.plus}" if self.plus else "")


class Cut(Fault, frozen=True):
    """The connection ends at `place`, with the ending that `drop` names."""

    ends_as: ClassVar[str] = "a cut"
    place: Place
    drop: Drop

    def __post_init__(self) -> None:
        allowed = _HEAD_DROPS if self.place.spot in HEAD_SPOTS else _BODY_DROPS
        if self.drop not in allowed:
            raise ValueError(f"{self.drop} cannot happen at {self.place}: there it can be {', '.join(allowed)}")

    @classmethod
    def read(cls, word: Word) -> Self:
        number, plus, extra = (word.value or "").partition("+")
        bytes_after = word.number(extra) if plus else 0
        place = Place(Spot(word.name), None if word.value is None else word.number(number), bytes_after)
        if not word.more:
            hint = f"write for example {word.text},rst (or {', '.join(Drop)})"
            word.fail(f"this names the place, not the ending: {hint}")
        ending = word.more.popleft()
        if ending.text not in list(Drop):
            ending.reject(f"is not a way for {word.text} to end", ending.text, Drop)
        return cls(place, Drop(ending.text))

    def __str__(self) -> str:
        return f"{self.place},{self.drop}"

    def stage(self, body: BodyKind) -> Stage | None:
        match self.place.spot:
            case Spot.BEFORE_HEADERS | Spot.HEADERS:
                return None
            case Spot.COMPLETION | Spot.AFTER_COMPLETION:
                return edit_completion(body.protocol, self._end_at)
            case Spot.TIME:
                return TimeCutter(self)
        return Cutter(self, chunked=isinstance(body.framing, Chunked))

    def _end_at(self, completion: Event) -> Sequence[Piece]:
        is_after = self.place.spot is Spot.AFTER_COMPLETION
        kept = completion.raw if is_after else completion.raw[: completion.lead]
        return [*([Chunk(kept)] if kept else []), ending_of(self)]


_LEAD_BYTE = re.compile(rb"[\xc2-\xf4]")
_HOWS = {
    Drop.FIN: How.FIN,
    Drop.RST: How.RST,
    Drop.STALL: How.STALL,
    Drop.SHORT_LENGTH: How.FIN,
    Drop.BAD_CHUNK: How.BAD_HTTP,
    Drop.BAD_HEAD: How.BAD_HTTP,
}
_TEARING = frozenset({Drop.FIN, Drop.RST, Drop.STALL})


def ending_of(cut: Cut) -> Ending:
    """The ending of a body or head that `cut` ends; `Cutter` adds the details of a cut inside a chunk."""
    if cut.drop is Drop.END:
        return COMPLETE
    at = {Spot.BEFORE_HEADERS: At.BEFORE_HEADERS, Spot.HEADERS: At.IN_HEADERS}.get(cut.place.spot, At.IN_BODY)
    sent = cut.place.at if at is At.IN_HEADERS else None
    return Ending(how=_HOWS[cut.drop], at=at, sent=sent, detail=f"fault plan: {cut}")


class Locator:
    """Finds a place in a body that is fed piece by piece.

    It tracks where the K-th event and the next one end, as offsets in the body; `byte:N` counts from its start.
    """

    def __init__(self, place: Place) -> None:
        self._spot = place.spot
        counts_bytes = place.spot is Spot.BYTE
        self._wanted = 0 if counts_bytes else place.at or 0
        self._extra = (place.at or 0) if counts_bytes else place.plus
        self._decoder = None if counts_bytes else Decoder()
        self._seen = 0
        self._base = 0
        self._begin: int | None = 0 if self._wanted == 0 else None
        self._next_end: int | None = None
        self._ends_in_cr = False  # the event does, so a LF that follows belongs to it
        self._line = b""

    def at_start(self) -> bool:
        """Whether the place is before the first byte."""
        return self._spot in (Spot.BYTE, Spot.EVENT) and self._begin == 0 and not self._extra

    def at_end(self) -> bool:
        """Whether the place is at the end of the body, once no more bytes follow."""
        return self._spot is Spot.EVENT and self._ends_in_cr and not self._extra

    def find(self, data: bytes) -> int | None:
        """How many of these bytes come before the place; None if it is beyond them."""
        base, self._base = self._base, self._base + len(data)
        for frame in self._decoder.feed(data) if self._decoder is not None else ():
            self._seen += 1
            if self._seen == self._wanted:
                self._begin, self._ends_in_cr = frame.end, data[frame.end - base - 1] == CR
            elif self._seen == self._wanted + 1:
                self._next_end = frame.end
        if self._begin is None:
            return None
        start = max(0, self._begin - base)
        match self._spot:
            case Spot.BLANK:  # just before the line end that would complete the next event
                return None if self._next_end is None else self._next_end - 1 - base
            case Spot.UTF8:  # after the first byte of the first character that has several
                lead = _LEAD_BYTE.search(data, start)
                return lead.end() if lead else None
            case Spot.DATA:
                return self._find_data(data, start)
        if self._ends_in_cr and start == len(data):
            return None
        self._begin += self._ends_in_cr and data[start] == LF
        self._ends_in_cr = False
        found = self._begin + self._extra
        if self._next_end is not None and self._extra:  # the next event stays incomplete
            found = min(found, self._next_end - 1)
        return found - base if found <= self._base else None

    def _find_data(self, data: bytes, start: int) -> int | None:
        """The place after the `da` of the next event's first data line."""
        for index in range(start, len(data)):
            is_end = data[index] in (CR, LF)
            self._line = b"" if is_end else (self._line + data[index : index + 1])[:3]
            if self._line == b"dat":
                return index
        return None


class Cutter(Stage):
    """The stage that ends a body at a place. `chunked`: a cut inside a piece leaves a torn chunk on the wire."""

    def __init__(self, cut: Cut, *, chunked: bool) -> None:
        self._locator = Locator(cut.place)
        self._ending = ending_of(cut)
        self._tears = chunked and cut.drop in _TEARING

    def begin(self) -> list[Piece]:
        """The ending, if the place is before the first byte."""
        return self._end() if self._locator.at_start() else []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece, or the part of it before the cut, then the ending."""
        if isinstance(piece, Chunk):
            keep = self._locator.find(piece.data)
            if keep is None:
                return [piece]
            declared = len(piece.data) if piece.declared is None else piece.declared
            data = piece.data[:keep]
            if self._tears and 0 < keep < declared:
                torn = replace(self._ending, at=At.IN_CHUNK, declared=declared, sent=keep)
                return [Chunk(data, declared), *self._end(torn)]
            return [Chunk(data), *self._end()] if data else self._end()
        if isinstance(piece, Ending) and self._locator.at_end():
            return self._end()
        return [piece]

    def _end(self, ending: Ending | None = None) -> list[Piece]:
        self.fired = True
        return [ending or self._ending]


class TimeCutter(Stage):
    """A cut at `time:S`: the body ends once it has paused for so many seconds in all.

    Only pauses count, which a carrier plays by its clock; so ten minutes of a run are no ten minutes of a test.
    """

    def __init__(self, cut: Cut) -> None:
        self._left = float(cut.place.at or 0)
        self._ending = ending_of(cut)

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece; of the pause in which time runs out, the part before that, and then the ending."""
        if not isinstance(piece, Pause):
            return [piece]
        before, self._left = self._left, self._left - piece.seconds
        if self._left > 0:
            return [piece]
        self.fired = True
        return [Pause(before), self._ending]


class ShortPromise(Stage):
    """Ends a body whose Content-Length declares `size` bytes before all of them are sent."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sent = 0

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece, cut so that at least one promised byte is never sent; a complete ending becomes a FIN."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Ending):
            return [self._break_off() if piece.complete else piece]
        data = piece.data[: self._size - 1 - self._sent]
        self._sent += len(data)
        whole = len(data) == len(piece.data)
        return [Chunk(data)] if whole else [Chunk(data), self._break_off()]

    def _break_off(self) -> Ending:
        self.fired = True
        detail = "fault plan: short-length, and the body ended before the place of the cut"
        return Ending(how=How.FIN, declared=self._size, sent=self._sent, detail=detail)


_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_LINE = re.compile(rb"[^\r\n]+")


def every_event(body: bytes) -> Iterator[Place]:
    """Before the first event, and after each event."""
    events, _ = _split_segments(body)
    for number in range(len(events) + 1):
        yield Place(Spot.EVENT, number)


def structural(body: bytes) -> Iterator[Place]:
    """About ten places per event, each of which has broken some reader, and the end of the body."""
    events, rest = _split_segments(body)
    for number, segment in enumerate(events):
        for offset in sorted(_choose_offsets(segment)):
            yield Place(Spot.EVENT, number, offset)
    yield Place(Spot.EVENT, len(events))
    for offset in sorted(_choose_offsets(rest) - {0}):
        yield Place(Spot.EVENT, len(events), offset)


def every_byte(body: bytes) -> Iterator[Place]:
    """Before the first byte, and after each byte."""
    for number in range(len(body) + 1):
        yield Place(Spot.BYTE, number)


def _split_segments(body: bytes) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    events = splitter.feed(body)
    last, rest = splitter.finish()
    return [event.raw for event in [*events, *last]], rest


def _choose_offsets(segment: bytes) -> set[int]:
    """Offsets in one event: its start, the names, middles and ends of its lines, inside a character, its end."""
    whole = len(segment) - segment.endswith(b"\r\n")  # the CR of a blank line already completes its event
    offsets = {0, 1, whole - 2, whole - 1}
    for line in _LINE.finditer(segment):
        name, colon, _ = line[0].partition(b":")
        offsets |= {line.start() + (len(name) + 1) // 2, line.start() + len(name) + len(colon)}
        offsets |= {(line.start() + line.end()) // 2, line.end()}
    character = _CHARACTER.search(segment)
    if character is not None:
        offsets.add(character.start() + 1)
    return {offset for offset in offsets if 0 <= offset < whole}
