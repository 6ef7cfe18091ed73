"""Runs that last long enough to act on: begun in the background, and made to stand still where that is possible.

Layer 2. On a scriptable target a run is held until it is let go, so that nothing races; elsewhere the input asks
for a long answer, the exercise acts at once, and a run that was over first is a race lost, nobody's fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.checks.actions import Finish, Open, Read, Send
from harness.checks.events import Event, decoded, last_cursor
from harness.checks.judging import SUCCESS
from harness.checks.target import Target
from harness.checks.waiting import Part, need_id, settled
from harness.outcome import Unmet
from harness.wire import Exchange, LiveStream, Request

LONG = "Write a story of two thousand words about a lighthouse."
"""An input that takes a live model some seconds."""

HELD_AFTER = 8
"""Events a held run has brought when it stands still: enough to cut it in the middle of a step."""


@dataclass(frozen=True, slots=True)
class Running:
    """A background run that had not settled when it was begun; `held` if it stands still until `let_go`."""

    id: str
    created: Exchange
    held: bool


def script(t: Target, marker: str, **keys: Any) -> Part[bool]:
    """Queue the answer to the next create whose input holds `(marker)` → whether the target takes scripts."""
    if "script" not in t.capabilities:
        return False
    body = {**keys, "match": {"input_contains": f"({marker})"}}
    answer: Exchange = yield Send(t.control("POST", "scripts", body))
    return answer.status in SUCCESS


def scripted(t: Target, marker: str, **keys: Any) -> Part[None]:
    """As `script`, for exercises that are nothing without it: raises `Unmet` when the target takes none."""
    if not (yield from script(t, marker, **keys)):
        raise Unmet("the target takes no scripts through /__harness__/")


def begin(t: Target, marker: str, **fields: Any) -> Part[Running]:
    """A background run that is still going on; `marker` tells its script from those of other exercises.

    Raises `Unmet` when the target gives no such run, `race_lost` when it was over at once.
    """
    held = yield from script(t, marker, hold={"after": HELD_AFTER})
    answer: Exchange = yield Send(t.create(input=f"{LONG} ({marker})", background=True, **fields))
    found = need_id(answer)
    if settled(answer):
        raise Unmet("the background run was over when its create was answered", race_lost=True)
    return Running(found, answer, held)


def let_go(t: Target, run: Running) -> Part[None]:
    """Let a held run go on; nothing where it was never held."""
    if run.held:
        yield Send(t.control("POST", "release", {"id": run.id}))


def read_to_a_cursor(stream: LiveStream, count: int, *, most: int) -> Part[list[Event]]:
    """So many events of a stream, and on to one that carries a cursor, but no more than `most`."""
    had = decoded((yield Read(stream, count)))
    while last_cursor(had) is None and len(had) < most:
        more = decoded((yield Read(stream, 1)))
        if not more:
            break
        had += more
    return had


def whole(request: Request) -> Part[Exchange]:
    """A stream read to its end."""
    stream = yield Open(request)
    exchange: Exchange = yield Finish(stream)
    return exchange
