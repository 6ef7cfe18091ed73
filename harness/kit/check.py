"""A check: one rule, an exercise that several checks may share, and a pure judge function.

Registration happens when the modules of a catalog are imported.

An exercise is a generator; each `yield` hands an action to the runner and receives its result. Those that reach
the target are the actions of a driver (`wire/driver.py`); the others read a stream that is open. The runner
decides where requests go, closes open streams and receivers, and deletes what was created.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harness.outcome import Because, Finding, HarnessFault, NotApplicable, Observation, Outcome, Rule, Unmet
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
    """Play parts one after the other → what each returns, in their order; runs that they watch go on together."""
    results: dict[int, Any] = {}
    playing: list[tuple[int, Part[Any], Any]] = [(number, part, None) for number, part in enumerate(parts)]
    while playing:
        watched: list[tuple[int, Part[Any], Together]] = []
        for number, part, answer in playing:
            try:
                while not (isinstance(action := part.send(answer), Together) and action.is_idle):
                    answer = yield action
                watched.append((number, part, action))
            except StopIteration as stop:
                results[number] = stop.value
        requests = tuple(request for *_, action in watched for request in action.requests)
        received = iter((yield replace(watched[0][-1], requests=requests)) if watched else ())
        playing = [(number, part, [next(received) for _ in action.requests]) for number, part, action in watched]
    return [results[number] for number in sorted(results)]


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


class Exercise(Struct, frozen=True):
    """How to obtain the exchanges that judges examine; runs once, however many checks share it.

    `requests` and `interactions` are its cost on the reference: requests to the API (those to the harness's own
    control API are free) and accepted creates. `front_end`: its requests (a wrong key, broken bytes) may get the
    response of a front end before the API, whose errors have a shape of their own. One that is `odd` may stop a
    server, so it runs after the others. One that `spans` begins before all others of a run and ends after them.
    Beside one that is `alone` no other runs, with any number of workers. Besides responses it waits for so many
    seconds: `pauses`. What it sends depends on the capabilities that it `uses`, too, so a run of one check
    probes them. `parts` are the exercises that this one joins; each runs once.
    """

    run: Callable[[Any], Generator[Any, Any, Any]]
    requests: int
    interactions: int
    front_end: bool = False
    odd: bool = False
    spans: bool = False
    alone: bool = False
    pauses: float = 0.0
    uses: frozenset[str] = frozenset()
    parts: tuple[Exercise, ...] = ()

    @property
    def name(self) -> str:
        """The function's name, unique in the catalog."""
        return " + ".join(part.name for part in self.parts) or self.run.__name__

    @classmethod
    def join(cls, parts: Iterable[Exercise]) -> Exercise:
        """Several exercises as one, for a check that needs the results of all."""
        several = tuple(parts)
        if len(several) == 1:
            return several[0]

        def run(client: Any) -> Generator[Any, Any, None]:
            for part in several:
                yield from part.run(client)

        requests, interactions = (sum(getattr(e, name) for e in several) for name in ("requests", "interactions"))
        uses = frozenset().union(*(part.uses for part in several))
        alone = any(part.alone for part in several)
        return cls(run, requests, interactions, alone=alone, uses=uses, parts=several)


Judge = Callable[..., Observation | Iterable[Finding]]


