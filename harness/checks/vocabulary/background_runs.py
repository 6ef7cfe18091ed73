"""Background runs that last long enough to act on, held in place if the target allows it.

Layer 2. On a scriptable target a run is held until it is released, so that there is no race. Elsewhere the input
asks for a long answer and the exercise acts at once; a run that is over first is a lost race, not a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.checks.vocabulary.polling import need_id, settled
from harness.checks.vocabulary.stream_events import Event, decode_frames, last_cursor
from harness.contract.judge.replies import SUCCESS
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Finish, Open, Part, Read, Send
from harness.outcome import Unmet
from harness.wire import Exchange, LiveStream, Request

LONG = "Write a story of two thousand words about a lighthouse."
"""An input that keeps a live model busy for some seconds."""

LONGER = "Write a story of ten thousand words about a lighthouse, chapter by chapter: " + " ".join(
    f"{number}. What the keeper sees in night {number}, and what he writes into his book."
    for number in range(1, 17)
)
"""An input that keeps it busy for longer, for a run that was over too soon with `LONG`.

It has hundreds of words itself: servers made for tests answer what they were asked.
"""

HELD_AFTER = 8
"""Events that a held run sends before it stops: enough to cut it in the middle of a step."""


@dataclass(frozen=True, slots=True)
class BackgroundRun:
    """A background run that had not settled when its create was answered; if `held`, until `release_run`."""

    id: str
    created: Exchange
    held: bool


def script(t: RequestBuilder, marker: str, **keys: Any) -> Part[bool]:
    """Script the answer to the next create whose input contains `(marker)` → whether the target accepted it."""
    if "script" not in t.capabilities:
        return False
    body = {**keys, "match": {"input_contains": f"({marker})"}}
    answer: Exchange = yield Send(t.control("POST", "scripts", body))
    return answer.status in SUCCESS


def require_script(t: RequestBuilder, marker: str, **keys: Any) -> Part[None]:
    """Like `script`, for exercises that depend on it: raises `Unmet` if the target does not accept scripts."""
    if not (yield from script(t, marker, **keys)):
        raise Unmet("the target accepts no scripts through /__harness__/")


def start_run(t: RequestBuilder, text: str = LONG, **fields: Any) -> Part[Exchange]:
    """Begin a background run that is still in progress → the answer to its create, which has its id.

    Raises `Unmet` if the create brings no id, or, with `race_lost`, if the run was over at once.
    """
    answer: Exchange = yield Send(t.create(input=text, background=True, **fields))
    need_id(answer)
    if settled(answer):
        raise Unmet("the background run settled before its create returned", race_lost=True)
    return answer


def start_held_run(t: RequestBuilder, marker: str, *, text: str = LONG, **fields: Any) -> Part[BackgroundRun]:
    """Begin one as `start_run` does, held if that can be; `marker` separates its script from other exercises'."""
    held = yield from script(t, marker, hold={"after": HELD_AFTER})
    answer = yield from start_run(t, f"{text} ({marker})", **fields)
    return BackgroundRun(need_id(answer), answer, held)


def release_run(t: RequestBuilder, run: BackgroundRun) -> Part[None]:
    """Release a held run; do nothing for a run that is not held."""
    if run.held:
        yield Send(t.control("POST", "release", {"id": run.id}))


def read_to_a_cursor(stream: LiveStream, count: int, *, most: int) -> Part[list[Event]]:
    """Read `count` events of a stream, and more until one carries a cursor, at most `most`."""
    had = decode_frames((yield Read(stream, count)))
    while last_cursor(had) is None and len(had) < most:
        more = decode_frames((yield Read(stream, 1)))
        if not more:
            break
        had += more
    return had


def read_whole_stream(request: Request, timeout: float | None = None) -> Part[Exchange]:
    """Open a stream and read it to its end; `timeout` as in `Open`."""
    stream = yield Open(request, timeout)
    exchange: Exchange = yield Finish(stream)
    return exchange
