"""Faults of the events of a stream, and of the bytes between them.

Layer 1. `after` counts complete events that reach a fault, those included that faults further to the left added.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.faults.values.ranges import require_range

MOST_REPLAYED = 64
"""The most events that `replay` may send again, because they are kept in memory."""


@dataclass(frozen=True, slots=True)
class Replay:
    """After `after` events the last `count` of them are sent again; `count=1` is a duplicate."""

    after: int
    count: int = 1

    def __post_init__(self) -> None:
        require_range("the events before a replay", self.after, least=1)
        require_range("the events to replay", self.count, least=1, most=min(self.after, MOST_REPLAYED) + 1)

    def __str__(self) -> str:
        return f"dup:{self.after}" if self.count == 1 else f"replay:{self.after}+{self.count}"


@dataclass(frozen=True, slots=True)
class Ping:
    """A comment after `after` events (None: after each event); every reader of event streams skips comments."""

    after: int | None

    def __post_init__(self) -> None:
        require_range("ping", self.after or 0)

    def __str__(self) -> str:
        return f"ping:{'all' if self.after is None else self.after}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event of an unknown type after `after` events (None: after each event)."""

    after: int | None

    def __post_init__(self) -> None:
        require_range("unknown", self.after or 0)

    def __str__(self) -> str:
        return f"unknown:{'all' if self.after is None else self.after}"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The API's in-stream error event after `after` events; the stream goes on. `own_id`: it has a cursor."""

    after: int
    own_id: bool = False

    def __post_init__(self) -> None:
        require_range("error", self.after)

    def __str__(self) -> str:
        return f"error:{self.after}" + ("+id" if self.own_id else "")


@dataclass(frozen=True, slots=True)
class BareError:
    """After `after` events bare JSON outside the framing reports a failure, and the stream ends in order.

    `refused`: it reports a refusal in one line; otherwise that the service is unavailable, over several lines.
    """

    after: int
    refused: bool = False

    def __post_init__(self) -> None:
        require_range("bare-error", self.after)

    def __str__(self) -> str:
        return f"bare-error:{self.after}" + ("+refusal" if self.refused else "")


@dataclass(frozen=True, slots=True)
class Ids:
    """Only every `every`-th event keeps its cursor; None: no event does."""

    every: int | None

    def __post_init__(self) -> None:
        if self.every is not None:
            require_range("ids", self.every, least=2)

    def __str__(self) -> str:
        return f"ids:{'none' if self.every is None else self.every}"


@dataclass(frozen=True, slots=True)
class Late:
    """The event that completes the stream is delayed by `millis` milliseconds."""

    millis: int

    def __post_init__(self) -> None:
        require_range("the milliseconds of late", self.millis, least=1, most=10**9)

    def __str__(self) -> str:
        return f"late:{_spell_seconds(self.millis)}"


@dataclass(frozen=True, slots=True)
class Silence:
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


@dataclass(frozen=True, slots=True)
class Inclusive:
    """A resumed stream begins with the event whose cursor the client sent, which the client already has."""

    def __str__(self) -> str:
        return "inclusive"


@dataclass(frozen=True, slots=True)
class Crlf:
    """Every line ends in CR LF."""

    def __str__(self) -> str:
        return "crlf"


@dataclass(frozen=True, slots=True)
class Chunks:
    """The body is sent in pieces of `size` bytes, regardless of what they split."""

    size: int

    def __post_init__(self) -> None:
        require_range("chunks", self.size, least=1)

    def __str__(self) -> str:
        return f"chunks:{self.size}"