class Check(Struct, frozen=True, kw_only=True):
    """One entry of the catalog.

    `judge` is pure and takes, by keyword, the results of the exercise that its signature names. `accepts` lists in
    words every outcome that passes. `about` is the result that a finding refers to if it names no exchange itself.
    `everywhere`: a run also applies the rule to the responses of its other exercises. `judges_ends`: the rule is
    about ends, so it also judges a response that a time limit cut. With `globs`, the judge takes one list: the
    results whose names match any of them, and those of other exercises that match `overhears`, in their order.

    `proves` is the capability whose effect the check judges: it also runs if the target accepted the probe and did
    not fulfill it. All other checks that need the capability are then blocked by its finding. `rests_on` are the
    checks whose findings block this one in the same way, or the code of the only finding that does. `explained_by`
    are those whose findings, which may only warn, are the cause of its own; its rule stays broken. `blocks` are
    such codes of its own: a finding with one of them has no cause in others.
    """

    rule: Rule
    title: str
    profile: str
    exercise: Exercise
    judge: Judge
    requires: frozenset[str] = frozenset()
    accepts: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    about: str = ""
    everywhere: bool = False
    judges_ends: bool = False
    globs: tuple[str, ...] = ()
    overhears: tuple[str, ...] = ()
    proves: str = ""
    rests_on: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()
    blocks: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The id of its rule; a rule has one check."""
        return self.rule.id

    @property
    def rested_on(self) -> tuple[str, ...]:
        return tuple(name.partition("/")[0] for name in self.rests_on)

    def explains(self, observation: Observation) -> bool:
        """Whether something of what it saw has no cause in other checks."""
        return any(finding.stable_code in self.blocks for finding in observation.findings)

    def observe(self, exchanges: Mapping[str, Any]) -> Observation:
        """Judge the results of the exercise.

        Not tested if the exercise stopped before it had the results that the judge needs, or if the judge raises
        `Unmet` without a finding before that. A finding without a rule gets this check's rule. One without the
        name of an exchange gets `about`, or the judge's only parameter. The worst findings come first.
        """
        absent = [name for name in self.wants if name not in exchanges]
        if absent:
            return self._observe_stop(exchanges, absent)
        found: list[Finding] = []
        try:
            if self.globs:
                result = self.judge(_select(exchanges, self.globs + self.overhears))
            else:
                result = self.judge(**{name: exchanges[name] for name in self.wants})
            if isinstance(result, Observation):
                return result
            for finding in result:
                found.append(self._with_origin(finding))  # noqa: PERF401  what was found before an Unmet counts
        except NotApplicable as nothing:
            return Observation(Outcome.NOT_APPLICABLE, reason=str(nothing), because=Because.REFUSED)
        except Unmet as unmet:
            if Observation.of(found).outcome is not Outcome.NOT_MET:
                return Observation.unmet(unmet)
        return Observation.of(found)

    def select(self, exchanges: Mapping[str, Any]) -> list[Any]:
        """The results that the globs name."""
        return _select(exchanges, self.globs)

    def _observe_stop(self, exchanges: Mapping[str, Any], absent: list[str]) -> Observation:
        reason = exchanges.get(STOPPED)
        if not isinstance(reason, Unmet):
            raise HarnessFault(
                f"check {self.id!r} wants {', '.join(absent)}, which its exercise {self.exercise.name!r} never "
                "returned: name the judge's parameters after the exercise's results"
            )
        return Observation.unmet(reason)

    def _with_origin(self, finding: Finding) -> Finding:
        # A code that begins with a slash is the word of a judge that several rules share.
        code = f"{self.id}{finding.code}" if finding.code.startswith("/") else finding.code
        named = finding if finding.rule else replace(finding, rule=self.id, code=code)
        about = self.about or (self.wants[0] if len(self.wants) == 1 else "")
        return named if named.where.exchange or not about else named.at(exchange=about)


def _select(results: Mapping[str, Any], globs: Sequence[str]) -> list[Any]:
    return [value for name, value in results.items() if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]


def exercise(
    *, requests: int, interactions: int = 0, front_end: bool = False, odd: bool = False, spans: bool = False,
    alone: bool = False, pauses: float = 0.0, uses: Iterable[str] = (),
) -> Callable[[Callable[[T], Generator[Any, Any, Any]]], Exercise]:  # fmt: skip
    """Declare an exercise and its cost on the reference; see `Exercise`. Any odd one may meet a front end."""

    def declare(function: Callable[[T], Generator[Any, Any, Any]]) -> Exercise:
        front = front_end or odd
        return Exercise(function, requests, interactions, front, odd, spans, alone, pauses, frozenset(uses))

    return declare


def take(judge: Judge, *names: str, **kinds: str) -> Judge:
    """Say which answers a judge takes, if its own signature does not: `Exchange`, or of these kinds."""
    taken = dict.fromkeys(names, "Exchange") | kinds
    keyword = inspect.Parameter.KEYWORD_ONLY
    wants = [inspect.Parameter(name, keyword, annotation=kind) for name, kind in taken.items()]
    judge.__signature__ = inspect.Signature(wants)  # type: ignore[attr-defined]
    return judge


class Scenario(NamedTuple):
    """A cassette of a library: what it shows, and how it is made."""

    name: str
    shows: str
    exercise: Exercise
