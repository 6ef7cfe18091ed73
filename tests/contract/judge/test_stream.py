"""For each rule of the stream judge there is a stream that breaks it, and a valid stream breaks none."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.judge.history.history_judge import HEARD
from harness.outcome import Severity
from harness.rules import rows_of
from harness.wire import COMPLETE, At, By, Ending, How, encode
from tests.contract.streams import (
    CALL,
    DONE,
    THOUGHT,
    USAGE,
    WHOLE,
    broken,
    completed,
    created,
    delta,
    error,
    frames,
    judge,
    payload,
    start,
    stop,
    update,
)
from tests.in_one_test import in_one_test

ONE = [start(0), delta(0), stop(0)]
CLEAN = [created(), *ONE, completed()]


def ids(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """The events, each with an event_id."""
    return [{**event, "event_id": f"e{number}"} for number, event in enumerate(events)]


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    """The event without one field."""
    return {key: value for key, value in event.items() if key != name}


def drop_usage(event: dict[str, Any]) -> dict[str, Any]:
    """interaction.completed without usage."""
    return {**event, "interaction": without(event["interaction"], "usage")}


def run(*events: Any) -> bytes:
    """A stream with a proper beginning and end and these events in between."""
    return frames([created(), *events, completed()])


def counted(index: int, total: int) -> dict[str, Any]:
    """A step.stop with the tokens of the run so far."""
    return {**stop(index), "usage": {"total_tokens": total}}


NAMELESS = {"interaction": {"status": "in_progress"}, "event_type": "interaction.created"}
CALLS = start(0, "function_call", id="c", name="f", arguments={})


def test_usage_may_stay_and_grow() -> None:
    """Totals of step.stop may grow, stay or be left out between two steps."""
    steps = [start(0), counted(0, 20), start(1), stop(1), start(2), counted(2, 20), start(3), counted(3, 25)]
    assert broken(judge(run(*steps))) == set()


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_run_that_is_broken_off_may_leave_a_step_open(status: str) -> None:
    """A cancelled or failed run may end without a step.stop for the open step."""
    assert broken(judge(frames([created(), start(0), delta(0), completed(status=status)]))) == set()


BROKEN: dict[str, tuple[bytes, set[str]]] = {
    "not utf-8": (run(b'data: {"event_type":"\xff"}\n\n', *ONE), {"stream.framing"}),
    "no last blank line": (frames(CLEAN, done=False)[:-1], {"stream.framing", "stream.terminal", "stream.done"}),
    "not json": (run(b"data: {oops\n\n", *ONE), {"stream.json"}),
    "not a number": (run(b'data: {"a":NaN}\n\n', *ONE), {"stream.json"}),
    "not an object": (run(b"data: [1]\n\n", *ONE), {"stream.json"}),
    "half a pair": (
        frames([created(), start(0), delta(0, text="X")]).replace(b'"X"', b'"\\ud83d"').removesuffix(DONE)
        + frames([stop(0), completed()]),
        {"stream.surrogates"},
    ),
    "no event_type": (run(without(update(), "event_type"), *ONE), {"stream.event-type"}),
    "event_type of a number": (run({"event_type": 7}, *ONE), {"stream.event-type"}),
    "another name": (run(encode("ping", payload(update())), *ONE), {"stream.name-agrees"}),
    "delta without text": (run(start(0), delta(0, "text", x=1), stop(0)), {"stream.schema"}),
    "index of a string": (run(*ONE, stop("0")), {"stream.schema"}),  # type: ignore[arg-type]
    "created without an id": (frames([NAMELESS, *ONE, completed()]), {"stream.schema"}),
    "begins with a step": (frames([*ONE, completed()]), {"stream.first"}),
    "begins with a stranger": (frames([{"event_type": "ping"}, *CLEAN]), {"stream.first"}),
    "nothing at all": (b"", {"stream.first"}),
    "no frame at all": (b": keepalive\n\n", {"stream.first"}),
    "created twice": (run(created(), *ONE), {"stream.created-once"}),
    "created completed": (frames([created(status="completed"), *ONE, completed()]), {"stream.created-status"}),
    "updated to completed": (run(update("completed"), *ONE), {"stream.update-status"}),
    "updated to failed, two steps": (
        run(update("failed"), *ONE, start(1), delta(1), stop(1)),
        {"stream.update-status"},
    ),
    "over, and running again": (run(*ONE, update("completed"), update()), {"stream.update-status"}),
    "id changes in an update": (run(update(identity="v1_b"), *ONE), {"stream.id-constant"}),
    "id changes at the end": (frames([created(), *ONE, completed("v1_b")]), {"stream.id-constant"}),
    "delta without a start": (run(delta(0)), {"stream.start-before"}),
    "stop without a start": (run(stop(0)), {"stream.start-before"}),
    "delta after the stop": (run(*ONE, delta(0)), {"stream.start-before"}),
    "never stopped": (run(start(0), delta(0)), {"stream.stop-once"}),
    "stopped twice": (run(*ONE, stop(0)), {"stream.stop-once"}),
    "begins at one": (run(start(1), stop(1)), {"stream.index-contiguous"}),
    "leaves one out": (run(*ONE, start(2), stop(2)), {"stream.index-contiguous"}),
    "two open at once": (run(start(0), start(1), stop(0), stop(1)), {"stream.no-interleave"}),
    "an index again": (run(*ONE, *ONE), {"stream.index-reuse"}),
    "usage of each step alone": (run(start(0), counted(0, 30), start(1), counted(1, 20)), {"stream.stop-usage"}),
    "an unlisted delta": (run(start(0), delta(0, "smell", x=1), stop(0)), {"stream.delta-known"}),
    "text in a thought": (run(start(0, "thought"), delta(0), stop(0)), {"stream.delta-fits"}),
    "arguments do not join": (
        run(CALLS, delta(0, "arguments_delta", arguments='{"a":'), stop(0)),
        {"stream.args-join"},
    ),
    "arguments join to a list": (
        run(CALLS, delta(0, "arguments_delta", arguments="[1]"), stop(0)),
        {"stream.args-join"},
    ),
    "summary after the signature": (
        run(*THOUGHT[:2], delta(0, "thought_summary", content={"type": "text", "text": "x"}), stop(0)),
        {"stream.sig-last"},
    ),
    "completed twice": (frames([*CLEAN, completed()]), {"stream.completed-last"}),
    "a step after completed": (frames([*CLEAN, start(1), stop(1)]), {"stream.completed-last"}),
    "an error after completed": (frames([*CLEAN, error()]), {"stream.completed-last"}),
    "a stranger after completed": (frames([*CLEAN, {"event_type": "ping"}]), {"stream.completed-last"}),
    "ends without a word": (frames([created(), *ONE]), {"stream.terminal"}),
    "the old name of the end": (
        frames([created(), *ONE, {**completed(), "event_type": "interaction.complete"}]),
        {"stream.legacy-names"},
    ),
    "the old name of the beginning": (
        frames([{**created(), "event_type": "interaction.start"}, *ONE, completed()]),
        {"stream.legacy-names"},
    ),
    "an old name of a delta": (
        run(start(0), delta(0, "text_annotation", annotations=[]), stop(0)),
        {"stream.legacy-names"},
    ),
    "an end without a status": (
        frames([created(), *ONE, {"interaction": {"id": "v1_a"}, "event_type": "interaction.completed"}]),
        {"stream.schema"},
    ),
    "an end in broken JSON": (
        frames([created(), *ONE, encode("interaction.completed", payload(completed())[:-1])]),
        {"stream.json"},
    ),
    "bare JSON in one line": (
        frames([created(), *ONE], done=False) + b'{"error":{"message":"Blocked","code":"prohibited_content"}}\n',
        {"stream.bare-error"},
    ),
    "bare JSON in a list, over several lines": (
        frames([created(), *ONE], done=False) + b'[{\n "error": {\n "code": 503,\n "message": "No"\n }\n}]\n\n',
        {"stream.bare-error"},
    ),
    "an empty status": (frames([created(status=""), *ONE, completed()]), {"create.status"}),
    "a status in capitals": (frames([created(), *ONE, completed(status="COMPLETED")]), {"create.status"}),
    "an unlisted status": (frames([created(), *ONE, completed(status="success")]), {"create.status-listed"}),
    "an empty error ends nothing": (frames([created(), *ONE, {"event_type": "error"}]), {"stream.terminal"}),
    "completed in progress": (
        frames([created(), *ONE, completed(status="in_progress")]),
        {"stream.completed-status"},
    ),
    "no usage": (frames([created(), *ONE, drop_usage(completed())]), {"stream.completed-usage"}),
    "steps again": (
        frames([created(), *ONE, completed(steps=[{"type": "model_output"}])]),
        {"stream.completed-no-steps"},
    ),
    "no sentinel": (frames(CLEAN, done=False), {"stream.done"}),
    "an event after the sentinel": (frames(CLEAN) + encode("step.stop", payload(stop(0))), {"stream.done-final"}),
    "two sentinels": (frames(CLEAN) + DONE, {"stream.done-final"}),
    "an error of numbers": (
        frames([created(), {"error": {"code": 504, "message": "x"}, "event_type": "error"}]),
        {"stream.error-shape"},
    ),
    "an error that is a string": (
        frames([created(), {"error": "x", "event_type": "error"}]),
        {"stream.error-shape"},
    ),
    "an id again": (
        frames([*ids(created(), start(0)), *[{**delta(0), "event_id": "d"}] * 2, *ids(stop(0)), completed()]),
        {"stream.evid-unique"},
    ),
}


@in_one_test(BROKEN)
def test_each_breach_is_found_and_nothing_else(stream: bytes, rules: set[str]) -> None:
    """A stream with one defect breaks exactly the rules about it, fed at once or byte by byte."""
    background = rules == {"stream.evid-unique"}  # in the foreground nobody has to resume
    if background:
        stream = stream.replace(b'"event_id":"e0"', b'"event_id":"s"', 1)
    whole = judge(stream, background=background)
    assert broken(whole) == rules
    assert judge(stream, feed=1, background=background).findings == whole.findings
    if background:
        assert [found.severity for found in judge(stream).findings] == [Severity.NON_STRICT]


def test_every_rule_of_one_stream_is_broken_by_a_case() -> None:
    proved = set().union(*(rules for _, rules in BROKEN.values()))
    assert proved == {
        "create.status",
        "create.status-listed",
        "stream.evid-delta",
        *(row.rule.id for row in rows_of("stream") if row.everywhere),
    } - {"stream.evid-delta", "stream.closes", *HEARD}


@pytest.mark.parametrize(
    ("how", "stream", "found"),
    [
        (How.STALL, frames(CLEAN), [("stream.closes", Severity.NON_STRICT)]),
        (How.STALL, frames(CLEAN, done=False), [("stream.closes/hangs", Severity.BROKEN)]),
        (How.STALL, frames([created(), *ONE, error()], done=False), [("stream.closes/hangs", Severity.BROKEN)]),
        (How.STALL, frames([created(), *ONE], done=False), []),
        (How.FIN, frames(CLEAN), []),
        (How.FIN, frames(CLEAN, done=False), []),
    ],
)
def test_silence_after_the_last_event(how: How, stream: bytes, found: list[tuple[str, Severity]]) -> None:
    """A stream that was over, and did not end, is whole and did not close; [DONE] says enough to most clients."""
    reading = judge(stream, ending=Ending(By.CLIENT, how, detail="it stayed open"))
    assert [(finding.stable_code, finding.severity) for finding in reading.findings] == found
    assert reading.whole == bool(found)


CLEAN_STREAMS: dict[str, bytes] = {
    "whole": frames(WHOLE),
    "no step": frames([created(), completed(status="incomplete")]),
    "unstored": frames([created(""), *ONE, completed("")]),
    "queued": frames([created(status="queued"), update("queued"), update(), *ONE, completed()]),
    "the end in an update": frames([created(), update(), *ONE, update("completed"), completed()]),
    "a call after requires_action": frames([created(), update("requires_action"), *ONE, completed()]),
    "an error in place of everything": frames([error()]),
    "an error in place of the end, no sentinel": frames([created(), *ONE, error()], done=False),
    "an empty error in between": frames([created(), {"event_type": "error"}, *ONE, completed()]),
    "cancelled without usage": frames([created(), *ONE, drop_usage(completed(status="cancelled"))]),
    "no names": b"".join(b"data: " + payload(event) + b"\n\n" for event in WHOLE) + b"data: [DONE]\n\n",
    "crlf, comments, mark": b"\xef\xbb\xbf: hi\r\n\r\n" + frames(WHOLE).replace(b"\n", b"\r\n"),
    "several data lines": frames([created(), *ONE]).replace(b'{"index"', b'{\ndata: "index"').removesuffix(DONE)
    + frames([completed()]),
    "step without deltas": frames([created(), start(0, "thought", signature="c2ln"), stop(0), completed()]),
    "call whose start has it all": frames(
        [created(), start(0, "function_call", id="c", name="f", arguments={"a": 1}), stop(0), completed()]
    ),
    "unknown fields, steps and events": frames(
        [created(), {"event_type": "interaction.in_progress"}, {**start(0, "zap"), "new": 1}, stop(0), completed()]
    ),
    "metadata on events": frames([{**event, "metadata": {"total_usage": USAGE}} for event in CLEAN]),
    "ids on some": frames(ids(*CLEAN)[:2] + CLEAN[2:]),
}


@pytest.mark.parametrize(
    ("parts", "is_repeated"),
    [(['{"a":', '{"a":1}'], True), (['{"a":'], False), (['{"a":1}'] * 2, False), (['{"a":', '{"a":1'], False)],
)
def test_parts_that_repeat_those_before_them(parts: list[str], is_repeated: bool) -> None:
    """Only parts that grow into the whole arguments are called that; else the arguments just do not join."""
    deltas = (delta(0, "arguments_delta", arguments=part) for part in parts)
    (finding,) = judge(run(CALLS, *deltas, stop(0))).findings
    assert finding.stable_code == "stream.args-join" + "/repeated" * is_repeated


@in_one_test(stream=CLEAN_STREAMS.values())
def test_what_may_be_is_not_a_finding(stream: bytes) -> None:
    """Everything that the sources allow or leave open passes without a finding."""
    assert judge(stream).findings == ()


def test_a_finding_has_its_place() -> None:
    """A finding has the number and bytes of its event, and the JSON pointer of a schema violation."""
    stream = frames([created(), start(0), delta(0, "text", x=1), stop(0), completed()])
    (finding,) = judge(stream).findings
    assert finding.where.event == 2
    assert stream[finding.where.start : finding.where.end] == encode("step.delta", payload(delta(0, "text", x=1)))
    assert finding.where.pointer == "$.delta"


CUT = Ending(by=By.SERVER, how=How.RST, at=At.IN_BODY)


@pytest.mark.parametrize(("events", "told"), [([delta(0), stop(0)], True), (ONE, False)])
def test_a_start_after_the_end_is_out_of_order_if_its_delta_came(events: list[dict[str, Any]], told: bool) -> None:
    found = judge(frames([created(), *events, completed(), start(0)])).findings
    late = next(one for one in found if one.rule == "stream.completed-last")
    assert late.message.startswith("the events are out of order: step.start follows") is told


def test_a_cut_stream_is_not_asked_for_its_end() -> None:
    """A stream cut by the transport at any byte has no findings about what is missing."""
    stream = frames(WHOLE)
    for at in range(len(stream)):
        reading = judge(stream[:at], ending=CUT)
        assert (reading.findings, reading.whole) == ((), False)


def test_the_sentinel_without_its_blank_line_is_lenient() -> None:
    """A missing blank line after the sentinel is only lenient, since clients do not need the sentinel."""
    reading = judge(frames(CLEAN)[:-1])
    assert [(f.rule, f.severity) for f in reading.findings] == [("stream.framing", Severity.NON_STRICT)]
    assert reading.done


RESUMED: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "in mid-step": ([delta(1), stop(1), *CALL, completed()], set()),
    "before a stop": ([stop(1), completed()], set()),
    "at a start": ([*CALL, completed()], set()),
    "only the end": ([completed()], set()),
    "nothing left": ([], set()),
    "from the start after all": (WHOLE, set()),
    "jumps afterwards": ([delta(1), stop(1), start(3), stop(3), completed()], {"stream.index-contiguous"}),
    "a stranger after a start": ([*CALL, delta(0), completed()], {"stream.start-before"}),
    "stopped twice": ([stop(1), stop(1), completed()], {"stream.stop-once"}),
    "never stopped": ([delta(1), completed()], {"stream.stop-once"}),
}


@pytest.mark.parametrize(("events", "rules"), RESUMED.values(), ids=RESUMED)
def test_a_resumed_stream_may_begin_inside_a_step(events: list[dict[str, Any]], rules: set[str]) -> None:
    assert broken(judge(frames(events), start="resumed")) == rules


@pytest.mark.parametrize(
    ("events", "found"), [(ids(*CLEAN), False), (CLEAN, False), (ids(*CLEAN)[:2] + CLEAN[2:], True)]
)
def test_background_deltas_carry_ids(events: list[dict[str, Any]], found: bool) -> None:
    """Deltas without event_id are a finding only if the run is in the background and other events have ids."""
    assert ("stream.evid-delta" in broken(judge(frames(events), background=True))) is found
    assert broken(judge(frames(events))) == set()


def test_unknowns_are_information() -> None:
    """Anything that the schemas do not name is listed with the number of its event."""
    reading = judge(frames([created(), {"event_type": "ping"}, {**start(0), "new": 1}, stop(0), completed()]))
    assert {(number, unknown.kind, unknown.name) for number, unknown in reading.unknowns} == {
        (1, "event", "ping"),
        (2, "field", "new"),
    }


def test_stripped_framing_is_not_judged() -> None:
    """Events recorded without their frames need no event names and no sentinel."""
    assert judge(frames(WHOLE, done=False), framed=False).findings == ()


def test_bare_json_is_an_error_of_the_stream() -> None:
    """An error body outside the framing is what ended the stream, however the connection ended."""
    bare = frames([created(), *ONE], done=False) + b'[{"error":{"code":503,"message":"No","status":"OUT"}}]'
    for ending in (COMPLETE, Ending(By.SERVER, How.RST, At.IN_BODY)):
        reading = judge(bare, ending=ending)
        assert reading.bare_error is not None
        assert (reading.bare_error.code, reading.bare_error.message) == ("503", "No")
        assert reading.errors == ({"code": "503", "message": "No"},)
        assert broken(reading) == {"stream.bare-error"}


def test_bare_json_that_is_followed_by_events_ended_nothing() -> None:
    """Lines between events are dropped by every decoder, and so by this one."""
    reading = judge(frames([created(), b'{"error":{"code":"x","message":"y"}}\n\n', *ONE, completed()]))
    assert (reading.bare_error, broken(reading)) == (None, set())
