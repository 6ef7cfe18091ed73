"""Retries: which refusals it waits out, how long, how often, what it reports, and when it gives up."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.engine.events import RunFinished, Waited, format_refusal
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.engine.traffic.ledger import GivenIds
from harness.engine.traffic.outages import Retries, missing_answer, retry_delay
from harness.interactions.servers import SERVERS
from harness.outcome import Because, Exit, Verdict
from harness.report.collected_run import CountedResult, account_for, conclude_checks
from harness.transport import ServiceDriver
from harness.wire import (
    COMPLETE,
    At,
    By,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    Request,
    Response,
    Service,
)
from tests.checks._play import answer, interaction
from tests.engine import toys

WAITS = 6
"""How often one request is repeated at most, if the target limits its callers."""

ASK = Request("GET", "/v1beta/interactions/x")
TOLD = "GET /v1beta/interactions/x returned 429 (too_many_requests)"


class Refusing:
    """A service that refuses the first `times` requests, then answers."""

    def __init__(self, times: int, status: int = 429, code: str = "too_many_requests", **fields: str) -> None:
        self.times = times
        self.asked = 0
        self._refusal = (status, code, Headers((name.replace("_", "-"), value) for name, value in fields.items()))

    def __call__(self, request: Request) -> Response:
        self.asked += 1
        if self.asked > self.times:
            return Response.whole(200, Headers([("content-type", "text/event-stream")]), b"data: {}\n\n")
        status, code, headers = self._refusal
        return Response.whole(status, headers, PROTOCOL.error_body(status, code, "Not now."))


class Retrying:
    """A driver with retries to a service in this process, and the waits that it reported."""

    def __init__(self, service: Refusing, most: float = 1000.0) -> None:
        self.waited: list[tuple[float, str]] = []
        self.retries = Retries(
            most, lambda seconds, refusal: self.waited.append((seconds, format_refusal(refusal)))
        )
        self.driver = GovernedDriver(ServiceDriver(service), [self.retries])


@pytest.mark.parametrize(
    ("refusal", "number", "seconds"),
    [
        (Refusing(1, retry_after="2"), 0, 2.0),
        (Refusing(1, retry_after="2"), 2, 4.0),
        (Refusing(1, retry_after="20"), 2, 20.0),
        (Refusing(1, retry_after_ms="250"), 1, 0.25),
        (Refusing(1, 503, "service_unavailable", retry_after="5"), 0, 5.0),
        (Refusing(1, code="rate_limit_exceeded"), 0, 1.0),
        (Refusing(1, code="rate_limit_exceeded"), 3, 8.0),
        (Refusing(1, 503, "service_unavailable"), 2, 4.0),
        (Refusing(1, 503, "service_unavailable"), 3, None),
        (Refusing(1, code="quota_exceeded"), 0, None),
        (Refusing(1, code="quota_exceeded", retry_after="30"), 0, 30.0),
        (Refusing(1, retry_after="3600"), 0, None),
        (Refusing(1, retry_after="1"), WAITS, None),
        (Refusing(1, 500, "api_error", retry_after="1"), 0, None),
        (Refusing(0), 0, None),
    ],
)
def test_what_is_worth_waiting_for(refusal: Refusing, number: int, seconds: float | None) -> None:
    """A temporary refusal is waited out for the time it names, or longer when repeated; a daily quota is not."""
    assert retry_delay(ServiceDriver(refusal).send(ASK), number) == seconds


@pytest.mark.parametrize("way", ["send", "open", "together"])
def test_the_caller_sees_only_the_answer_that_came_in_the_end(way: str) -> None:
    """The caller gets only the final answer, and each refusal is reported before its wait."""
    retrying = Retrying(Refusing(2, retry_after_ms="1"))
    if way == "open":
        answer = retrying.driver.open(ASK).finish()
    else:
        answer = retrying.driver.send(ASK) if way == "send" else retrying.driver.together([ASK])[0]
    assert answer.status == 200
    assert retrying.waited == [(0.001, TOLD)] * 2
    assert retrying.retries.waited == Waited(2, 0.002)


def test_patience_that_was_in_vain_returns_with_the_next_answer() -> None:
    """After one request exhausted its waits, later requests do not wait until the target has answered again."""
    service = Refusing(1 + WAITS + 2, retry_after_ms="1")
    retrying = Retrying(service)
    assert [retrying.driver.send(ASK).status for _ in range(4)] == [429, 429, 429, 200]
    assert len(retrying.waited) == WAITS  # all of the first: a request is not repeated for ever
    service.times = service.asked + 1
    assert retrying.driver.send(ASK).status == 200


@pytest.mark.parametrize("is_over", [False, True])
def test_while_one_request_is_retried_no_other_thread_sends(is_over: bool) -> None:
    """Those that came back at one moment took each other's share; a run that is over deletes at once."""
    refusing, order = Refusing(1, retry_after_ms="1"), list[str]()

    def service(request: Request) -> Response:
        order.append(request.target)
        return refusing(request)

    def send_another(*_: object) -> None:
        other.start()
        if is_over:
            retries.halt()
        other.join(0.3)

    retries = Retries(report_wait=send_another)
    driver = GovernedDriver(ServiceDriver(service), [retries])
    other = threading.Thread(target=driver.send, args=(Request("GET", "/other"),))
    driver.send(ASK)
    other.join()
    assert order == ([ASK.target, "/other", ASK.target] if is_over else [ASK.target, ASK.target, "/other"])


