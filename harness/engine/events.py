"""The events that every run emits, and the values they carry: results with their evidence, and capabilities.

Values, and the parsing of `+x,-y`. Every report listens to the events, and only `decide` makes a `Result`;
reports, baseline and exit code read it. Must not know who listens, how a request is sent, or which command runs: a
check, a gateway rule, a case of a client, a failure of a search and a rule over recordings all become the same
value. A capability has an origin: declared, announced by the control API, or probed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

from msgspec import Struct, field

from harness.kit.api import Lack
from harness.kit.history import History
from harness.kit.relay import RelayedExchange
from harness.outcome import (
    RANK,
    Accounted,
    Exit,
    Observation,
    Outcome,
    Reason,
    Rule,
    UsageFault,
    Verdict,
    Where,
    account,
    find_reason,
    is_judged,
    word_reason,
)
from harness.outcome.words import did_you_mean
from harness.wire import Exchange
from harness.wire.addresses import is_loopback, read_host
from harness.wire.bodies import object_or_none

_CODE = re.compile(r"[a-z_]{1,60}", re.ASCII)


class WireMoment(Struct, frozen=True, kw_only=True):
    """One request of a client and its response, in words; `at` is in seconds since the case began.

    `fault` names the fault of the response, "" if there was none, and `fault_words` spells it out. Of a stream,
    `columns` has the places of its events in the whole stream, in the order in which they came (None if the
    response is no stream), `start` is the first place that the request wants, and `broke` describes how it ended
    early, "" if it did not.
    """

    at: float
    request: str
    answer: str
    fault: str = ""
    fault_words: str = ""
    columns: tuple[int, ...] | None = None
    start: int = 0
    broke: str = ""


class ClientRun(Struct, frozen=True, kw_only=True):
    """One client under test and what happened to its stream.

    `settings` are the case's, by the names that output uses. `is_shown` is False if the result cannot show what
    the client received, `is_faulty` is True if faults were planned. `kind` and `row` group the cases that do
    alike, and `event` is the number of the event that is cut, None if the case cuts none. `moments` has all
    requests in order, `end` the client's result, `outcome` that in a word. `stray` are the lines on its standard
    output that were no answer.
    """

    number: int
    name: str
    settings: Mapping[str, str]
    row: str
    kind: str = ""
    outcome: str = ""
    event: int | None = None
    moments: tuple[WireMoment, ...] = ()
    end: str = ""
    stderr: str = ""
    stray: tuple[str, ...] = ()
    is_shown: bool = True
    is_faulty: bool = False

    @property
    def unharmed(self) -> bool:
        """Whether faults were planned, and none of them came about."""
        return self.is_faulty and not any(moment.fault for moment in self.moments)


class RecordedPlace(Struct, frozen=True):
    """Where in recordings a finding is; `number` is its place in the order of the files, `verdict` its own.

    `streams` has the recorded streams that show it, by name, if a report is to draw them.
    """

    number: int
    where: Where
    verdict: Verdict
    streams: tuple[tuple[str, Exchange], ...] = ()


Shown = TypeVar("Shown")
Evidence: TypeAlias = Exchange | RelayedExchange | ClientRun | RecordedPlace
"""What shows that a result is true; `report.evidence_text` is the only place that words it."""


def of_kind(kind: type[Shown], items: Iterable[object]) -> list[Shown]:
    """The items of one kind, such as of the evidence, in their order."""
    return [item for item in items if isinstance(item, kind)]


class Replays(Struct, frozen=True):
    """The repetitions before a report: it failed again in `shown` of `played` runs.

    `why_not` is the reason if there were none, else "".
    """

    shown: int = 0
    played: int = 0
    why_not: str = ""

    @property
    def lost(self) -> bool:
        """Whether it never failed again."""
        return bool(self.played) and not self.shown

    @property
    def flaky(self) -> bool:
        """Whether it did not fail every time."""
        return self.shown < self.played


class Reproduction(Struct, frozen=True, kw_only=True):
    """How to see it again: a command line for this alone, or the steps of a history.

    `key` distinguishes it from other findings of a search, and `call` is the one whose response shows it.
    `unshrunk` is the reason why fewer steps may show it too, "" if they do not. `known`: an earlier run had found
    and kept it. `consequences` are the keys of its consequences, which have no result of their own.
    """

    key: str = ""
    call: str = ""
    command: str = ""
    steps: History = ()
    unshrunk: str = ""
    known: bool = False
    replays: Replays = field(default_factory=Replays)
    consequences: tuple[str, ...] = ()

    @property
    def shrunk(self) -> bool:
        """Whether nothing smaller shows it."""
        return not self.unshrunk


class Result(Struct, frozen=True, kw_only=True):
    """The verdict on one rule, seen in one place; `id` names both, `title` is it in a few words.

    `evidence` is empty if the verdict needs no explanation. `excuse` is the reason in the baseline. `unjudged`: no
    response could be judged, so a run with this result does not pass. `untested`: a MUST that was not tested,
    although the target does not reject it. `phase` is the part of the run that found it. `accepts` lists in words
    what would have passed. An exercise of several results is shared among their `seconds`, so that these add up.
    `named` has the name of each piece of evidence in the findings, `""` for none. `shown_by` are checks whose
    exercises show it if its own does not, or `*` if no single one is known to.
    """

    id: str
    rule: Rule
    title: str
    observation: Observation
    verdict: Verdict
    seconds: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    excuse: str = ""
    unjudged: bool = False
    untested: bool = False
    reproduction: Reproduction | None = None
    phase: str = ""
    accepts: tuple[str, ...] = ()
    profile: str = ""
    named: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether the run fails because the rule is broken; `--strict` also fails one that was not tested."""
        return self.verdict is Verdict.FAIL and not self.untested

    @property
    def outcome(self) -> Accounted:
        """The word for it in every report."""
        return account(self.verdict, self.observation)

    @property
    def judged(self) -> bool:
        """Whether its rule was compared with a response."""
        return is_judged(self.observation)

    @property
    def reason(self) -> Reason | None:
        """Why it was not tested; None if its outcome is another one."""
        return find_reason(self.observation) if self.outcome is Accounted.NOT_TESTED else None

    @property
    def reason_words(self) -> str:
        """The reason for people; `""` for None."""
        return "" if (reason := self.reason) is None else word_reason(reason, self.observation)

    @property
    def weight(self) -> int:
        """How much it explains: the answers that show its findings, and the findings that these caused."""
        return sum(finding.weight for finding in self.observation.findings)

    @property
    def is_unmet_option(self) -> bool:
        """Whether it passes although its rule is not met: a MAY."""
        return self.verdict is Verdict.INFO and self.observation.outcome is Outcome.NOT_MET

    @property
    def explained_by(self) -> str:
        """The code of the finding that explains it; of a stale entry, the id that the baseline has."""
        findings = self.observation.findings
        if self.verdict is Verdict.STALE or not (findings or self.observation.cause):
            return self.id
        if self.observation.cause:
            return self.observation.cause
        worst = self.observation.worst
        first = next((finding for finding in worst if not finding.cause), worst[0])
        return first.cause or first.stable_code

    @property
    def is_consequence(self) -> bool:
        """Whether findings of another rule explain all that it found, or all that breaks its rule."""
        causes = [finding.cause for finding in self.observation.worst] or [self.observation.cause]
        return bool(causes) and all(cause and cause.partition("/")[0] != self.rule.id for cause in causes)

    @property
    def urgency(self) -> tuple[int, bool, bool, int, bool, int, int]:
        """The sort key of reports: verdict, consequence, level, whether a client can notice it, harm, weight.

        Causes precede consequences, which end with them. Broken rules precede those that `--strict` fails. What
        no client notices precedes what is loud, as only a report shows it.
        """
        rule = self.rule
        rank = _RANK.get(self.verdict, len(_RANK)), self.verdict is Verdict.FAIL and self.untested
        return *rank, self.is_consequence, -RANK[rule.level], not rule.silent, rule.harm, -self.weight


