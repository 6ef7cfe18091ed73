"""What an exercise may ask for: the vocabulary between a check and whoever runs it.

Layer 2. An exercise is a generator; each `yield` hands one of these to the runner and receives its result. The
runner decides where requests go, closes what is open and deletes what was created.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.outcome import Unmet
from harness.wire import LiveStream, Request


@dataclass(frozen=True, slots=True)
class Send:
    """One request and its whole answer → `Exchange`. `timeout` in seconds, the driver's own when None.

    An answer that says "later" (429, 503) is waited out, but for the statuses that the exercise `sees`.
    """

    request: Request
    timeout: float | None = None
    sees: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Open:
    """Send and leave the body unread → `LiveStream`; only the actions below may touch it."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Up to `events` more frames of an open stream → `list[Frame]`, fewer when it ended."""

    stream: LiveStream
    events: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Read an open stream to its end → `Exchange`."""

    stream: LiveStream


@dataclass(frozen=True, slots=True)
class Close:
    """Hang up an open stream → `Exchange`."""

    stream: LiveStream


@dataclass(frozen=True, slots=True)
class Wait:
    """Let `seconds` pass at the target → None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together:
    """Requests sent at the same time → `list[Exchange]` in their order."""

    requests: tuple[Request, ...]


Action: TypeAlias = Send | Open | Read | Finish | Close | Wait | Together
Exchanges: TypeAlias = dict[str, Any]
"""What an exercise returns: `Exchange`, `list[Exchange]` or plain facts it counted, by name."""

STOPPED = "stopped"
"""Under this name an exercise that could not go on says why, beside what it had got until then."""


def stopped(seen: Exchanges, reason: str, *, race_lost: bool = False) -> Exchanges:
    """What an exercise returns when it cannot go on: checks that want no more than `seen` are still judged.

    An exercise that has nothing worth judging raises `Unmet` instead.
    """
    return {**seen, STOPPED: Unmet(reason, race_lost=race_lost)}


Steps: TypeAlias = Generator[Action, Any, Exchanges]
"""The generator an exercise is; helpers that yield actions are used with `yield from`."""
