"""Plays cases on several clients at a time: each worker has a client and a server of its own.

Layer 5.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from harness.benches.client.case_server import CaseServer
from harness.benches.client.cases.case import Case
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.process.client_commands import Client, ClientResult, Task
from harness.engine.traffic.deadline import Timer
from harness.engine.workers import take_until_done
from harness.kit.api import Api


class PlayedCase(NamedTuple):
    """A case that has ended; `asked_for_ever`: its client was stopped for its many requests."""

    number: int
    case: Case
    attempt: ClientAttempt
    ended: ClientResult
    asked_for_ever: bool


def play_case(server: CaseServer, client: Client, number: int, case: Case, seconds: float) -> PlayedCase:
    """Let the client do one case, for `seconds` at most."""
    attempt, url = server.begin(case, client.stop)
    try:
        ended = client.read(Task(url, attempt.id, str(case), case.mode.name), seconds)
    finally:
        asked_for_ever = server.end()
    return PlayedCase(number, case, attempt, ended, asked_for_ever)


class CaseQueue:
    """The cases that are still to be played. A kind is given up after `enough` equal failures of its cases.

    `enough=0` gives up none. Any thread may take.
    """

    def __init__(self, cases: Sequence[tuple[int, Case]], enough: int) -> None:
        self._cases = list(cases)[::-1]
        self._enough = enough
        self._failures: Counter[tuple[str, str]] = Counter()
        self._given_up: set[str] = set()
        self._lock = threading.Lock()
        self.skipped: Counter[str] = Counter()

    def take(self) -> tuple[int, Case] | None:
        """The next case, with its number; None if there is no more."""
        with self._lock:
            while self._cases:
                number, case = self._cases.pop()
                if case.kind not in self._given_up:
                    return number, case
                self.skipped[case.kind] += 1
            return None

    def note_failure(self, kind: str, code: str) -> None:
        """Count a failure of a kind of cases."""
        with self._lock:
            self._failures[kind, code] += 1
            if self._enough and kind and self._failures[kind, code] >= self._enough:
                self._given_up.add(kind)

    def close(self) -> None:
        """Give nothing more out."""
        with self._lock:
            self._cases.clear()


class CaseWorkers:
    """Threads that each take the next case; iterating yields the ended cases in the order in which they end.

    Each client does `first` before, of which nobody hears: a client may need its time limit to load what it needs.
    When the time of `timer` is up, the clients are stopped, and what they were at is not heard of.
    """

    def __init__(
        self,
        api: Api,
        cases: CaseQueue,
        new_client: Callable[[], Client],
        *,
        jobs: int,
        seconds: float,
        first: Case | None = None,
        timer: Timer | None = None,
    ) -> None:
        self._api = api
        self._cases = cases
        self._new_client = new_client
        self._jobs = jobs
        self._seconds = seconds
        self._first = first
        self._timer = timer or Timer(None)
        self._lock = threading.Lock()
        self._over = False
        self._clients: list[Client] = []
        self._ended: queue.Queue[PlayedCase | BaseException | None] = queue.Queue()

    def __iter__(self) -> Generator[PlayedCase, None, None]:
        threads = [threading.Thread(target=self._work, name="harness-torture") for _ in range(self._jobs)]
        for thread in threads:
            thread.start()
        try:
            yield from take_until_done(
                self._ended, len(threads), lambda: min(self._timer.left, threading.TIMEOUT_MAX)
            )
        finally:
            self._stop()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        client = self._new_client()
        try:
            with self._lock:
                if self._over:
                    return
                self._clients.append(client)
            with CaseServer(self._api) as server:
                if self._first is not None:
                    play_case(server, client, 0, self._first, self._seconds)
                while (task := self._cases.take()) is not None:
                    self._ended.put(play_case(server, client, *task, self._seconds))
        except BaseException as error:
            self._ended.put(error)
        finally:
            client.close()
            self._ended.put(None)

    def _stop(self) -> None:
        self._cases.close()
        with self._lock:
            self._over = True
            clients = list(self._clients)
        for client in clients:
            client.stop()
