"""The events that every run emits, whichever command it belongs to; every report listens to them.

Frozen data only; must not know who listens, how a request is sent, or which command runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from harness.engine.capabilities import Capabilities
from harness.engine.results import Evidence, Result
from harness.engine.traffic.patience import TimeoutLosses
from harness.engine.traffic.retries import Waited
from harness.outcome import Exit, Verdict
from harness.wire import Exchange
from harness.wire.addresses import is_loopback, read_host


class TargetInfo(Struct, frozen=True, kw_only=True):
    """The target as a report may print it.

    `url` is the root for `curl` lines, `""` for the embedded emulator and for a target that is no server.
    `secrets` are the values that must never be printed, by the environment variable that replaces each.
    """

    name: str
    url: str = ""
    version: str = ""
    model: str = ""
    agent: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept_name(self) -> str:
        """Its name for what later runs know of it: a server on this machine may have another port then."""
        host = read_host(self.url)
        return host if host and is_loopback(host) else self.name


class RunStarted(Struct, frozen=True):
    """The target is known; nothing has been sent."""

    target: TargetInfo


class Probed(Struct, frozen=True):
    """The capabilities of the target, as declared, announced or found with `requests` requests.

    `notes` are sentences about the target that a reader of the verdicts needs.
    """

    capabilities: Capabilities
    requests: int
    notes: tuple[str, ...] = ()


class Planned(Struct, frozen=True):
    """How much there is to do: results to expect, exercises to play, and the most `seconds` that they may take.

    `running` of the results come from an exercise, None if all do.
    """

    checks: int
    exercises: int
    seconds: float = math.inf
    running: int | None = None


class ExerciseStarted(Struct, frozen=True):
    """The exercise `name` begins; `checks` are the ids of the checks that use it, if that is known before."""

    name: str
    checks: tuple[str, ...] = ()


class ExerciseTimes(Struct, frozen=True):
    """The waiting times of an exercise, in seconds that add up to `seconds`, over its `requests`.

    `first_byte`: some request had no byte of its response yet; `body`: none of these, but some response went on;
    `between`: no request was under way, as between polls and in pauses that the target requested.
    """

    seconds: float
    requests: int
    first_byte: float
    body: float
    between: float

    @classmethod
    def of(cls, trail: Iterable[Exchange], seconds: float) -> ExerciseTimes:
        """Measure finished exchanges of an exercise that took so many seconds."""
        known = [(one, one.began) for one in trail if one.began is not None]
        heads = _measure_union((began, began + one.first_byte) for one, began in known)
        busy = _measure_union((began, began + one.seconds) for one, began in known)
        return cls(max(seconds, busy), len(known), heads, busy - heads, max(0.0, seconds - busy))


def _measure_union(spans: Iterable[tuple[float, float]]) -> float:
    """The seconds that some span covers."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


class ExerciseFinished(Struct, frozen=True):
    """The exercise `name` is over; others may go on beside it."""

    name: str
    times: ExerciseTimes


class Waiting(Struct, frozen=True):
    """The target requested a pause with `refusal`; the next try is in `seconds`. May come from any thread."""

    seconds: float
    refusal: Exchange


class Deleting(Struct, frozen=True):
    """The run was interrupted, and deletes so many resources that it created."""

    owed: int


class CheckFinished(Struct, frozen=True):
    """One more verdict; nothing gets two."""

    result: Result


class Progressed(Struct, frozen=True):
    """How far a part of the run is: `counts` with names of the part's choice, and how much it found so far.

    `left` are the seconds that the rest is estimated to take, 0 if that is unknown.
    """

    name: str
    counts: Mapping[str, int]
    findings: int
    seconds: float
    left: float = 0.0


class PhaseFinished(Struct, frozen=True, kw_only=True):
    """A part of a run is over: an engine of a search, a file of recordings, the reading without a fault.

    `counts` has names of the part's choice; `findings` is how much it found to be wrong. `notes` are for the user,
    `vacuous` are reasons why (this much of) the part proves nothing. `left_out` lists for each reason what is not
    judged; `""` is the whole part. `answers` counts the kinds of answers that it judged; `accepted` are the calls
    that succeeded at least once, `never_accepted` those that never did. `keys` are what its traffic names as keys,
    which no report may show.
    """

    name: str
    seconds: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    findings: int = 0
    notes: tuple[str, ...] = ()
    vacuous: tuple[str, ...] = ()
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    never_accepted: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class RunStopped(Struct, frozen=True, kw_only=True):
    """The run cannot go on. `reason` has the observation, the lack and the next step.

    `unfinished` are the exercises that did not run, or not to their end. `evidence` is the first of the `silent`
    exchanges in a row without a response.
    """

    reason: str
    unfinished: tuple[str, ...]
    silent: int
    evidence: Evidence


class RunFinished(Struct, frozen=True):
    """All results, in the order of the catalog, and the exit code they mean (`decide.exit_of`).

    `leftovers` are the resources that could not be deleted. `waited` is the time of pauses that the target
    requested, and `cut` counts losses to responses that did not end. `halted` is why the run ended early, `""` if
    it did not. `holes` are clauses about obstacles to judging: the run does not pass. `lost` are the last requests
    that a target got, if it stopped for good. `mishaps` are crashes, limits and cut responses that did not come
    again when their requests were sent again: they may be those of the network, and no rule judges them.
    """

    results: tuple[Result, ...]
    seconds: float
    exit: Exit
    leftovers: tuple[str, ...] = ()
    waited: Waited = field(default_factory=Waited)
    cut: TimeoutLosses = field(default_factory=TimeoutLosses)
    halted: str = ""
    holes: tuple[str, ...] = ()
    lost: tuple[Exchange, ...] = ()
    mishaps: tuple[Exchange, ...] = ()

    @property
    def counts(self) -> dict[Verdict, int]:
        """The number of results for each verdict, in the order of `Verdict`, including zeros."""
        seen = Counter(result.verdict for result in self.results)
        return {verdict: seen[verdict] for verdict in Verdict}

    @property
    def unjudged(self) -> tuple[Result, ...]:
        """Results that say nothing: each MUST without an answer, and each check for which time ran out."""
        return tuple(result for result in self.results if result.unjudged)


RunEvent: TypeAlias = (
    RunStarted
    | Probed
    | Planned
    | ExerciseStarted
    | ExerciseFinished
    | Deleting
    | Waiting
    | CheckFinished
    | Progressed
    | PhaseFinished
    | RunStopped
    | RunFinished
)