def exchange(status: int | None, ending: Ending) -> Exchange:
    """An exchange without a body."""
    recorder = ExchangeBuilder(ASK)
    if status is not None:
        recorder.head(status, Headers(), recorder.framing)
    return recorder.finish(ending, 0.0)


CUT = Ending(By.SERVER, How.RST, At.IN_BODY)


@pytest.mark.parametrize(
    ("status", "ending", "word"),
    [
        (200, COMPLETE, ""),
        (404, COMPLETE, ""),
        (501, COMPLETE, ""),
        (429, COMPLETE, "429"),
        (500, COMPLETE, "500"),
        (None, Ending(By.SERVER, How.REFUSED, At.BEFORE_HEADERS), "no response"),
        (None, Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS), "no response"),
        (200, CUT, "a truncated response"),
        (200, Ending(By.CLIENT, How.RST, At.IN_BODY), ""),
        (503, Ending(By.CLIENT, How.RST, At.IN_BODY), "503"),
    ],
)
def test_what_is_no_answer(status: int | None, ending: Ending, word: str) -> None:
    """A limit, a crash or a lost connection counts as no answer; a clean refusal or a 501 is an answer."""
    assert missing_answer(exchange(status, ending)) == word


# --- a target that goes away during a run: what it did not answer is not judged, and what it did answer is


PROBING = 40
"""More requests than a probe sends."""

REFUSED = Ending(By.SERVER, How.REFUSED, At.BEFORE_HEADERS, detail="Connection refused")
CUT_OFF = Ending(By.SERVER, How.RST, At.BEFORE_HEADERS, detail="Connection reset by peer")
ACCUSING = {Verdict.FAIL, Verdict.WARN}


@dataclass
class Mortal:
    """A service that is killed, and started again, with nothing stored, `absent` requests later.

    It is killed once, at a create after so many requests; with a `poison`, by each request that holds it.
    It comes back for somebody who was refused, so no answer of the new one precedes the news of the old one's end.
    """

    after: int
    absent: int
    poison: bytes = b""
    away: Ending = REFUSED
    service: Service = field(default_factory=lambda: Emulator(Settings()))
    asked: int = 0
    died_at: int = 0
    back: bool = True
    refused: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Response:
        """Answer one request, or be dead."""
        with self.lock:
            self.asked += 1
            if self._dies_of(request):
                # Its ids are new, since the clean-up may delete what the old one created.
                self.service, self.died_at, self.back = (
                    Emulator(Settings(), seed=self.asked),
                    self.asked,
                    not self.absent,
                )
                self.refused = set()
                return Response.dead(CUT_OFF)
            if self._is_away():
                self.refused.add(threading.get_ident())
                return Response.dead(self.away)
            if request.target.startswith("/__harness__"):
                return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
            return self.service(request)

    def _is_away(self) -> bool:
        self.back = self.back or (
            self.asked > self.died_at + self.absent and threading.get_ident() in self.refused
        )
        return not self.back

    def _dies_of(self, request: Request) -> bool:
        if self._is_away():
            return False
        if self.poison:
            return self.poison in request.body
        return not self.died_at and self.asked > self.after and request.target.endswith("/interactions")


