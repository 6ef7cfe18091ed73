"""Plays cases on several clients at a time: `CaseWorkers` are threads, each with a client and a server of its own.

Nothing of another case may reach a client, so each case has a path of its own. A client that is slow once, as on a
busy machine, has no defect: a case that ran out of time runs a second time, and that one counts. It has more time
if the client without a fault takes longer now than at first.
"""

from __future__ import annotations

import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

from harness.benches.client.cases import Case, StreamSource
from harness.benches.client.client_commands import Client, ClientResult, Task
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.server.page_guard import PageGuard, Pages
from harness.engine.traffic.deadline import Timer, take_until_done
from harness.kit.api import ClientApi
from harness.transport import ServerThread
from harness.wire import LogicalClock, Request, Response

_PREFIX = re.compile(r"/case(\d+)(?=/|$)")


class CaseServer:
    """The server that one worker's clients connect to: one case at a time, each under its own path.

    It listens within `with CaseServer(api) as server:`; `begin` starts a case and returns what its client needs.
    Requests of a stopped client that are still on their way do not reach a later case.
    """

    def __init__(self, api: ClientApi) -> None:
        self._api = api
        # A tenth of the usual tick: a run reads thousands of streams, and no client depends on the pauses in them.
        self._clock = LogicalClock(tick_seconds=0.0002)
        guard = PageGuard(api.load_protocol(), pages=Pages.LOCAL, opened_by="")
        self._server = ServerThread(guard.around(self), clock=self._clock)
        self._lock = threading.Lock()
        self._number = 0
        self._drop: ClientAttempt | None = None
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> CaseServer:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()

    def begin(self, case: Case, stop: Callable[[], None]) -> tuple[ClientAttempt, str]:
        """Start a case; return its attempt and its base URL. `stop` is called after `Case.most_requests`."""
        self._clock.speed = case.speed
        scripted = self._api.load_client_model().service
        service = scripted.new(contract=case.contract, clock=self._clock, seed=0)
        drop = ClientAttempt(StreamSource(self._api, service, case), case)
        with self._lock:
            self._number += 1
            self._drop = drop
            self._stop = stop
            return drop, f"{self._server.url}/case{self._number}"

    def end(self) -> None:
        """End the current case: from now on, late requests of its client get an error."""
        with self._lock:
            self._drop = None

    def __call__(self, request: Request) -> Response:
        """Answer the client of the current case; a request without the path of the base URL is refused."""
        found = _PREFIX.match(request.target)
        if found is None:
            return self._refuse(f"{request.target}: the path of the base URL is missing before it (/case1, say).")
        with self._lock:
            drop, stop = self._drop if int(found[1]) == self._number else None, self._stop
        if drop is None:
            return self._refuse("This case has ended.")
        target = request.target[found.end() :] or "/"
        response = drop.answer(Request(request.method, target, request.headers, request.body))
        if drop.asked_for_ever:  # by its own time limit a client in a loop would take as long as one that hangs
            stop()
        return response

    def _refuse(self, message: str) -> Response:
        return self._api.load_protocol().refuse(400, "invalid_request", message)


class PlayedCase(NamedTuple):
    """A case that has ended."""

    number: int
    case: Case
    attempt: ClientAttempt
    ended: ClientResult

    @property
    def out_of_time(self) -> bool:
        """Whether its client was stopped because its time was up."""
        return bool(self.ended.stopped) and not self.ended.flooded and not self.attempt.asked_for_ever


def play_case(
    server: CaseServer, client: Client, number: int, case: Case, seconds: float, start: float = 0.0
) -> PlayedCase:
    """Let the client do one case, for `seconds` at most, and `start` more that it needs without a fault."""
    attempt, url = server.begin(case, client.stop)
    try:
        ended = client.read(Task(url, attempt.id, str(case), case.mode.name), seconds, start)
    finally:
        server.end()
    return PlayedCase(number, case, attempt, ended)


class CaseQueue:
    """The queue of cases. After `enough` equal failures of a kind, its other cases are left out.

    `enough=0` leaves out none. Any thread may take a case.
    """

    def __init__(self, cases: Sequence[tuple[int, Case]], enough: int) -> None:
        self._cases = list(cases)[::-1]  # from the end, which takes no time however many there are
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
        with self._lock:
            self._failures[kind, code] += 1
            if self._enough and kind and self._failures[kind, code] >= self._enough:
                self._given_up.add(kind)

    def close(self) -> None:
        """Hand out no more cases."""
        with self._lock:
            self._cases.clear()


@dataclass(eq=False)
class CaseWorkers:
    """Threads that each take the next case; iterating yields the ended cases in the order in which they end.

    A case may take `seconds`, and `start` more, which the case `quiet` took alone. One that ran out of time runs a
    second time, which counts. Once that has confirmed the first time, other cases of its kind are believed.

    When the time of `timer` is up, the clients are stopped, and their current cases are not reported.
    """

    api: ClientApi
    cases: CaseQueue
    new_client: Callable[[], Client]
    _: KW_ONLY
    jobs: int
    seconds: float
    quiet: Case
    start: float
    timer: Timer
    _hung_kinds: set[str] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)
    _clients: list[Client] = field(default_factory=list, init=False)
    _ended: queue.Queue[PlayedCase | BaseException | None] = field(default_factory=queue.Queue, init=False)

    def __iter__(self) -> Generator[PlayedCase, None, None]:
        threads = [threading.Thread(target=self._work, name="harness-torture") for _ in range(self.jobs)]
        for thread in threads:
            thread.start()
        try:
            yield from take_until_done(
                self._ended, len(threads), lambda: min(self.timer.left, threading.TIMEOUT_MAX)
            )
        finally:
            self._stop()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        client = self.new_client()
        try:
            # Either `_stop` has this client in its list, or this thread sees that the run is over.
            with self._lock:
                if self._over.is_set():
                    return
                self._clients.append(client)
            with CaseServer(self.api) as server:
                while (task := self.cases.take()) is not None:
                    if (played := self._play(server, client, *task)) is not None:
                        self._ended.put(played)
        except BaseException as error:  # whoever iterates raises it: it would end with its thread, unseen
            self._ended.put(error)
        finally:
            client.close()
            self._ended.put(None)

    def _play(self, server: CaseServer, client: Client, number: int, case: Case) -> PlayedCase | None:
        """How a case ended; None if the run was over before it could begin."""
        if self._over.is_set():
            return None
        played = play_case(server, client, number, case, self.seconds, self.start)
        kind = case.kind or case.row
        if not played.out_of_time or kind in self._hung_kinds:
            return played
        if self._over.is_set():  # it was stopped because the run is over, which proves nothing about it
            return None
        # Once for a kind: the second time doubles the wait, and a client that hangs does so in each case of it.
        control = play_case(server, client, number, self.quiet, self.seconds, self.start).ended.seconds
        slower = min(max(control / max(self.start, 1.0), 1.0), 4.0)
        slower = 4.0 if played.attempt.was_served(played.ended.seconds) else slower
        again = play_case(server, client, number, case, self.seconds * slower, self.start)
        if again.out_of_time:
            self._hung_kinds.add(kind)
        return again

    def _stop(self) -> None:
        self.cases.close()  # first: a worker whose client is stopped would take the next case
        with self._lock:
            self._over.set()
            clients = list(self._clients)
        for client in clients:
            client.stop()
