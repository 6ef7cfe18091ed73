"""The values of a fault plan: cuts, faults of frames and of events, and faults of the whole response."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import quote

from msgspec import Struct

MOST = 10**12
"""Numbers in a plan must be below this; a larger one is a typing error."""


def require_range(name: str, value: int, *, least: int = 0, most: int = MOST) -> None:
    """Raise ValueError for a number outside its range."""
    if not least <= value < most:
        raise ValueError(f"{name} is {value}: it must be from {least} to {most - 1}")


# Where a connection is cut, and how it ends.
# A number of events means complete events, those included that faults further to the left added.


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


class Cut(Struct, frozen=True):
    """The connection ends at `place`, with the ending that `drop` names."""

    place: Place
    drop: Drop

    def __post_init__(self) -> None:
        allowed = _HEAD_DROPS if self.place.spot in HEAD_SPOTS else _BODY_DROPS
        if self.drop not in allowed:
            raise ValueError(f"{self.drop} cannot happen at {self.place}: there it can be {', '.join(allowed)}")

    def __str__(self) -> str:
        return f"{self.place},{self.drop}"


class _Bare(Struct, frozen=True):
    """A fault without a value, which the grammar names as its class is named."""

    def __str__(self) -> str:
        return type(self).__name__.lower()


class _After(Struct, frozen=True):
    """A fault after `after` events (None: at each), which the grammar names as its class is named."""

    after: int | None

    def __post_init__(self) -> None:
        require_range(type(self).__name__.lower(), self.after or 0)

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}:{'all' if self.after is None else self.after}"


class _OfSize(Struct, frozen=True):
    """A fault that makes pieces of `size` bytes, which the grammar names as its class is named."""

    size: int

    def __post_init__(self) -> None:
        require_range(type(self).__name__.lower(), self.size, least=1)

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}:{self.size}"


# Faults of single frames as values: one whose data is cut short, ones that are missing, legal additions inside.
# `str` of every value is its spelling in the grammar.


class Part(StrEnum):
    """The part that a stream may lack: a frame, or the line ends of its last one."""

    COMPLETION = "no-completion"
    SENTINEL = "no-done"
    NEWLINE = "no-newline"


class Garble(_After, frozen=True):
    """The event after `after` events arrives as a whole frame whose JSON ends in the middle."""

    after: int


class Omit(Struct, frozen=True):
    """The stream lacks a part, and is otherwise whole."""

    part: Part

    def __str__(self) -> str:
        return str(self.part)


class Glue(_Bare, frozen=True):
    """Each frame is written otherwise: a comment and a `retry` field in it, data first, no space after colons."""


class Comment(_After, frozen=True):
    """A comment line inside the frame of the event after `after` events (None: of each event), before its data."""


class Trickle(_OfSize, frozen=True):
    """The body comes in pieces of `size` bytes, with a moment between them: readers get them one by one."""


class Members(_Bare, frozen=True):
    """Each event has a member that no reader knows."""


# Faults of the events of a stream, and of the bytes between them.
# `after` counts complete events that reach a fault, those included that faults further to the left added.


class Replay(Struct, frozen=True):
    """After `after` events the last `count` of them are sent again; `count=1` is a duplicate."""

    after: int
    count: int = 1

    def __post_init__(self) -> None:
        require_range("the events before a replay", self.after, least=1)
        # they are kept in memory
        require_range("the events to replay", self.count, least=1, most=min(self.after, 64) + 1)

    def __str__(self) -> str:
        return f"dup:{self.after}" if self.count == 1 else f"replay:{self.after}+{self.count}"


class Ping(_After, frozen=True):
    """A comment after `after` events (None: after each event); every reader of event streams skips comments."""


class Unknown(_After, frozen=True):
    """An event of an unknown type after `after` events (None: after each event)."""


class ErrorEvent(_After, frozen=True):
    """The API's in-stream error event after `after` events; the stream goes on. `own_id`: it has a cursor."""

    after: int
    own_id: bool = False

    def __str__(self) -> str:
        return f"error:{self.after}" + ("+id" if self.own_id else "")


class BareError(_After, frozen=True):
    """After `after` events bare JSON outside the framing reports a failure, and the stream ends in order.

    `refused`: it reports a refusal in one line; otherwise that the service is unavailable, over several lines.
    """

    after: int
    refused: bool = False

    def __str__(self) -> str:
        return f"bare-error:{self.after}" + ("+refusal" if self.refused else "")


class Ids(Struct, frozen=True):
    """Only every `every`-th event keeps its cursor; None: no event does."""

    every: int | None

    def __post_init__(self) -> None:
        if self.every is not None:
            require_range("ids", self.every, least=2)

    def __str__(self) -> str:
        return f"ids:{'none' if self.every is None else self.every}"


class Late(Struct, frozen=True):
    """The event that completes the stream is delayed by `millis` milliseconds."""

    millis: int

    def __post_init__(self) -> None:
        require_range("the milliseconds of late", self.millis, least=1, most=10**9)

    def __str__(self) -> str:
        return f"late:{_spell_seconds(self.millis)}"