def run(service: Service, jobs: int = 1, *globs: str) -> RunFinished:
    """What a run found that judges by the checks that match."""
    chosen = Selection(checks=globs or ("get.*", "chain.*", "tool.*", "err.no-crash"))
    options = RunOptions(selection=chosen, jobs=jobs)
    finished = list(check_target(toys.toy_target(cast(Any, service)), CATALOGUE, options))[-1]
    assert isinstance(finished, RunFinished)
    return finished


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_target_that_dies_is_accused_of_nothing(jobs: int) -> None:
    """What had no answer is not judged, no create crashed it for certain, and the run is not green.

    Some exercise has ended by then: no four of the longest, with which workers begin, send as many requests.
    """
    finished = run(Mortal(PROBING + (45 if jobs == 1 else 120), 10_000), jobs)
    assert [result.id for result in finished.results if result.verdict in ACCUSING] == []
    unanswered = {result.id for result in finished.results if result.observation.because is Because.NO_ANSWER}
    assert "err.no-crash" in unanswered
    assert len(unanswered) > 5
    assert any(result.verdict is Verdict.PASS for result in finished.results)
    assert finished.exit is Exit.INCOMPLETE


def test_a_restart_costs_nothing_but_time() -> None:
    """Of a target that forgets all nothing is said to be lost; what a restart interrupted is played again."""
    service = Mortal(PROBING + 30, 20)
    finished = run(service)
    assert [result.id for result in finished.results if result.verdict in ACCUSING] == []
    unanswered = [result.id for result in finished.results if result.observation.because is Because.NO_ANSWER]
    assert unanswered == ["err.no-crash"]
    assert any(result.id.startswith("tool.") and result.verdict is Verdict.PASS for result in finished.results)
    assert service.asked > service.died_at + 20
    assert finished.exit is Exit.INCOMPLETE


def test_who_hangs_up_at_one_kind_of_request_and_lives_on_is_accused() -> None:
    emulator = Emulator(Settings())

    def service(request: Request) -> Response:
        if request.target.startswith("/__harness__"):
            return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
        return Response.dead(CUT_OFF) if b"stream" in request.body else emulator(request)

    finished = run(service, 1, "err.*", "stream.*")
    failed = {result.id for result in finished.results if result.verdict is Verdict.FAIL}
    assert "err.no-crash" in failed
    assert finished.exit is Exit.FAILED


DEEP = b"[" * 200


def test_who_dies_of_a_request_twice_is_accused_of_it() -> None:
    """What the target got last is sent again, alone, between two that do no harm; wrong ones count, too."""
    service = Mortal(0, 2, poison=DEEP)
    finished = run(service, 1, "rob.deep-json", "err.no-crash", "get.ok")
    crash = next(result for result in finished.results if result.id == "err.no-crash")
    assert (crash.verdict, finished.exit) == (Verdict.FAIL, Exit.FAILED)
    assert [finding.stable_code for finding in crash.observation.findings] == ["err.no-crash/died"]
    assert "nested 10,001 deep" in crash.observation.findings[0].message
    first, before, again, after = (cast(Exchange, shown) for shown in crash.evidence)
    assert (first.request, before.request) == (again.request, after.request)
    assert before.status == 404  # the control API is the first thing that is asked for
    assert again.status is after.status is None
    assert finished.holes == ()


