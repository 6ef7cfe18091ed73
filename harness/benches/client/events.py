"""The events of a torture run; reports listen to them.

Layer 5, values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.benches.client.client_commands import Ended
from harness.benches.client.drop_case import Case


class Outcome(StrEnum):
    """The outcome of one case, the best first."""

    EXACT = "exact"
    """The client ended with the whole result, once and in order; or it gave up where only that is right."""

    GAVE_UP = "gave-up"
    """The client reported a failure, by a non-zero exit code or an `error`."""

    WRONG = "wrong"
    """The client reported success with a wrong result."""

    HUNG = "hung"
    """The client had to be stopped: it ran out of time, or sent requests without end."""


@dataclass(frozen=True, slots=True)
class TortureStarted:
    """`text` is what the client has to end up with, `events` the number of events in the stream."""

    cases: int
    text: str
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEnded:
    """One case. `event` is the number of the event that it cuts (from 0), None for other kinds of plans.

    `problem` is a phrase with the client as its subject, "" if it was exact; `wire` has a line for each request.
    """

    number: int
    case: Case
    outcome: Outcome
    problem: str
    wire: tuple[str, ...]
    ended: Ended
    event: int | None = None