class Silence(Struct, frozen=True):
    """After `after` events nothing comes for `millis` milliseconds; then the stream goes on."""

    after: int
    millis: int

    def __post_init__(self) -> None:
        require_range("silence", self.after)
        require_range("the milliseconds of silence", self.millis, least=1, most=10**9)

    def __str__(self) -> str:
        return f"silence:{self.after}+{_spell_seconds(self.millis)}"


def _spell_seconds(millis: int) -> str:
    whole, rest = divmod(millis, 1000)
    return str(whole) + (f".{rest:03d}".rstrip("0") if rest else "")


class Inclusive(_Bare, frozen=True):
    """A resumed stream begins with the event whose cursor the client sent, which the client already has."""


class Crlf(_Bare, frozen=True):
    """Every line ends in CR LF."""


class Chunks(_OfSize, frozen=True):
    """The body is sent in pieces of `size` bytes, regardless of what they split."""


# Faults of whole answers as values: refusals, raw text after the events, changed members, content codings.
# `str` of every value is its spelling in the grammar, where a text of
# one's own is percent-encoded, so that no character of it means anything there or in a shell.


_WAIT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class ErrorShape(StrEnum):
    """The apparent author of the body of a rejection."""

    SERVICE = "service"
    FRONT_END = "front-end"
    LIST = "list"
    SENTENCE = "sentence"
    HTML = "html"


class Status(Struct, frozen=True):
    """An error response in place of the real one; the service never receives the request.

    `retry_info` is a wait in seconds in the body alone, as text with up to nine decimals; `body` is a body
    of one's own in place of `shape`.
    """

    code: int
    retry_after: int | None = None
    retry_after_ms: int | None = None
    shape: ErrorShape = ErrorShape.SERVICE
    retry_info: str | None = None
    body: str | None = None

    def __post_init__(self) -> None:
        require_range("a status", self.code, least=400, most=600)
        require_range("retry-after", self.retry_after or 0)
        require_range("retry-after-ms", self.retry_after_ms or 0)
        if self.body is not None and (self.shape is not ErrorShape.SERVICE or self.retry_info is not None):
            raise ValueError("a body of one's own is the whole body: leave out shape and retry-info")
        if self.retry_info is None:
            return
        if _WAIT.fullmatch(self.retry_info) is None:
            raise ValueError(
                f"retry-info:{self.retry_info} is not a number of seconds: write for example 34.430985"
            )
        if self.shape not in (ErrorShape.FRONT_END, ErrorShape.LIST):
            raise ValueError("retry-info stands in the body of a front end: write shape:front-end or shape:list")

    def __str__(self) -> str:
        words = [f"status:{self.code}"]
        words += [] if self.retry_after is None else [f"retry-after:{self.retry_after}"]
        words += [] if self.retry_after_ms is None else [f"retry-after-ms:{self.retry_after_ms}"]
        usual = ErrorShape.SERVICE if self.retry_info is None else ErrorShape.FRONT_END
        words += [] if self.shape is usual else [f"shape:{self.shape}"]
        words += [] if self.retry_info is None else [f"retry-info:{self.retry_info}"]
        words += [] if self.body is None else [f"body:{spell_text(self.body)}"]
        return ",".join(words)


class Raw(Struct, frozen=True):
    """After `after` events `text` comes as it is, outside the framing, and the stream ends in order."""

    after: int
    text: str

    def __post_init__(self) -> None:
        require_range("raw", self.after)
        if not self.text:
            raise ValueError(f"raw:{self.after} has no text: write for example raw:{self.after}+Bad%20gateway")

    def __str__(self) -> str:
        return f"raw:{self.after}+{spell_text(self.text)}"


class Edit(StrEnum):
    """An operation on a member."""

    STRIP = "strip"
    EMPTY = "empty"


class Reshape(Struct, frozen=True):
    """Each member with this name, at any depth of events and JSON bodies, is missing, or is there and empty."""

    edit: Edit
    member: str

    def __post_init__(self) -> None:
        if _MEMBER.fullmatch(self.member) is None:
            raise ValueError(f"{self.edit}:{self.member} names no member: write for example {self.edit}:usage")

    def __str__(self) -> str:
        return f"{self.edit}:{self.member}"


class Coding(StrEnum):
    """The content codings that a fault can apply."""

    GZIP = "gzip"
    DEFLATE = "deflate"


class Compress(Struct, frozen=True):
    """The response is compressed, if the client accepts this coding."""

    coding: Coding

    def __str__(self) -> str:
        return str(self.coding)


def spell_text(text: str) -> str:
    """A text of one's own in the grammar."""
    return quote(text, safe="", errors="surrogatepass")


Fault: TypeAlias = (
    Cut | Status | Replay | Ping | Unknown | ErrorEvent | BareError | Ids | Late | Inclusive | Crlf | Chunks
    | Garble | Omit | Glue | Members | Trickle | Comment | Raw | Silence | Reshape | Compress
)  # fmt: skip
