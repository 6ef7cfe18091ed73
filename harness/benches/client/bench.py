"""Plays the cases, after one without a fault, and judges what the client ended up with in each.

Layer 5.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from harness.benches.client.case_server import CaseServer
from harness.benches.client.case_workers import CaseQueue, CaseWorkers, PlayedCase, play_case
from harness.benches.client.cases.case import Case
from harness.benches.client.cases.stream_source import whole_stream
from harness.benches.client.judgement.case_judgement import CaseVerdict, judge_case
from harness.benches.client.judgement.outcome import WHOLE, result_id
from harness.benches.client.judgement.timeline import describe_end, list_moments
from harness.benches.client.process.client_commands import Client
from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import (
    CheckFinished,
    PhaseFinished,
    Planned,
    RunEvent,
    RunFinished,
    RunStarted,
    TargetInfo,
)
from harness.engine.results import ClientRun, Reproduction, Result
from harness.faults import Cut, Scope, parse
from harness.faults.plan import Spot
from harness.kit.api import Api
from harness.outcome import Observation, Severity, UsageFault, Verdict
from harness.outcome.words import shorten
from harness.wire import Decoder

UNDISTURBED = "without a drop"
"""The phase in which the client reads the stream without a fault."""

UNTRIED = "not tried"
"""The phase that counts, for each kind of cases, those that were left out after enough equal failures."""

ENOUGH = 5
"""Equal failures of one kind of cases after which the others of that kind would say nothing new."""

_SHOWN = 500
"""How many characters to show of the result of a client that fails without a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TortureOptions:
    """How to play the cases, and how strictly to judge them.

    `jobs` clients play at a time, each case bounded by `seconds`. After `enough` equal failures of one kind its
    other cases are left out; 0 leaves none out. `undisturbed` is played first (None: the first case without its
    plan), by each of the clients if `warm`. A reproduction runs `command` with the options `repeated`.
    """

    jobs: int = 1
    seconds: float = 30.0
    seed: int = 0
    enough: int = 0
    undisturbed: Case | None = None
    warm: bool = False
    fail_fast: bool = False
    policy: Policy = field(default_factory=Policy)
    command: tuple[str, ...] = ("CMD",)
    repeated: tuple[str, ...] = ()
    client: TargetInfo = field(default_factory=lambda: TargetInfo(name="client"))


def torture(
    api: Api, cases: Sequence[Case], new_client: Callable[[], Client], options: TortureOptions | None = None
) -> Generator[RunEvent, None, None]:
    """Play `cases`, at least one.

    Results come in the order in which the cases end. The stream without a fault is played first; raises UsageFault
    if the client cannot read even that. Closing the generator stops the clients.
    """
    options = options or TortureOptions()
    begun = time.monotonic()
    places = _Places(api, options.seed)
    yield RunStarted(options.client)
    yield Planned(len(cases), len(cases))
    quiet = options.undisturbed or replace(cases[0], plan="pass")
    undisturbed = _run_undisturbed(api, quiet, new_client, options)
    yield _describe_undisturbed(undisturbed)
    usual = len(undisturbed.attempt.received)
    results: dict[int, Result] = {}
    waiting = CaseQueue(cases, options.enough)
    workers = CaseWorkers(
        api,
        waiting,
        new_client,
        jobs=min(options.jobs, len(cases)),
        seconds=options.seconds,
        seed=options.seed,
        first=quiet if options.warm else None,
    )
    with closing(iter(workers)) as ended:
        for played in ended:
            result = results[played.number] = _result(played, usual, places, options)
            if result.observation.findings:
                waiting.note_failure(played.case.kind, result.observation.findings[0].stable_code)
            yield CheckFinished(result)
            if options.fail_fast and result.verdict is Verdict.FAIL:
                break
    if waiting.skipped:
        yield PhaseFinished(name=UNTRIED, counts=dict(waiting.skipped))
    ordered = tuple(results[number] for number in sorted(results))
    yield RunFinished(ordered, time.monotonic() - begun, exit_of(ordered))


