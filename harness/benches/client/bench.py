"""Plays the cases, one after another on each worker: begin it, let the client read, judge what it ended up with.

Layer 5.
"""

from __future__ import annotations

import queue
import threading
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from harness.benches.client.attempt import Drop
from harness.benches.client.case_server import MOST_REQUESTS, Stage
from harness.benches.client.client_commands import Client, Ended, Task
from harness.benches.client.drop_case import Case
from harness.benches.client.events import CaseEnded, Outcome, TortureStarted
from harness.benches.client.stream_source import whole_stream
from harness.faults import Cut, parse
from harness.faults.plan import Spot
from harness.outcome import UsageFault
from harness.outcome.words import shortened
from harness.wire import Decoder

_SHOWN = 500
"""How many characters to show of the result of a client that fails without a fault."""


def torture(
    cases: Sequence[Case],
    new_client: Callable[[], Client],
    *,
    jobs: int = 1,
    seconds: float = 30.0,
    seed: int = 0,
) -> Generator[TortureStarted | CaseEnded, None, None]:
    """Play `cases` (at least one) with `jobs` clients at a time, each case bounded by `seconds`.

    Cases are yielded in the order in which they end. The stream without a fault is played first; raises UsageFault
    if the client cannot read even that. Closing the generator stops the clients.
    """
    places = _Places(seed)
    quiet = replace(cases[0], plan="pass")
    yield _started(quiet, new_client, len(cases), seconds, seed)
    yield from _Workers(cases, new_client, places, jobs, seconds, seed)


def _started(
    quiet: Case, new_client: Callable[[], Client], cases: int, seconds: float, seed: int
) -> TortureStarted:
    """Let the client read the stream without a fault."""
    client = new_client()
    try:
        with Stage(seed=seed) as stage:
            drop, ended, asked_for_ever = _read(stage, client, quiet, seconds)
            outcome, problem = _judged(drop, ended, asked_for_ever)
    finally:
        client.close()
    if outcome is not Outcome.EXACT:
        raise UsageFault(_cannot_read(drop, ended, problem))
    return TortureStarted(cases, drop.text, len(drop.events))


def _read(stage: Stage, client: Client, case: Case, seconds: float) -> tuple[Drop, Ended, bool]:
    drop, url = stage.begin(case, client.stop)
    try:
        ended = client.read(Task(url, drop.id, str(case)), seconds)
    finally:
        asked_for_ever = stage.end()
    return drop, ended, asked_for_ever


def _judged(drop: Drop, ended: Ended, asked_for_ever: bool) -> tuple[Outcome, str]:
    if asked_for_ever:
        return Outcome.HUNG, f"sent more than {MOST_REQUESTS} requests for one stream and was stopped"
    if ended.stopped:
        return Outcome.HUNG, f"{ended.stopped} and was stopped"
    if ended.error and drop.hopeless:
        return Outcome.EXACT, ""
    if ended.error:
        return Outcome.GAVE_UP, f"gave up: {ended.error}"
    problem = drop.problem(ended.collected)
    return (Outcome.WRONG, problem) if problem else (Outcome.EXACT, "")


def _cannot_read(drop: Drop, ended: Ended, problem: str) -> str:
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
    return shortened(repr(collected), _SHOWN)


class _Workers:
    """Threads that each take the next case, with their own stage and client; iterating yields the ended cases."""

    def __init__(
        self,
        cases: Sequence[Case],
        new_client: Callable[[], Client],
        places: _Places,
        jobs: int,
        seconds: float,
        seed: int,
    ) -> None:
        self._cases = iter(enumerate(cases))
        self._new_client = new_client
        self._places = places
        self._jobs = min(jobs, len(cases))
        self._seconds = seconds
        self._seed = seed
        self._lock = threading.Lock()
        self._over = False
        self._clients: list[Client] = []
        self._ended: queue.Queue[CaseEnded | BaseException | None] = queue.Queue()

    def __iter__(self) -> Iterator[CaseEnded]:
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
            with Stage(seed=self._seed) as stage:
                while (task := self._next()) is not None:
                    self._ended.put(self._play(stage, client, *task))
        except BaseException as error:
            self._ended.put(error)
        finally:
            client.close()
            self._ended.put(None)

    def _next(self) -> tuple[int, Case] | None:
        with self._lock:
            return None if self._over else next(self._cases, None)

    def _play(self, stage: Stage, client: Client, number: int, case: Case) -> CaseEnded:
        drop, ended, asked_for_ever = _read(stage, client, case, self._seconds)
        outcome, problem = _judged(drop, ended, asked_for_ever)
        return CaseEnded(
            number=number,
            case=case,
            outcome=outcome,
            problem=problem,
            wire=tuple(drop.wire()),
            ended=ended,
            event=self._places.event_of(case),
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
