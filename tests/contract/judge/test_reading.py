"""An exchange is decoded once, judged once and never raises."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import load, read
from harness.contract.judge.answer import judge_causes, judge_response
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.outcome import Finding, Severity
from harness.wire import At, By, Ending, Exchange, How
from tests.contract.exchanges import ROOT, exchange
from tests.contract.streams import ANSWER, WHOLE, completed, created, delta, frames, judge, payload, start, stop

STREAM = "text/event-stream"


def test_an_error_body() -> None:
    """An error is read in any shape and judged together with its HTTP status."""
    reading = read(exchange(status=400, body={"error": {"code": "not_found", "message": "m"}}))
    assert reading.error == ("not_found", "m")
    assert [finding.rule for finding in reading.findings] == ["err.code-status"]
    assert reading.interaction is None
    assert [finding.rule for finding in read(exchange(status=500, body=b"oops")).findings] == ["err.shape"]


@pytest.mark.parametrize("ending", [Ending(By.LIMIT, How.TIMEOUT, At.IN_BODY), Ending(By.CLIENT, How.FIN)])
@pytest.mark.parametrize(("status", "body"), [(404, b""), (404, b'{"error": {"co'), (200, b'{"id": "v1')])
def test_a_part_of_a_body_is_not_judged_as_a_whole_one(ending: Ending, status: int, body: bytes) -> None:
    """A time limit of this side may end a response anywhere."""
    part = exchange(method="GET", target=f"{ROOT}/v1_a", status=status, body=body, ending=ending)
    assert [*judge_response(part, "k")] == []


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


@pytest.mark.slow
def test_it_is_read_once_and_forgotten_with_the_exchange() -> None:
    subject = exchange(body={"id": "v1_a", "status": "completed"})
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
    "replayed from the middle": (f"{ROOT}/v1_a?stream=true", PARTS, ["stream.first"]),
    "replayed from a later step": (f"{ROOT}/v1_a?stream=true", [start(1), stop(1), completed()], ["stream.first"]),
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


# --- what a defect of a stream made unavoidable names it as its cause, and no verdict changes by that


def by_code(stream: bytes) -> dict[str, Finding]:
    """The findings on a stream by their codes."""
    return {finding.stable_code: finding for finding in judge(stream).findings}


def test_a_broken_start_explains_the_deltas_that_follow() -> None:
    """After a step.start that is no JSON, the delta without a start names it; the start weighs one more each."""
    start, *rest = ANSWER
    stream = frames([created()], done=False) + b'event: step.start\ndata: {"index": 0,\n\n' + frames(rest)
    found = by_code(stream)
    root, caused = found["stream.json/syntax"], found["stream.start-before/never"]
    assert payload(start) not in stream
    assert caused.cause == "stream.json/syntax"
    assert (root.cause, caused.severity) == ("", Severity.BROKEN)
    assert root.weight == 1 + sum(f.cause == root.stable_code for f in judge(stream).findings)


def test_without_an_earlier_defect_nothing_is_explained() -> None:
    """A delta without a start is a defect of its own if every event before it could be read."""
    _, *rest = ANSWER
    assert by_code(frames([created(), *rest]))["stream.start-before/never"].cause == ""


# --- whatever is wrong with an answer as a whole is told before all that follows from it


FOUND = {"id": "i1", "status": "completed"}
GONE = {"error": {"code": "not_found", "message": "There is no such interaction."}}
PATH = f"{ROOT}/i1"


def seen(status: int = 200, body: Any = FOUND, **request: Any) -> Exchange:
    """An exchange that was read by the current contract."""
    return exchange(status=status, body=body, **{"method": "GET", "target": PATH, **request})


CREATED = seen(method="POST", target=ROOT, sent={"input": "hi"})
SHOWN = seen()
DELETED = seen(body={}, method="DELETE")
DELETED_BY_ANOTHER = seen(body={}, method="DELETE", key="other")
REFUSED_ANOTHER = seen(404, GONE, method="DELETE", key="other")
UNKEPT = seen(method="POST", target=ROOT, sent={"input": "hi", "store": False})
OTHER_CALLER = seen(key="other")
LOST = seen(404, GONE)
CHAINED = seen(404, GONE, method="POST", target=ROOT, sent={"input": "hi", "previous_interaction_id": "i1"})
ANOTHER = seen(body={**FOUND, "id": "i2"})
CANCELLED = seen(body={**FOUND, "id": "i3"}, method="POST", target=f"{PATH}/cancel")
CUT = Ending(By.SERVER, How.FIN, At.IN_BODY, declared=90, sent=40)


@pytest.mark.parametrize(
    ("answer", "root"),
    [
        (SHOWN, []),
        (LOST, []),
        (seen(200, GONE), ["err.status"]),
        (seen(500, GONE), ["err.status"]),
        (seen(200, b'{"id": "i1"'), ["http.json-valid"]),
        (seen(200, b'{"id": "i1"', ending=CUT), ["http.length", "http.json-valid"]),
        (ANOTHER, ["get.ok"]),
        (seen(body={**FOUND, "steps": {"type": "model_output"}}), ["get.schema"]),
        (seen(body={**FOUND, "steps": None}), []),
        (seen(body={**FOUND, "steps": [{"type": "model_output", "content": "hi"}]}), ["get.schema"]),
        (seen(body={**FOUND, "steps": [{"type": "model_output", "content": [{"type": "text", "text": 1}]}]}), []),
        (seen(body={**FOUND, "id": 1}), ["get.schema"]),
        (CANCELLED, []),
        (seen(target=f"{ROOT}/never-created"), []),
        (seen(target=f"{ROOT}/never-created", body={}), []),
    ],
    ids=[
        "right",
        "refused",
        "an error that succeeds",
        "a refusal under 500",
        "broken JSON",
        "cut",
        "of another",
        "one step",
        "no steps",
        "content as text",
        "one text that is none",
        "a number as id",
        "a cancel of another",
        "another one for an unknown id",
        "nothing for an unknown id",
    ],
)
def test_the_worst_comes_first(answer: Exchange, root: list[str]) -> None:
    """An answer that is no whole message explains why it is no JSON, and not the other way round."""
    found = [one.rule for one in judge_causes(answer, [CREATED]) if one.severity is Severity.BROKEN]
    assert found == root


def test_ids_that_do_not_last_explain_other_answers() -> None:
    """That a cancel shows another id follows from a GET that did so, and from nothing else."""
    assert [finding.stable_code for finding in judge_causes(CANCELLED, [CREATED, ANOTHER])] == ["get.ok/other"]
    assert list(judge_causes(CANCELLED, [SHOWN])) == []


@pytest.mark.parametrize(
    ("before", "answer", "severities"),
    [
        ([CREATED, SHOWN], LOST, [Severity.BROKEN]),
        ([CREATED], LOST, [Severity.INFORMATION]),
        ([SHOWN], CHAINED, [Severity.INFORMATION]),
        ([SHOWN], seen(404, GONE, target=f"{PATH}?stream=true"), [Severity.INFORMATION]),
        ([SHOWN, DELETED], LOST, []),
        ([SHOWN, DELETED_BY_ANOTHER], LOST, []),
        ([SHOWN, REFUSED_ANOTHER], LOST, [Severity.BROKEN]),
        ([UNKEPT], LOST, []),
        ([OTHER_CALLER], LOST, []),
        ([SHOWN], seen(404, GONE, target="/v1/interactions/i1"), []),
        ([SHOWN], seen(403, GONE), []),
    ],
    ids=[
        "shown, then gone", "just created", "continued", "a stream", "deleted", "deleted by another",
        "refused to another", "not kept", "of another key", "another version", "forbidden",
    ],
)  # fmt: skip
def test_what_was_there_is_lost(before: list[Exchange], answer: Exchange, severities: list[Severity]) -> None:
    """Only a plain GET after one that showed the interaction proves a loss; what was deleted is none."""
    found = list(judge_causes(answer, before))
    assert [finding.severity for finding in found] == severities
    assert {finding.stable_code for finding in found} <= {"get.ok/lost"}


def test_a_rejected_delete_that_took_effect_is_named() -> None:
    (lost,) = judge_causes(LOST, [SHOWN, REFUSED_ANOTHER])
    assert lost.message.startswith("a rejected DELETE took effect: GET ")
    (lost,) = judge_causes(LOST, [REFUSED_ANOTHER, SHOWN])
    assert lost.message.startswith("GET "), "it was there after the DELETE"


def test_the_delete_of_what_a_lost_run_used_is_named() -> None:
    """Its agent may have taken it along; an agent that others use, or that stayed, did not."""
    ran = seen(body={**FOUND, "agent": "a1"})
    deleted, other = (seen(body={}, method="DELETE", target=f"/v1beta/agents/{name}") for name in ("a1", "a2"))
    kept = seen(409, GONE, method="DELETE", target="/v1beta/agents/a1")
    (lost,) = judge_causes(LOST, [deleted, ran, kept, other])
    assert lost.message.endswith("does not find an existing interaction")
    (lost,) = judge_causes(LOST, [ran, deleted, other])
    assert lost.message.endswith("does not find an existing interaction, after DELETE /v1beta/agents/a1")


def test_an_error_that_succeeds_says_nothing_of_the_history() -> None:
    """A refusal under a status of success is told as that, and not as a deletion without effect."""
    judge = HistoryJudge(load(), sole_client=True)
    for before in (CREATED, DELETED):
        judge.note(before)
    assert not judge.note(seen(200, GONE)).findings
    assert [finding.rule for finding in judge.note(SHOWN).findings] == ["del.gone"]


def drop(event: dict[str, Any], *names: str) -> dict[str, Any]:
    """The event, whose interaction lacks these fields."""
    shown = {name: value for name, value in event["interaction"].items() if name not in names}
    return {**event, "interaction": shown}


@pytest.mark.parametrize(
    ("stored", "events", "found"),
    [
        (False, [drop(created(), "id"), start(0), stop(0), drop(completed(), "id")], False),
        (False, [b"data: {\n\n", drop(created(), "id"), start(0), stop(0), drop(completed(), "id")], False),
        (False, [created(""), start(0), stop(0), drop(completed(""), "status")], True),
        (False, [drop(created(), "id", "status"), start(0), stop(0), completed("")], True),
        (True, [drop(created(), "id"), start(0), stop(0), completed()], True),
    ],
)
def test_only_the_id_of_what_is_not_stored_may_be_missing(stored: bool, events: list[Any], found: bool) -> None:
    """A stream of an unstored interaction may name none; all else that it must have is still asked for."""
    sent = {"input": "hi", "stream": True, "store": stored}
    answer = exchange(target=ROOT, sent=sent, label="text/event-stream", body=frames(events))
    codes = [finding.stable_code for finding in read(answer, load()).findings]
    assert ("stream.schema/required" in codes) is found
