"""The actions that an exercise can yield to the runner.

An exercise is a generator; each `yield` hands one of these to the runner and receives its result. Those that reach
the target are the actions of a driver (`wire/driver.py`); the others read a stream that is open. The runner
decides where requests go, closes open streams and receivers, and deletes what was created.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from harness.outcome import Unmet
from harness.wire import Collect as Collect
from harness.wire import Exchange, LiveStream, Request
from harness.wire import Listen as Listen
from harness.wire import Open as Open
from harness.wire import Send as Send
from harness.wire import Together as Together
from harness.wire import Wait as Wait

T = TypeVar("T")


class Read(Struct, frozen=True):
    """Read up to `events` more frames of an open stream → `list[Frame]`, fewer if it ended."""

    stream: LiveStream
    events: int


class Finish(Struct, frozen=True):
    """Read an open stream to its end → `Exchange`."""

    stream: LiveStream


class Close(Struct, frozen=True):
    """Close an open stream → `Exchange`."""

    stream: LiveStream


Action: TypeAlias = Send | Open | Read | Finish | Close | Wait | Together | Listen | Collect
Part: TypeAlias = Generator[Action, Any, T]
"""A part of an exercise that yields actions and returns a `T`."""


def send(request: Request, timeout: float | None = None) -> Part[Exchange]:
    """Send one request → its exchange."""
    exchange: Exchange = yield Send(request, timeout)
    return exchange


def play_each(parts: Iterable[Part[Any]]) -> Part[list[Any]]:
    """Play parts one after the other → what each returns, in their order."""
    results: list[Any] = []
    for part in parts:
        result = yield from part
        results.append(result)
    return results


def send_each(timeout: float | None = None, /, **requests: Request) -> Part[dict[str, Exchange]]:
    """Send requests one after the other → the exchanges by name."""
    sent: list[Exchange] = yield from play_each(send(request, timeout) for request in requests.values())
    return dict(zip(requests, sent, strict=True))


Exchanges: TypeAlias = dict[str, Any]
"""What an exercise returns, by name: `Exchange`, `list[Exchange]` or plain facts that it noted."""

STOPPED = "stopped"
"""The name under which an exercise that could not go on returns the reason, beside its results until then."""


def stop_exercise(seen: Exchanges, reason: str, *, race_lost: bool = False, remedy: str = "") -> Exchanges:
    """Build the result of an exercise that cannot go on; checks that need only `seen` are still judged.

    An exercise that has nothing to judge raises `Unmet` instead.
    """
    return {**seen, STOPPED: Unmet(reason, race_lost=race_lost, remedy=remedy)}


Steps: TypeAlias = Generator[Action, Any, Exchanges]
"""The type of an exercise's generator; call helpers that yield actions with `yield from`."""


# How long to pause between two looks at the same thing.


_FIRST, _GROWTH, _LONGEST = 0.02, 1.6, 5.0
"""Pauses between polls: the first in seconds, the growth factor, the longest in seconds. Most things happen soon,
on a nearby target within milliseconds; the others may take long."""


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each next poll, endlessly."""
    pause = _FIRST
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST)


def pauses_within(seconds: float) -> Iterator[float]:
    """Yield the same pauses until they add up to `seconds`; the last one is shortened to fit."""
    for pause in pauses():
        if seconds <= 0:
            return
        yield min(pause, seconds)
        seconds -= pause
