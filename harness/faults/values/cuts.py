"""Where a connection is cut, and how it ends.

Layer 1. A number of events means complete events, those included that faults further to the left added.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.faults.values.ranges import require_range


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
