"""The events that every run emits, whichever command it belongs to, and the capabilities that they carry.

Values, and the parsing of `+x,-y`; every report listens to the events. Must not know who listens, how a request is
sent, or which command runs. A capability has an origin: declared, announced by the control API, or probed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from harness.engine.results import Evidence, Result
from harness.engine.traffic.retries import TimeoutLosses, Waited
from harness.kit.api import Lack
from harness.outcome import Exit, UsageFault, Verdict
from harness.outcome.words import did_you_mean
from harness.wire import Exchange
from harness.wire.addresses import is_loopback, read_host


class CapabilityOrigin(StrEnum):
    """How a capability became known; only with `DECLARED` a check that was not tested fails."""

    DECLARED = "declared"
    DENIED = "denied"
    ANNOUNCED = "announced"
    PROBED = "probed"
    ASSUMED = "assumed"


class Capability(Struct, frozen=True):
    """One capability: whether it is there, its origin, and the evidence.

    `lack` is the reason why it is not present, and `remedy` the way to show that it is. If the lack follows from
    another capability, `owing_to` names that one.
    """

    name: str
    present: bool
    how: CapabilityOrigin
    note: str = ""
    lack: Lack = Lack.REFUSED
    owing_to: str = ""
    remedy: str = ""

    @property
    def is_assumed(self) -> bool:
        """Whether it counts as present only because no probe could decide it."""
        return self.present and self.how is CapabilityOrigin.ASSUMED


class Capabilities:
    """The settled capabilities of one target; a capability that was not settled counts as absent."""

    def __init__(self, items: Iterable[Capability] = ()) -> None:
        self._items = {item.name: item for item in items}

    def settle(self, item: Capability) -> None:
        """Record one; an observation never overrules the user's word."""
        known = self._items.get(item.name)
        if known is None or known.how not in (CapabilityOrigin.DECLARED, CapabilityOrigin.DENIED):
            self._items[item.name] = item

    def get(self, name: str) -> Capability | None:
        """The state of one capability, or None."""
        return self._items.get(name)

    def lacks(self, names: Iterable[str]) -> list[Capability]:
        """Those of `names` that are not present, those with the weightiest reason first."""
        found = [
            self._items.get(name) or Capability(name, False, CapabilityOrigin.PROBED, "not probed", Lack.UNSEEN)
            for name in sorted(names)
            if name not in self
        ]
        return sorted(found, key=lambda item: _WEIGHT[item.lack])

    def in_order(self, names: Iterable[str]) -> Capabilities:
        """The capabilities in the order of these names; others come last."""
        order = {name: position for position, name in enumerate(names)}
        return Capabilities(sorted(self, key=lambda item: order.get(item.name, len(order))))

    def declared(self, names: Iterable[str]) -> bool:
        """Whether all of these are present and the user declared one, so that the target has to offer it."""
        items = [self._items.get(name) for name in names]
        present = all(item is not None and item.present for item in items)
        return present and any(item is not None and item.how is CapabilityOrigin.DECLARED for item in items)

    def __contains__(self, name: object) -> bool:
        item = self._items.get(name) if isinstance(name, str) else None
        return item is not None and item.present

    def __iter__(self) -> Iterator[Capability]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)


def parse_capabilities(words: Iterable[str], known: Mapping[str, str]) -> list[Capability]:
    """Parse `+stream`, `-agents`, or several separated by commas; a bare name means `+`.

    Raises UsageFault for an unknown name and for one that is both claimed and denied.
    """
    stated: dict[str, Capability] = {}
    for part in (piece.strip() for word in words for piece in word.split(",")):
        if not part:
            continue
        present = not part.startswith("-")
        name = part.lstrip("+-")
        if name not in known:
            hint = did_you_mean(name, known, otherwise=f": known are {', '.join(known)}")
            raise UsageFault(f"unknown capability {name!r}{hint}")
        if name in stated and stated[name].present is not present:
            raise UsageFault(f"capability {name!r} is both claimed (+) and denied (-): keep one of them")
        stated[name] = Capability(
            name,
            present,
            CapabilityOrigin.DECLARED if present else CapabilityOrigin.DENIED,
            "declared by the user",
            Lack.DENIED,
        )
    return list(stated.values())


_WEIGHT = {lack: weight for weight, lack in enumerate(Lack)}


def everything(known: Iterable[str], *, but: Container[str] = ()) -> Capabilities:
    """All capabilities assumed present without a request: for dry runs and the reference emulator."""
    return Capabilities(Capability(name, name not in but, CapabilityOrigin.ASSUMED) for name in known)


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
