"""An exchange is decoded once, judged once and never raises."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import read
from harness.wire import At, By, Ending, How
from tests.contract.exchanges import ROOT, exchange
from tests.contract.streams import WHOLE, completed, created, delta, frames, start, stop

STREAM = "text/event-stream"
ANSWER = {"id": "v1_a", "status": "completed"}


def test_a_json_answer() -> None:
    """A JSON response yields the body, id and status of its interaction."""
    reading = read(exchange(body=ANSWER))
    assert (reading.json, reading.interaction, reading.id, reading.status) == (ANSWER, ANSWER, "v1_a", "completed")
    assert (reading.stream, reading.events, reading.error, reading.findings) == (None, [], None, ())


def test_a_stream() -> None:
    """A streamed response yields events, id and status, and the findings of the stream."""
    reading = read(exchange(label=f"{STREAM}; charset=utf-8", body=frames(WHOLE)))
    assert reading.stream is not None
    assert (reading.id, reading.status, reading.findings) == ("v1_a", "requires_action", ())
    assert reading.events == WHOLE
    assert len(reading.frames) == len(WHOLE) + 1
    assert (reading.json, reading.interaction) == (None, None)


def test_a_stream_with_the_wrong_label_is_still_read() -> None:
    """A stream with the wrong Content-Type is still read, since another rule covers the type."""
    assert read(exchange(body=frames(WHOLE))).stream is not None


def test_an_error_body() -> None:
    """An error is read in any shape and judged together with its HTTP status."""
    reading = read(exchange(status=400, body={"error": {"code": "not_found", "message": "m"}}))
    assert reading.error == ("not_found", "m")
    assert [finding.rule for finding in reading.findings] == ["err.code-status"]
    assert reading.interaction is None
    assert [finding.rule for finding in read(exchange(status=500, body=b"oops")).findings] == ["err.shape"]


BODIES = {
    "nothing": b"",
    "null": b"null",
    "list": b"[]",
    "brackets": b"[" * 100_000,
    "deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "quite deep": b'{"status":"x","steps":' + b"[" * 400 + b"]" * 400 + b"}",
    "not utf-8": b"\xff\xfe",
    "half a pair": b'{"status":"\\ud83d"}',
    "huge": b'{"status":"x","usage":{"total_tokens":' + b"9" * 5000 + b"}}",
    "infinite": b'{"status":"x","usage":{"total_tokens":1e999}}',
    "wrong everywhere": b'{"status":1,"usage":[],"steps":[null,1,{"type":3,"content":[null]}],"created":{}}',
    "error of a list": b'{"error":[]}',
    "events": b"event: x\ndata: {\n\n",
}


@pytest.mark.parametrize("status", [None, 200, 204, 302, 404, 500])
@pytest.mark.parametrize("label", ["application/json", STREAM, "", "text/html"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_answers_are_read(body: bytes, label: str, status: int | None) -> None:
    """No combination of status, Content-Type and body makes an attribute raise."""
    for method, target in (
        ("POST", ROOT),
        ("GET", f"{ROOT}/x"),
        ("GET", f"{ROOT}/x?stream=true"),
        ("DELETE", "/"),
    ):
        _touch(exchange(method, target, status=status, label=label, body=body))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_read(sent: bytes, body: bytes) -> None:
    """No bytes in the request or the response make an attribute raise."""
    _touch(exchange(sent=sent, body=body, label=STREAM))
    _touch(exchange(sent=sent, body=body))


def _touch(subject: Any) -> None:
    reading = read(subject)
    names = [name for name in dir(type(reading)) if not name.startswith("_")]
    assert {"json", "stream", "events", "findings", "interaction", "error", "id", "status"} <= set(names)
    for name in names:
        getattr(reading, name)


def test_it_is_read_once_and_forgotten_with_the_exchange() -> None:
    subject = exchange(body=ANSWER)
    assert read(subject) is read(subject)
    reading = weakref.ref(read(subject))
    del subject
    gc.collect()
    assert reading() is None


PARTS = [delta(0), stop(0), completed()]
REPLAY = [created(status="completed"), start(0), stop(0), completed()]

STARTS: dict[str, tuple[str, list[dict[str, Any]], list[str]]] = {
    "resumed": (f"{ROOT}/v1_a?stream=true&last_event_id=e1", PARTS, []),
    "replayed": (f"{ROOT}/v1_a?stream=true", REPLAY, []),
    "replayed from the middle": (f"{ROOT}/v1_a?stream=true", PARTS, ["stream.first", "stream.start-before"]),
}


@pytest.mark.parametrize(("target", "events", "rules"), STARTS.values(), ids=STARTS)
def test_the_request_tells_where_the_stream_begins(
    target: str, events: list[dict[str, Any]], rules: list[str]
) -> None:
    reading = read(exchange("GET", target, label=STREAM, body=frames(events)))
    assert sorted({finding.rule for finding in reading.findings}) == rules


@pytest.mark.parametrize(("background", "found"), [(True, True), (False, False), ("true", False)])
def test_the_request_tells_the_background(background: object, found: bool) -> None:
    """Deltas should have event ids only if the create requested a background run, and other events have some."""
    events = [{**WHOLE[0], "event_id": "e0"}, *WHOLE[1:]]
    reading = read(exchange(sent={"background": background}, label=STREAM, body=frames(events)))
    assert ("stream.evid-delta" in {finding.rule for finding in reading.findings}) is found


@pytest.mark.parametrize(
    "fields",
    [
        {"truncated": True},
        {"ending": Ending(By.SERVER, How.RST, At.IN_BODY)},
        {"ending": Ending(By.CLIENT, How.FIN)},
    ],
)
def test_a_cut_record_says_nothing_of_the_end(fields: dict[str, Any]) -> None:
    """A truncated or interrupted response is not required to have a completion."""
    reading = read(exchange(label=STREAM, body=frames([created(), start(0)], done=False), **fields))
    assert reading.findings == ()
    assert reading.stream is not None
    assert not reading.stream.whole


@pytest.mark.parametrize(
    ("method", "target", "judged"),
    [
        ("POST", ROOT, True),
        ("POST", f"{ROOT}/x/cancel", True),
        ("GET", f"{ROOT}/x", True),
        ("GET", f"{ROOT}/x%2Fy", True),
        ("DELETE", f"{ROOT}/x", False),
        ("PUT", f"{ROOT}/x", False),
    ],
)
def test_only_interactions_are_judged_as_such(method: str, target: str, judged: bool) -> None:
    """Create, get and cancel return an interaction, and other routes do not."""
    reading = read(exchange(method, target, body={}))
    assert (reading.interaction is not None) is judged
    assert bool(reading.findings) is judged


OTHERS: dict[str, tuple[str, str, Any, list[str]]] = {
    "an agent": ("GET", "/v1beta/agents/x", {"id": 5}, ["agents.schema"]),
    "a page of agents": ("GET", "/v1beta/agents", {"agents": [{"tools": 1}]}, ["agents.schema"]),
    "an environment": ("POST", "/v1beta/environments", {"status": "active"}, ["env.schema"]),
    "a webhook": ("PATCH", "/v1beta/webhooks/w", {"uri": 5, "subscribed_events": []}, ["hook.schema"]),
    "a page in place of an interaction": ("GET", f"{ROOT}/x", b"<html>", ["get.schema"]),
    "a delete's own words": ("DELETE", f"{ROOT}/x", b"gone", []),
    "a file": ("POST", "/upload/v1beta/files?upload_id=x", {"file": {}}, ["file.schema"]),
    "a file of an environment": ("GET", "/v1beta/environments/e/files/x", {"name": 5}, []),
    "an operation": ("GET", "/v1/fileSearchStores/s/upload/operations/o", {"done": 1}, ["filesearch.schema"] * 2),
    "a page of files": ("GET", "/v1beta/files", {"files": 5}, ["file.schema"]),
    "a voice": ("GET", "/v1beta/voices", {"voices": 5}, ["voice.schema"]),
    "a call of nothing": ("GET", "/v1beta/models", {"models": 5}, []),
}


@pytest.mark.parametrize(("method", "target", "body", "rules"), OTHERS.values(), ids=OTHERS)
def test_each_operation_is_judged_by_its_own_rule(method: str, target: str, body: Any, rules: list[str]) -> None:
    """Each resource has its own schema rule, which a response that is not JSON breaks as well."""
    assert [finding.rule for finding in read(exchange(method, target, body=body)).findings] == rules
