"""Runs the cases, after one without a fault, and judges the result of the client in each."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from harness.benches.client.case_workers import CaseQueue, CaseServer, CaseWorkers, PlayedCase, play_case
from harness.benches.client.cases import Case
from harness.benches.client.client_commands import Client
from harness.benches.client.judgement.case_results import CaseResults
from harness.benches.client.judgement.case_verdict import judge_case
from harness.engine import events
from harness.engine.decide import Policy, exit_of_cases
from harness.engine.events import Result
from harness.engine.traffic.deadline import Timer
from harness.kit.api import ClientApi
from harness.outcome import Severity, UsageFault, Verdict
from harness.outcome.words import format_count, shorten
from harness.wire.sse import events_in

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
    """The options to run the cases, and to judge them.

    `jobs` clients play at a time, each case bounded by `seconds` and what the client takes without a fault. After
    `enough` equal failures of one kind its other cases are left out; 0 leaves none out. `undisturbed` is run
    first (None: the first case without its plan). `repeat` writes the command line of this run with these words in
    place of its selection. A finding whose rule or code is `allowed` only warns.

    After `deadline` seconds the run ends with what it has.
    """

    jobs: int = 1
    seconds: float = 30.0
    enough: int = 0
    undisturbed: Case | None = None
    fail_fast: bool = False
    deadline: float | None = None
    policy: Policy = field(default_factory=Policy)
    repeat: Callable[..., str] = lambda *narrowed: shlex.join(("harness", "torture", *narrowed, "--", "CMD"))
    allowed: Collection[str] = ()
    client: events.TargetInfo = field(default_factory=lambda: events.TargetInfo(name="client"))


def torture(
    api: ClientApi, cases: Sequence[Case], new_client: Callable[[], Client], options: TortureOptions | None = None
) -> Generator[events.RunEvent, None, None]:
    """Play `cases`, at least one.

    Results come in the order in which the cases end. The stream without a fault is run first; raises UsageFault
    if the client cannot read even that. Closing the generator stops the clients.
    """
    options = options or TortureOptions()
    begun, timer = time.monotonic(), Timer(options.deadline)
    yield events.RunStarted(options.client)
    yield events.Planned(len(cases), len(cases), timer.left)
    quiet = options.undisturbed or replace(cases[0], plan="pass")
    with closing(new_client()) as client, CaseServer(api) as server:
        undisturbed = play_case(server, client, 0, quiet, min(options.seconds, timer.left))
    drop = undisturbed.attempt
    finding = judge_case(drop, undisturbed.ended).finding
    if finding is not None and finding.severity is Severity.BROKEN:
        raise UsageFault(describe_unreadable(undisturbed, finding.message))
    # The first note is the text that the client has to return.
    notes = [drop.text]
    if quiet.mode.creates and not any(one.is_create for one in drop.received):  # so that no fault can affect it
        notes.append(f"mode {quiet.mode.name} needs a create, but the client sent none")
    notes += [f"this line on its standard output is not a result: {line}" for line in undisturbed.ended.stray]
    counts = {"events": len(drop.events), "characters": len(drop.text)}
    yield events.PhaseFinished(
        name=UNDISTURBED, seconds=undisturbed.ended.seconds, counts=counts, notes=tuple(notes)
    )
    results: dict[int, Result] = {}
    waiting = CaseQueue(list(enumerate(cases)), options.enough)
    workers = CaseWorkers(
        api,
        waiting,
        new_client,
        jobs=max(1, min(options.jobs, len(cases))),
        seconds=options.seconds,
        quiet=quiet,
        start=undisturbed.ended.seconds,
        timer=timer,
    )
    judge = CaseResults(
        api, options.policy, repeat=options.repeat, usual=len(drop.received), allowed=options.allowed
    )
    with closing(iter(workers)) as ended:
        for played in ended:
            result = results[played.number] = judge.decide(played)
            if result.observation.findings:
                waiting.note_failure(played.case.kind, result.observation.findings[0].stable_code)
            yield events.CheckFinished(result)
            if options.fail_fast and result.verdict is Verdict.FAIL:
                break
    if waiting.skipped:
        yield events.PhaseFinished(name=UNTRIED, counts=dict(waiting.skipped))
    ordered = tuple(results[number] for number in sorted(results))
    left = len(cases) - len(results) - sum(waiting.skipped.values())
    halted = ""
    if left and timer.over() and options.deadline:
        limit = f"the time limit of {options.deadline:g} s was reached (--deadline)"
        halted = f"{limit}, and {format_count(left, 'case')} had not been run"
    yield events.RunFinished(
        ordered, time.monotonic() - begun, exit_of_cases(ordered, halted=bool(halted)), halted=halted
    )


def describe_unreadable(played: PlayedCase, problem: str) -> str:
    """Why a client that fails without any fault cannot be judged."""
    drop, ended = played.attempt, played.ended
    refused = [one for one in drop.received if one.status >= 400]
    wire = drop.wire() or [f"nothing: does it use {drop.api.load_client_model().words.base_url}?"]
    words = [line for line in ended.words.splitlines() if line.strip(" ^") and not line.startswith("    at ")]
    # The first frame with text, as the client received it.
    frames = (frame for one in drop.streams for frame in bytes(one.data).split(b"\n\n"))
    frame = next((frame for frame in frames if drop.text_of(events_in(frame + b"\n\n"))), b"")
    results = (
        f"  expected result:    {shorten(repr(drop.expected_like(ended.collected)), _SHOWN)}",
        f"  actual result:      {shorten(repr(ended.collected), _SHOWN)}",
    )
    lines = [
        f"without any fault the client {problem}; no fault case was run, because it would prove nothing",
        f"  its task:           {played.case.mode.about}",
        *(
            f"  rejected:           {one.request.method} {one.request.raw_path}: {one.status}, {one.error}"
            for one in refused[:1]
        ),
        *(results if not ended.error else ()),
        *(f"  on the wire:        {line}" for line in wire),
        *(
            f"  {'' if number else 'a frame with text:':<19} {shorten(line, _SHOWN)}"
            for number, line in enumerate(frame.decode(errors="replace").splitlines())
        ),
        *(f"  no result:          {line}" for line in ended.stray),
        *(f"  standard error:     {line}" for line in words[-8:]),  # without the calls below an error of Node
    ]
    return "\n".join(lines)
