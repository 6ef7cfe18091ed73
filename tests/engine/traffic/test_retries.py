"""Retries: which refusals it waits out, how long, how often, what it reports, and when it gives up."""

from __future__ import annotations

import pytest

from harness.contract import PROTOCOL
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.engine.traffic.retries import Retries, Waited, format_refusal, missing_answer, retry_delay
from harness.transport import ServiceDriver
from harness.wire import COMPLETE, At, By, Ending, Exchange, ExchangeBuilder, Headers, How, Request, Response

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


def test_without_a_named_time_a_minute_is_waited_out() -> None:
    """If no time is named, the pauses add up to at least a minute, because quotas are counted by the minute."""
    refusal = ServiceDriver(Refusing(1)).send(ASK)
    assert 60 <= sum(retry_delay(refusal, number) or 0.0 for number in range(WAITS)) <= 90


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


def test_parallel_requests_of_which_some_were_answered_are_not_repeated() -> None:
    service = Refusing(1)
    answers = Retrying(service).driver.together([ASK] * 3)
    assert sorted(answer.status or 0 for answer in answers) == [200, 200, 429]
    assert service.asked == 3


def test_patience_ends() -> None:
    """If a target refuses for ever, the request is repeated a few times, and then the refusal is returned."""
    service = Refusing(1000, retry_after_ms="1")
    assert Retrying(service).driver.send(ASK).status == 429
    assert service.asked == 1 + WAITS


def test_patience_that_was_in_vain_returns_with_the_next_answer() -> None:
    """After one request exhausted its waits, later requests do not wait until the target has answered again."""
    service = Refusing(1 + WAITS + 2, retry_after_ms="1")
    retrying = Retrying(service)
    assert [retrying.driver.send(ASK).status for _ in range(4)] == [429, 429, 429, 200]
    assert len(retrying.waited) == WAITS
    service.times = service.asked + 1
    assert retrying.driver.send(ASK).status == 200


def test_one_bound_for_all() -> None:
    """Drivers that share a patience share its limit."""
    retrying = Retrying(Refusing(1000, retry_after="2"), most=5.0)
    other = GovernedDriver(ServiceDriver(Refusing(1, retry_after="2")), [retrying.retries])
    assert retrying.driver.send(ASK).status == 429
    assert other.send(ASK).status == 429
    assert retrying.retries.waited == Waited(2, 4.0)


def test_who_wants_to_see_a_refusal_sees_it() -> None:
    """Only the named statuses are returned to the caller; without any the driver stays as it is."""
    service = Refusing(3, retry_after_ms="1")
    retrying = Retrying(service).driver
    assert retrying.send(ASK, sees=frozenset({429})).status == 429
    assert retrying.send(ASK, sees=frozenset({503})).status == 200


def test_a_code_that_is_no_word_is_not_repeated() -> None:
    """An error code that is not a plain word, but perhaps a key, is not printed."""
    exchange = ServiceDriver(Refusing(1, code="AIzaSy not a code")).send(ASK)
    assert format_refusal(exchange) == "GET /v1beta/interactions/x returned 429"


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
