"""What a torture run tells while it goes; reports listen.

Layer 4, values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.runner.drops import Case
from harness.runner.torture.client import Ended


class Outcome(StrEnum):
    """How a client came out of one case, the best first."""

    EXACT = "exact"
    """It ended with the whole result, once and in order; or it gave up where nothing else would be right."""

    GAVE_UP = "gave-up"
    """It said that it failed: a non-zero exit code, or an `error`."""

    WRONG = "wrong"
    """It said that all was well, and it was not."""

    HUNG = "hung"
    """It had to be stopped: out of time, or asking for ever."""


@dataclass(frozen=True, slots=True)
class TortureStarted:
    """`text` is what the client has to end up with, `events` how many the stream has."""

    cases: int
    text: str
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEnded:
    """One case. `event` is the number of the event it cuts (from 0), None for a plan of another kind.

    `problem` is a phrase whose subject is the client, "" when it was exact; `wire` has a line for each request.
    """

    number: int
    case: Case
    outcome: Outcome
    problem: str
    wire: tuple[str, ...]
    ended: Ended
    event: int | None = None