_RANK = {
    verdict: rank
    for rank, verdict in enumerate(
        (Verdict.ERROR, Verdict.FAIL, Verdict.STALE, Verdict.WARN, Verdict.XFAIL, Verdict.INFO, Verdict.UNTESTABLE)
    )
}


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
        """Measure finished exchanges of an exercise that took `seconds` in all."""
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


def format_refusal(exchange: Exchange) -> str:
    """A refusal in a few words: the request, and the status and code of the answer."""
    code = error_code(exchange)
    answer = f"{exchange.status} ({code})" if code else f"{exchange.status}"
    return f"{exchange.request.method} {exchange.request.raw_path} returned {answer}"


def error_code(exchange: Exchange) -> str:
    """The code in an error's body, or `""`; never its message, which may quote a key."""
    error = (object_or_none(exchange.body) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


class Deleting(Struct, frozen=True):
    """The run was interrupted, and deletes the `owed` resources that it created."""

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


class Waited(Struct, frozen=True):
    """The number of waits, and their seconds in all."""

    times: int = 0
    seconds: float = 0.0


class TimeoutLosses(Struct, frozen=True):
    """The losses of a run to responses that did not end.

    `answers` is how many the timeout cut, `seconds` is how long these took, and `first` describes the first of
    them. `unsent` requests were not sent at all.
    """

    answers: int = 0
    seconds: float = 0.0
    unsent: int = 0
    first: str = ""


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