def _run_undisturbed(
    api: Api, quiet: Case, new_client: Callable[[], Client], options: TortureOptions
) -> PlayedCase:
    """Let the client read the stream without a fault. Raises UsageFault if it cannot."""
    client = new_client()
    try:
        with CaseServer(api, seed=options.seed) as server:
            played = play_case(server, client, 0, quiet, options.seconds)
    finally:
        client.close()
    finding = _judge(played).finding
    if finding is not None and finding.severity is Severity.BROKEN:
        raise UsageFault(_cannot_read(played, finding.message))
    return played


def _describe_undisturbed(played: PlayedCase) -> PhaseFinished:
    """The first note is the text that the client has to end up with."""
    drop, ended = played.attempt, played.ended
    counts = {"events": len(drop.events), "characters": len(drop.text)}
    notes = (drop.text, *(f"this line on its standard output is no answer: {line}" for line in ended.stray))
    return PhaseFinished(name=UNDISTURBED, seconds=ended.seconds, counts=counts, notes=notes)


def _judge(played: PlayedCase, usual: int | None = None) -> CaseVerdict:
    return judge_case(played.attempt, played.ended, asked_for_ever=played.asked_for_ever, usual=usual)


def _cannot_read(played: PlayedCase, problem: str) -> str:
    drop, ended = played.attempt, played.ended
    refused = [one for one in drop.received if one.status >= 400]
    wire = drop.wire() or [f"nothing: does it use {drop.api.load_client_model().words.base_url}?"]
    lines = [
        f"already without any drop the client {problem}; so nothing can be said of drops",
        *(
            f"  it was refused:     {one.request.method} {one.request.raw_path}: {one.status}, {one.error}"
            for one in refused[:1]
        ),
        f"  it has to end with: {drop.text!r}",
        f"  it ended with:      {_start(ended.collected)}",
        *(f"  on the wire:        {line}" for line in wire),
        *(f"  no answer:          {line}" for line in ended.stray),
        *(f"  standard error:     {line}" for line in ended.words.splitlines()[-5:]),
    ]
    return "\n".join(lines)


def _start(collected: Any) -> str:
    return shorten(repr(collected), _SHOWN)


def _result(played: PlayedCase, usual: int, places: _Places, options: TortureOptions) -> Result:
    case, attempt, ended = played.case, played.attempt, played.ended
    verdict = _judge(played, usual)
    run = ClientRun(
        number=played.number,
        name=str(case),
        settings={"plan": case.plan, "event_ids": case.event_ids, "resume": case.resume},
        row=case.row,
        kind=case.kind,
        outcome=str(verdict.outcome),
        event=places.event_of(case),
        moments=list_moments(attempt),
        end=describe_end(ended),
        stderr=ended.words,
        stray=ended.stray,
    )
    finding = verdict.finding
    return decide(
        attempt.api.load_client_model().rules[WHOLE if finding is None else finding.rule],
        Observation.of([] if finding is None else [finding]),
        options.policy,
        result_id=result_id(case),
        title=str(case),
        show=lambda _: (run,),
        seconds=ended.seconds,
        reproduction=Reproduction(command=case.command_line(options.command, options.repeated)),
    )


_STREAMED = (Scope.ALL, Scope.STREAMS, Scope.STARTS, Scope.RESUMES)


class _Places:
    """Finds the event of the stream that a case cuts."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api = api
        self._seed = seed
        self._ends: dict[tuple[str, str | None, str], list[int]] = {}
        self._lock = threading.Lock()

    def event_of(self, case: Case) -> int | None:
        """The number of the event that is cut or first lost; None for plans other than a cut in the stream."""
        plan = parse(case.plan)
        faults = [fault for connection in plan.connections for fault in connection.faults]
        if plan.scope not in _STREAMED or plan.also:
            return None
        if len(faults) != 1 or not isinstance(faults[0], Cut):
            return None
        place = faults[0].place
        if place.spot is Spot.BYTE and place.at is not None:
            return bisect_right(self._event_ends(case), place.at)
        return place.at if place.spot in (Spot.EVENT, Spot.DATA, Spot.BLANK, Spot.UTF8) else None

    def _event_ends(self, case: Case) -> list[int]:
        key = (case.event_ids, case.cassette, str(replace(case, plan="pass")))
        with self._lock:
            if key not in self._ends:
                frames = Decoder().feed(whole_stream(self._api, case, self._seed))
                self._ends[key] = [frame.end for frame in frames]
            return self._ends[key]
