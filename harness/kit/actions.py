"""The actions that an exercise can yield to the runner.

Layer 1. An exercise is a generator; each `yield` hands one of these to the runner and receives its result. The
runner decides where requests go, closes open streams and deletes what was created.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from harness.outcome import Unmet
from harness.wire import LiveStream, Request
from harness.wire.delivery import Inbox

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send one request and read the whole answer → `Exchange`. `timeout` is in seconds; None: the driver's own.

    After a 429 or 503 the runner waits and repeats the request, except for statuses in `sees`: the exercise wants
    to see these itself.
    """

    request: Request
    timeout: float | None = None
    sees: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request and leave the body unread → `LiveStream`; only the actions below may use it.

    `timeout` is in seconds, for all of the answer; None: the driver's own.
    """

    request: Request
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Read up to `events` more frames of an open stream → `list[Frame]`, fewer if it ended."""

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
    """Send requests at the same time → `list[Exchange]` in the order of the requests."""

    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Listen:
    """Open a receiver for what the target delivers by itself → `Inbox`; the runner closes it.

    The exercise stops as untestable if the target cannot reach one.
    """


@dataclass(frozen=True, slots=True)
class Collect:
    """Wait until `count` deliveries have come, at most `seconds` → `list[Arrival]`, all that came meanwhile."""

    receiver: Inbox
    count: int
    seconds: float


Action: TypeAlias = Send | Open | Read | Finish | Close | Wait | Together | Listen | Collect
Part: TypeAlias = Generator[Action, Any, T]
"""A part of an exercise that yields actions and returns a `T`."""

Exchanges: TypeAlias = dict[str, Any]
"""What an exercise returns, by name: `Exchange`, `list[Exchange]` or plain facts that it noted."""

STOPPED = "stopped"
"""The name under which an exercise that could not go on returns the reason, beside its results until then."""


def stop_exercise(seen: Exchanges, reason: str, *, race_lost: bool = False) -> Exchanges:
    """Build the result of an exercise that cannot go on; checks that need only `seen` are still judged.

    An exercise that has nothing to judge raises `Unmet` instead.
    """
    return {**seen, STOPPED: Unmet(reason, race_lost=race_lost)}


Steps: TypeAlias = Generator[Action, Any, Exchanges]
"""The type of an exercise's generator; call helpers that yield actions with `yield from`."""
