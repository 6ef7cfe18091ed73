"""Fault plans as frozen values: where a stream is damaged, how, and on which connection.

Layer 1. Knows what a fault means and which faults can be combined; must not know how one is parsed (`grammar`) or
applied (`transducer`). `str` of every value is its spelling in the grammar.

Every number K in here means the same: after K complete events. A fault counts the events that reach it, including
those that the faults to its left added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice, repeat
from typing import TypeAlias

from harness.faults.answer_values import Compress, Raw, Reshape, Status
from harness.faults.frame_values import Comment, Garble, Glue, Members, Omit, Trickle
from harness.faults.ranges import require_range

MOST_REPLAYED = 64
"""The most events that `replay` may send again, because they are kept in memory."""


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


class Scope(StrEnum):
    """The requests that a plan counts and applies to."""

    STREAMS = "streams"
    STARTS = "starts"
    RESUMES = "resumes"
    CALLS = "calls"
    CREATES = "creates"
    GETS = "gets"
    CANCELS = "cancels"
    DELETES = "deletes"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Place:
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


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends at `place`, in the way that `drop` names."""

    place: Place
    drop: Drop

    def __post_init__(self) -> None:
        allowed = _HEAD_DROPS if self.place.spot in HEAD_SPOTS else _BODY_DROPS
        if self.drop not in allowed:
            raise ValueError(f"{self.drop} cannot happen at {self.place}: there it can be {', '.join(allowed)}")

    def __str__(self) -> str:
        return f"{self.place},{self.drop}"


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


Fault: TypeAlias = (
    Cut | Status | Replay | Ping | Unknown | ErrorEvent | BareError | Ids | Late | Inclusive | Crlf | Chunks
    | Garble | Omit | Glue | Members | Trickle | Comment | Raw | Silence | Reshape | Compress
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Connection:
    """The faults of a connection, applied from left to right; without any it is left alone.

    `times` is the number of consecutive connections that they apply to, None: all that follow.
    """

    faults: tuple[Fault, ...] = ()
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.times is not None:
            require_range("times", self.times, least=1)
        for fault in self.faults[:-1]:
            if isinstance(fault, Cut | BareError | Raw):
                what = {Cut: "a cut", BareError: "a bare error", Raw: "a raw end"}[type(fault)]
                raise ValueError(f"{fault} is not the last fault of its connection: nothing can follow {what}")
        for fault in self.faults:
            if isinstance(fault, Status) and len(self.faults) > 1:
                raise ValueError(f"{fault} takes the place of the whole answer: it stands alone in its connection")

    def __str__(self) -> str:
        times = "" if self.times == 1 else f",times:{'all' if self.times is None else self.times}"
        return (",".join(map(str, self.faults)) or "pass") + times


@dataclass(frozen=True, slots=True)
class Seed:
    """What a random plan was drawn from: a seed and the expected number of events in a stream."""

    number: int
    events: int = 12

    def __post_init__(self) -> None:
        require_range("a seed", self.number)
        require_range("the events of a random plan", self.events, least=1)

    def __str__(self) -> str:
        return f"random:{self.number}" + ("" if self.events == 12 else f"+{self.events}")


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of the connections in `scope`, in order; connections past the last one are left alone.

    `str` of a plan that was drawn is its `seed`, from which the same plan is drawn again; `spelled` writes it out.
    `also` are plans for other requests: each request counts in the part with the narrowest scope that it is in.
    """

    connections: tuple[Connection, ...]
    scope: Scope = Scope.STREAMS
    seed: Seed | None = None
    also: tuple[Plan, ...] = ()

    def __post_init__(self) -> None:
        if not self.connections:
            raise ValueError("a plan needs at least one connection: `pass` is the one without faults")
        for connection in self.connections[:-1]:
            if connection.times is None:
                raise ValueError(f"{connection} is for ever: the connections after it would never come")
        scopes = [self.scope]
        for plan in self.also:
            if plan.also:
                raise ValueError(f"{plan} is a plan of several parts, which cannot be a part of another one")
            if plan.scope in scopes:
                raise ValueError(f"{plan.scope} has a part already: write all its connections there")
            scopes.append(plan.scope)

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plans for different requests that this plan consists of, each without further parts."""
        return (replace(self, also=()), *self.also) if self.also else (self,)

    def sequence(self) -> Iterator[tuple[Fault, ...]]:
        """Yield the faults of each connection in order, without end."""
        for connection in self.connections:
            times = () if connection.times is None else (connection.times,)
            yield from repeat(connection.faults, *times)
        yield from repeat(())

    def faults(self, number: int) -> tuple[Fault, ...]:
        """The faults of the connection with this 0-based number."""
        return next(islice(self.sequence(), number, None))

    @property
    def length(self) -> int | None:
        """How many connections it is for; None if there is no end to them."""
        times = [connection.times for connection in self.connections]
        return None if None in times else sum(time for time in times if time is not None)

    @property
    def spelled(self) -> str:
        """The plan written out, even if its `str` is the seed."""
        return self._join(lambda plan: "/".join(map(str, plan.connections)))

    def _join(self, spell: Callable[[Plan], str]) -> str:
        own = spell(self) if self.scope is Scope.STREAMS else f"{self.scope}={spell(self)}"
        return "/".join((own, *(f"{plan.scope}={spell(plan)}" for plan in self.also)))

    def __str__(self) -> str:
        return self._join(lambda plan: str(plan.seed or "/".join(map(str, plan.connections))))


_WIDE = {Scope.ALL: 2, Scope.STREAMS: 1, Scope.CALLS: 1}


def choose_scope(scopes: Iterable[Scope], fitting: frozenset[Scope]) -> Scope | None:
    """The narrowest of a plan's scopes that a request is in; of equally narrow ones the first; None: no one."""
    return min(
        (scope for scope in scopes if scope in fitting), key=lambda scope: _WIDE.get(scope, 0), default=None
    )
