"""The project fuzzes itself: on any input, its own code never raises, hangs, crashes or leaks a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contract import judge_history, load, read
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.contract.judge.history.interactions import Intent
from harness.emulator import Emulator
from harness.engine.search.search_target import judge_exchange
from harness.interactions.search import load_search
from harness.strategies import create_requests, event_streams
from harness.transport import ServiceDriver
from harness.wire import Exchange, ExchangeBuilder, Headers, Length, Request
from harness.wire.message import COMPLETE, Chunk

MODEL = load_search()
quick = settings(
    max_examples=60, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)

PARTS = (
    b"data: {", b'"event_type":"step.delta"', b"}", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b":", b"event: error",
    b"id", b"\xff\xfe", b"data", b"\xf0\x9f", b"[DONE]", b"[" * 50,
)  # fmt: skip
LINES = st.sampled_from(PARTS)
BYTES = st.one_of(st.binary(max_size=200), st.lists(LINES, max_size=30).map(b"".join))
JSON: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=12,
)


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """A legal stream with bytes changed, lost or doubled."""
    data = bytearray(draw(event_streams()).data())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 6))] = draw(st.binary(max_size=6))
    return bytes(data)


def recorded(request: Request, status: int, kind: str, body: bytes) -> Exchange:
    """An exchange with this answer."""
    recorder = ExchangeBuilder(request)
    recorder.head(status, Headers((("content-type", kind),)), Length(len(body)))
    recorder.chunk(Chunk(body), 0.0)
    return recorder.finish(COMPLETE, 0.0)


ANSWERS = st.tuples(
    st.sampled_from((200, 204, 400, 404, 500)),
    st.sampled_from(("application/json", "text/event-stream", "text/html", "")),
    st.one_of(BYTES, JSON.map(lambda value: json.dumps(value).encode()), damaged_streams()),
)


@quick
@given(st.lists(ANSWERS, min_size=1, max_size=3), st.sampled_from(("POST", "GET", "DELETE")))
@pytest.mark.slow
def test_exchanges_are_judged_whatever_they_hold(answers: list[tuple[int, str, bytes]], method: str) -> None:
    path = "/v1beta/interactions" + ("" if method == "POST" else "/v1_a")
    exchanges = [recorded(Request(method, path), *answer) for answer in answers]
    for exchange in exchanges:
        reading = read(exchange, load())
        list(judge_exchange(exchange, "some-secret-key", MODEL))
        assert read(exchange) is reading
    judge_history([("one", exchange) for exchange in exchanges], load())
    judge = HistoryJudge(load(), sole_client=True)
    for exchange in exchanges:
        judge.note(exchange, Intent(legal=True, awaited=True))


KNOWN_PATHS = (
    "interactions", "interactions/v1_a", "interactions/v1_a/cancel", "agents", "webhooks", "environments",
    "triggers", "credentials",
)  # fmt: skip
CONTROL = ("/__harness__/scripts", "/__harness__/settings", "/__harness__/sessions")
PATHS = st.one_of(
    st.sampled_from([f"/v1beta/{path}" for path in KNOWN_PATHS] + list(CONTROL)),
    st.text(alphabet="/v1beta%2F:?&=interac.{}\u00e9 ", max_size=30).map(lambda text: "/" + text),
)
BODIES = st.one_of(
    create_requests(), create_requests(legal=False), JSON
).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))  # fmt: skip


@pytest.mark.slow
@quick
@given(st.lists(st.tuples(st.sampled_from(("POST", "GET", "DELETE", "PUT", "PATCH")), PATHS,
                          st.one_of(BODIES, BYTES)), min_size=1, max_size=4))  # fmt: skip
def test_the_emulator_never_fails_and_always_answers_cleanly(calls: list[tuple[str, str, bytes]]) -> None:
    """The emulator never answers with a 5xx, never hangs, and its errors have no findings by the contract."""
    emulator = Emulator()
    driver = ServiceDriver(emulator, emulator.clock)
    for method, target, body in calls:
        headers = Headers((("x-goog-api-key", "a-long-enough-key"), ("content-type", "application/json")))
        exchange = driver.send(Request(method, target, headers, body))
        assert exchange.status is not None
        assert exchange.status < 500, exchange.body
        assert exchange.complete
        if exchange.status >= 400:
            read(exchange, load())
            assert list(judge_exchange(exchange, "a-long-enough-key", MODEL)) == []
