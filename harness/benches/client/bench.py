"""Plays the cases, one after another on each worker: begin it, let the client read, judge what it ended up with.

Layer 5.
"""

from __future__ import annotations

import queue
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from harness.benches.client.attempt import ClientAttempt
from harness.benches.client.case_server import MOST_REQUESTS, CaseServer
from harness.benches.client.client_commands import Client, Ended, Task
from harness.benches.client.drop_case import Case
from harness.benches.client.outcome import GAVE_UP, RULE
from harness.benches.client.stream_source import whole_stream
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
from harness.faults import Cut, parse
from harness.faults.plan import Spot
from harness.outcome import Finding, Observation, Severity, UsageFault, Verdict
from harness.outcome.words import shorten
from harness.wire import Decoder

UNDISTURBED = "without a drop"
"""The phase in which the client reads the stream without a fault."""

_SHOWN = 500
"""How many characters to show of the result of a client that fails without a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TortureOptions:
    """How to play the cases, and how strictly to judge them; `command` is what a reproduction runs.

    `jobs` clients play at a time, each case bounded by `seconds`. `allow_giving_up`: a client that says that it
    failed does so leniently.
    """

    jobs: int = 1
    seconds: float = 30.0
    seed: int = 0
    allow_giving_up: bool = False
    fail_fast: bool = False
    policy: Policy = field(default_factory=Policy)
    command: tuple[str, ...] = ("CMD",)
    client: TargetInfo = field(default_factory=lambda: TargetInfo(name="client"))


def torture(
    cases: Sequence[Case], new_client: Callable[[], Client], options: TortureOptions | None = None
) -> Generator[RunEvent, None, None]:
    """Play `cases`, at least one.

    Results come in the order in which the cases end. The stream without a fault is played first; raises UsageFault
    if the client cannot read even that. Closing the generator stops the clients.
    """
    options = options or TortureOptions()
    begun = time.monotonic()
    places = _Places(options.seed)
    yield RunStarted(options.client)
    yield Planned(len(cases), len(cases))
    yield _run_undisturbed(replace(cases[0], plan="pass"), new_client, options)
    results: dict[int, Result] = {}
    with closing(iter(_Workers(cases, new_client, places, options))) as ended:
        for number, result in ended:
            results[number] = result
            yield CheckFinished(result)
            if options.fail_fast and result.verdict is Verdict.FAIL:
                break
    ordered = tuple(results[number] for number in sorted(results))
    yield RunFinished(ordered, time.monotonic() - begun, exit_of(ordered))


def _run_undisturbed(quiet: Case, new_client: Callable[[], Client], options: TortureOptions) -> PhaseFinished:
    """Let the client read the stream without a fault; the note is the text that it has to end up with."""
    client = new_client()
    try:
        with CaseServer(seed=options.seed) as server:
            drop, ended, asked_for_ever = _read(server, client, quiet, options.seconds)
            finding = _judge(drop, ended, asked_for_ever)
    finally:
        client.close()
    if finding is not None:
        raise UsageFault(_cannot_read(drop, ended, finding.message))
    counts = {"events": len(drop.events), "characters": len(drop.text)}
    return PhaseFinished(name=UNDISTURBED, seconds=ended.seconds, counts=counts, notes=(drop.text,))


def _read(server: CaseServer, client: Client, case: Case, seconds: float) -> tuple[ClientAttempt, Ended, bool]:
    drop, url = server.begin(case, client.stop)
    try:
        ended = client.read(Task(url, drop.id, str(case)), seconds)
    finally:
        asked_for_ever = server.end()
    return drop, ended, asked_for_ever


def _judge(drop: ClientAttempt, ended: Ended, asked_for_ever: bool) -> Finding | None:
    """What the client did wrong, as a phrase with the client as its subject; None if nothing."""
    if asked_for_ever:
        return _finding("hung.requests", f"sent more than {MOST_REQUESTS} requests for one stream and was stopped")
    if ended.stopped:
        return _finding(f"hung.{'output' if ended.flooded else 'time'}", f"{ended.stopped} and was stopped")
    if ended.error:
        return None if drop.hopeless else _finding("gave-up", f"gave up: {ended.error}")
    defect = drop.defect(ended.collected)
    return None if defect is None else _finding(f"wrong.{defect.word}", defect.text)


def _finding(word: str, message: str) -> Finding:
    return Finding(RULE.id, message, code=f"{RULE.id}/{word}")


def _cannot_read(drop: ClientAttempt, ended: Ended, problem: str) -> str:
    wire = drop.wire() or ["nothing: does it use INTERACTIONS_BASE_URL?"]
    lines = [
        f"already without any drop the client {problem}; so nothing can be said of drops",
        f"  it has to end with: {drop.text!r}",
        f"  it ended with:      {_start(ended.collected)}",
        *(f"  on the wire:        {line}" for line in wire),
        *(f"  standard error:     {line}" for line in ended.words.splitlines()[-5:]),
    ]
    return "\n".join(lines)


def _start(collected: Any) -> str:
    return shorten(repr(collected), _SHOWN)


class _Workers:
    """Threads that each take the next case, with their own server and client; iterating yields the ended cases."""

    def __init__(
        self,
        cases: Sequence[Case],
        new_client: Callable[[], Client],
        places: _Places,
        options: TortureOptions,
    ) -> None:
        self._cases = iter(enumerate(cases))
        self._new_client = new_client
        self._places = places
        self._jobs = min(options.jobs, len(cases))
        self._options = options
        self._lock = threading.Lock()
        self._over = False
        self._clients: list[Client] = []
        self._ended: queue.Queue[tuple[int, Result] | BaseException | None] = queue.Queue()

    def __iter__(self) -> Generator[tuple[int, Result], None, None]:
        threads = [threading.Thread(target=self._work, name="harness-torture") for _ in range(self._jobs)]
        for thread in threads:
            thread.start()
        working = len(threads)
        try:
            while working:
                item = self._ended.get()
                if item is None:
                    working -= 1
                elif isinstance(item, BaseException):
                    raise item
                else:
                    yield item
        finally:
            self._stop()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        client = self._new_client()
        try:
            with self._lock:
                self._clients.append(client)
            with CaseServer(seed=self._options.seed) as server:
                while (task := self._next()) is not None:
                    self._ended.put((task[0], self._play(server, client, *task)))
        except BaseException as error:
            self._ended.put(error)
        finally:
            client.close()
            self._ended.put(None)

    def _next(self) -> tuple[int, Case] | None:
        with self._lock:
            return None if self._over else next(self._cases, None)

    def _play(self, server: CaseServer, client: Client, number: int, case: Case) -> Result:
        drop, ended, asked_for_ever = _read(server, client, case, self._options.seconds)
        finding = _judge(drop, ended, asked_for_ever)
        if finding is not None and self._options.allow_giving_up and finding.stable_code == GAVE_UP:
            finding = replace(finding, severity=Severity.NON_STRICT)
        run = ClientRun(
            number=number,
            name=str(case),
            settings={"plan": case.plan, "event_ids": case.event_ids, "resume": case.resume},
            row=case.row,
            event=self._places.event_of(case),
            wire=tuple(drop.wire()),
            stderr=ended.words,
        )
        return decide(
            RULE,
            Observation.of([] if finding is None else [finding]),
            self._options.policy,
            result_id=f"{RULE.id}[{case}]",
            title=str(case),
            show=lambda _: (run,),
            seconds=ended.seconds,
            reproduction=Reproduction(command=case.command_line(self._options.command)),
        )

    def _stop(self) -> None:
        with self._lock:
            self._over = True
            clients = list(self._clients)
        for client in clients:
            client.stop()


class _Places:
    """Finds the event of the stream that a case cuts."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._ends: dict[tuple[str, str | None], list[int]] = {}
        self._lock = threading.Lock()

    def event_of(self, case: Case) -> int | None:
        """The number of the event that is cut or first lost; None for plans other than a cut in the stream."""
        faults = [fault for connection in parse(case.plan).connections for fault in connection.faults]
        if len(faults) != 1 or not isinstance(faults[0], Cut):
            return None
        place = faults[0].place
        if place.spot is Spot.BYTE and place.at is not None:
            return bisect_right(self._event_ends(case), place.at)
        return place.at if place.spot in (Spot.EVENT, Spot.DATA, Spot.BLANK, Spot.UTF8) else None

    def _event_ends(self, case: Case) -> list[int]:
        key = (case.event_ids, case.cassette)
        with self._lock:
            if key not in self._ends:
                frames = Decoder().feed(whole_stream(case, self._seed))
                self._ends[key] = [frame.end for frame in frames]
            return self._ends[key]