@pytest.mark.parametrize(("jobs", "away"), [(1, REFUSED), (4, REFUSED), (1, CUT_OFF), (4, CUT_OFF)])
def test_who_is_stopped_by_somebody_else_is_not_accused(jobs: int, away: Ending) -> None:
    """It comes back, and lives through what it got last: an outage, also of a proxy that closes connections."""
    service = Mortal(PROBING, 8, away=away)
    finished = run(service, jobs)
    assert "err.no-crash" in {r.id for r in finished.results if r.observation.because is Because.NO_ANSWER}
    assert not [result.id for result in finished.results if result.verdict in ACCUSING]
    assert (finished.exit, finished.holes) == (Exit.INCOMPLETE, ())


@pytest.mark.parametrize("looks", [0, 1], ids=["of the probe", "of an exercise"])
def test_a_restart_before_a_closing_look_loses_nothing(looks: int) -> None:
    """The first look at what was left is cut, and sent again to a process that has stored nothing."""
    services = [Emulator(Settings()), Emulator(Settings(), seed=1)]
    shown: set[str] = set()

    def restarting(request: Request) -> Response:
        if request.method == "GET" and request.segments[-1].startswith("v1_"):
            shown.add(request.segments[-1])
            if len(services) == 2 and len(shown) > looks:
                services.pop(0)
                return Response.dead(CUT_OFF)
        return services[0](request)

    finished = run(restarting, 1, "create.input-contents", "get.ok")
    assert len(services) == 1
    assert [result.id for result in finished.results if result.verdict in ACCUSING] == []


def test_who_never_comes_back_is_told_first_with_what_it_got_last() -> None:
    """Though nothing fails and the last check is judged, the run is not green, and says what was sent."""
    finished = run(Mortal(0, 10_000, poison=DEEP), 1, "rob.deep-json", "get.ok")
    assert finished.exit is Exit.INCOMPLETE
    (hole,) = finished.holes
    told = r"the target stopped responding at \d+\.\d s; its last request was POST /v1beta/interactions "
    assert re.fullmatch(told + r"with a body of 20,0\d\d bytes that is nested 10,001 deep", hole)
    assert [lost.status for lost in finished.lost] == [None]
    counted = [*map(CountedResult.of, finished.results)]
    verdict = str(conclude_checks(finished, counted, account_for(counted, "check")))
    assert verdict.startswith(f"INCOMPLETE: {hole}; ")


# --- the ids of a run: which are said to come again, and who used one that did


def made(identity: str, **sent: Any) -> Exchange:
    """A create that was answered with an id."""
    body = {"model": "m", "input": "hi", **sent}
    return answer(body=interaction(id=identity), method="POST", target="/v1beta/interactions", sent=body)


@pytest.mark.parametrize(
    ("again", "codes"),
    [
        (made("v1_one"), ["create.id-unique"]),
        (made("v1_two"), []),
        (made("v1_one", store=False), []),
        (made("v1_one", continuation_token="AAAA"), []),
        (answer(body=interaction(id="v1_one"), target="/v1beta/interactions/v1_one"), []),
    ],
    ids=["again", "another", "not stored", "goes on", "a look"],
)
def test_an_id_is_given_once(again: Exchange, codes: list[str]) -> None:
    given = GivenIds(SERVERS)
    assert given.note(made("v1_one"), "a worker") is None
    found = given.note(again, "a worker")
    assert ([found.finding.stable_code] if found else []) == codes


def test_an_id_is_shared_with_others_and_with_what_is_at_work() -> None:
    """What the same worker is through with disturbs nobody; what another made, that one may delete."""
    given = GivenIds(SERVERS)
    for worker in ("one", "two"):
        given.note(made("v1_one"), worker)
    given.note(made("v1_two"), "one")
    given.note(made("v1_two"), "one")
    late, trail = 1e9, [made("v1_one"), made("v1_two")]
    assert given.judge_shared(trail, "one", 0.0).keys() == {"v1_one", "v1_two"}
    assert given.judge_shared(trail, "one", late) == {}
    assert given.judge_shared(trail, "three", late).keys() == {"v1_one", "v1_two"}
