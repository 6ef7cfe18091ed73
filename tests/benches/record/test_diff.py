"""Which differences are structural drift and which are content drift; one change is one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.benches.record.diff import (
    Drifts,
    SeenIn,
    diff_paths,
    diff_recordings,
    facts_of,
    send_again,
    sessions_in,
)
from harness.cassette import CassetteError, Recording, save
from harness.cassette.framing import pieces_of
from harness.cli import main
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.outcome import Exit
from harness.report.recordings import drift_lines, drift_totals
from harness.transport import ServiceDriver
from harness.wire import COMPLETE, By, Chunked, Ending, Headers, How, Request, encode
from tests.cassette.samples import post

JSON = "application/json"
STREAM = "text/event-stream"


def answered(
    body: bytes, kind: str, *, request: Request | None = None, status: int = 200, **more: Any
) -> Recording:
    """A recording with this body."""
    return Recording(
        request=request or Request("POST", "/v1beta/interactions", Headers(), b'{"model":"m"}'),
        status=status,
        headers=Headers((("content-type", kind),)),
        body=body,
        pieces=pieces_of([(len(body), 0)]),
        framing=Chunked(),
        **more,
    )


def interaction(**changed: Any) -> Recording:
    """A finished interaction; fields given as None are left out."""
    value = {
        "id": "int_1",
        "status": "completed",
        "usage": {"total_tokens": 3},
        "steps": [{"type": "model_output", "content": [{"type": "text", "text": "hi"}]}],
        **changed,
    }
    return answered(json.dumps({k: v for k, v in value.items() if v is not None}).encode(), JSON)


def stream(*events: dict[str, Any], ending: Ending = COMPLETE) -> Recording:
    """A stream of these events."""
    body = b"".join(encode(event["event_type"], json.dumps(event).encode()) for event in events)
    request = Request("POST", "/v1beta/interactions", Headers(), b'{"model":"m","stream":true}')
    return answered(body, STREAM, request=request, ending=ending)


def delta(text: str, **more: Any) -> dict[str, Any]:
    """One text delta."""
    return {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": text}, **more}


CREATED = {"event_type": "interaction.created", "interaction": {"id": "int_1", "status": "in_progress"}}
DONE = {"event_type": "interaction.completed", "interaction": {"id": "int_1", "status": "completed"}}


def diff(before: Recording, after: Recording) -> Drifts:
    """The drifts between two sessions of one exchange."""
    return diff_recordings([before], [after], PROTOCOL)


PLAIN = interaction()
SHAPE = {
    "a field is gone": (interaction(usage=None), "body.usage: removed, was object"),
    "a field is new": (interaction(role="model"), "body.role: added, 'model'"),
    "a type changed": (interaction(usage={"total_tokens": "3"}), "body.usage.total_tokens: integer → string"),
    "a whole number has a fraction": (
        interaction(usage={"total_tokens": 3.5}),
        "body.usage.total_tokens: integer → number",
    ),
    "another status": (interaction(status="done"), "body.status: 'completed' → 'done'"),
    "another kind of step": (
        interaction(steps=[{"type": "model_text", "content": []}]),
        "body.steps[model_output]: removed, was object",
    ),
    "another HTTP status": (answered(PLAIN.body, JSON, status=201), "status: 200 → 201"),
    "another content type": (answered(PLAIN.body, "text/plain"), f"header content-type: {JSON} → text/plain"),
}


@pytest.mark.parametrize("name", SHAPE)
def test_what_breaks_a_client_is_drift_of_shape(name: str) -> None:
    """Changed fields, types, kinds, statuses and important headers are shape, with place, before and after."""
    after, told = SHAPE[name]
    assert told in [str(drift) for drift in diff(PLAIN, after).shape]


CONTENT = {
    "another text": interaction(steps=[{"type": "model_output", "content": [{"type": "text", "text": "ho"}]}]),
    "other usage": interaction(usage={"total_tokens": 99}),
    "another id": interaction(id="int_2"),
    "a float for a whole number": interaction(usage={"total_tokens": 3.0}),
    "one more step of a kind": interaction(steps=[*json.loads(PLAIN.body)["steps"]] * 2),
}


@pytest.mark.parametrize("name", CONTENT)
def test_what_two_honest_runs_may_differ_in_is_content(name: str) -> None:
    """Text, usage, ids and counts may differ between two correct runs: they are content, never shape."""
    drifts = diff(PLAIN, CONTENT[name])
    assert not drifts.shape
    assert drifts.content


def test_the_number_of_deltas_is_content_and_their_place_is_shape() -> None:
    before = stream(CREATED, delta("ab"), DONE)
    assert not diff(before, stream(CREATED, delta("a"), delta("b"), DONE)).shape
    (drift,) = diff(before, stream(CREATED, DONE, delta("ab"))).shape
    assert drift.place == "order of events"
    assert drift.after.startswith("interaction.created, interaction.completed")


def test_a_number_that_is_whole_by_chance_is_one() -> None:
    """An integer where fractions were seen is no drift of type; a fraction where integers were seen is."""
    before, after = interaction(usage={"score": 0.5}), interaction(usage={"score": 1})
    assert not diff(before, after).shape
    assert [str(drift) for drift in diff(after, before).shape] == ["body.usage.score: integer → number"]


def with_tail(tail: bytes) -> Recording:
    """A stream that ends with these bytes."""
    whole = stream(CREATED, DONE)
    return replace(whole, body=whole.body + tail, pieces=pieces_of([(len(whole.body + tail), 0)]))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b"", b"data: [DONE]\n\n", "order of events"),
        (b"data: [DONE]\n\n", b"data: [DONE]\n\ndata: [DONE]\n\n", "order of events"),
        (b"event: done\ndata: [DONE]\n\n", b"data: [DONE]\n\n", "[DONE] `event:` line"),
    ],
)
def test_the_last_frame_is_part_of_the_shape(before: bytes, after: bytes, told: str) -> None:
    """A final frame that is new, repeated or renamed is shape, because it breaks clients that wait for it."""
    assert told in [drift.place for drift in diff(with_tail(before), with_tail(after)).shape]


def test_the_line_of_an_event_that_is_gone_is_no_drift_of_its_own() -> None:
    """An event that one recording lacks is reported once, and not again for the line that names its type."""
    frame = b'event: step.stop\ndata: {"event_type": "step.stop"}\n\n'
    told = [str(drift) for drift in diff(with_tail(frame), with_tail(b"")).shape]
    assert [one for one in told if one.startswith("step.stop")] == ["step.stop: removed, was object"]


def test_events_without_ids_are_drift_of_shape() -> None:
    drifts = diff(stream(CREATED, delta("a", event_id="e1"), DONE), stream(CREATED, delta("a"), DONE))
    assert [str(drift) for drift in drifts.shape] == ["step.delta(text).event_id: removed, was string"]


def test_a_stream_that_was_cut_is_compared_as_far_as_it_goes() -> None:
    cut = stream(CREATED, delta("a"), ending=Ending(By.CLIENT, How.FIN))
    drifts = diff(stream(CREATED, delta("a"), DONE), cut)
    assert not drifts.shape
    assert "ending: complete → the client disconnected within the body" in map(str, drifts.content)


def test_polls_are_one_however_many_there_were() -> None:
    """Neither a different number of polls nor another id in their path is drift."""

    def poll(identity: str, status: str) -> Recording:
        asked = Request("GET", f"/v1beta/interactions/{identity}")
        return answered(json.dumps({"id": identity, "status": status}).encode(), JSON, request=asked)

    before = [poll("int_1", "in_progress"), poll("int_1", "completed")]
    after = [poll("int_2", "in_progress"), poll("int_2", "in_progress"), poll("int_2", "completed")]
    drifts = diff_recordings(before, after, PROTOCOL)
    assert (drifts.compared, drifts.shape) == (1, {})


def test_an_exchange_that_is_missing_is_drift_of_shape() -> None:
    delete = answered(b"{}", JSON, request=Request("DELETE", "/v1beta/interactions/x"))
    drifts = diff_recordings([PLAIN, delete], [PLAIN], PROTOCOL)
    assert {str(d): seen for d, seen in drifts.shape.items()} == {
        "exchange: removed": [SeenIn("DELETE /v1beta/interactions/x")]
    }


def test_equal_requests_are_compared_in_any_order() -> None:
    """Tests that share a cassette run in any order; a request that is new is compared with one that is gone."""
    one, two, three, four = (
        answered(json.dumps({"only": {name: 1}}).encode(), JSON, request=post({"input": name}))
        for name in ("one", "two", "three", "four")
    )
    assert diff_recordings([one, two, three], [three, two, one], PROTOCOL).shape == {}
    drifts = diff_recordings([one, two, three], [four, three, one], PROTOCOL)
    assert [str(drift) for drift in drifts.shape] == [
        "body.only.two: removed, was integer",
        "body.only.four: added, integer",
    ]


def test_a_change_of_many_cassettes_is_one_sentence(tmp_path: Path) -> None:
    """Recorded again, 40 cassettes show one drift: it is grouped by file, exchange and subtree; ids are folded."""
    old = {"total_tokens": 3, "total_input_tokens": 1, "calls": 2}
    for number in range(40):
        save(tmp_path / "a" / f"{number:02}.yaml", [interaction(usage=old)])
        save(tmp_path / "b" / f"{number:02}.yaml", [interaction(id=f"int_{number}", usage={"total": "3"})])
    drifts = diff_paths(tmp_path / "a", tmp_path / "b", PROTOCOL)
    lines = list(drift_lines(drifts))
    assert lines[:4] == [
        "00.yaml, 01.yaml, 02.yaml and 37 more",
        "  POST /v1beta/interactions",
        "    structure  body.usage: removed total_tokens, total_input_tokens, calls; added total (string)",
        "content    2 fields differ in any two recordings (ids, times, signatures, sizes): bytes, body.id",
    ]
    assert len(lines) == 4
    assert drift_totals(drifts) == "compared 40 exchanges; differences: 4 in structure, 0 in content"


@pytest.mark.parametrize("spaced", [False, True])
def test_events_that_differ_in_more_than_texts_are_all_looked_at(spaced: bool) -> None:
    """Of a long stream only one event of each shape is read; a number, a kind or a name makes another shape."""
    separators = (", ", ": ") if spaced else (",", ":")
    deltas = [delta("a"), delta('b":"c\\'), delta("d", more=1), delta("e", more=1.5), delta("f", status="x")]
    body = b"".join(encode("step.delta", json.dumps(event, separators=separators).encode()) for event in deltas)
    body += b'data: {"event_type":"x","a":"1","a":"1"}\n\ndata: {"event_type":"x","a":"1","a":"2"}\n\n'
    facts = facts_of([answered(body, STREAM)], PROTOCOL)
    assert facts.places["step.delta(text).more"] == {"integer", "number"}
    assert facts.places["step.delta(text).status"] == {"'x'"}
    assert facts.places["x, a name twice"] == {"a"}
    assert facts.content["text 0/text"] == 'ab":"c\\def'


def test_folders_are_compared_by_the_names_in_them(tmp_path: Path) -> None:
    """A cassette that only one folder has is structural drift, but no copy that a recorder left of an older one.

    Comparing a folder with a file is refused.
    """
    for folder, names in {"a": ("x.yaml", "y.yaml"), "b": ("x.yaml", "x.before-1.yaml")}.items():
        for name in names:
            save(tmp_path / folder / name, [PLAIN])
    drifts = diff_paths(tmp_path / "a", tmp_path / "b", PROTOCOL)
    assert (drifts.compared, list(drifts.shape.values())) == (1, [[SeenIn("", "y.yaml")]])
    with pytest.raises(CassetteError, match="two files or two folders"):
        diff_paths(tmp_path / "a", tmp_path / "b" / "x.yaml", PROTOCOL)


# --- requests of recorded sessions that are sent again, and what `harness diff A emulator` says of the answers


TARGET = "/v1beta/interactions"
KEYLESS = {"require_key": False}
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


def write_pair(folder: Path, name: str, request: object, answer: object) -> None:
    """A request and its answer, as two files."""
    (folder / f"{name}.request.json").write_text(json.dumps(request), encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(answer), encoding="utf-8")


def ask(body: dict[str, object]) -> dict[str, object]:
    """The body with the model that the tests ask."""
    return {"model": "gemini-3.8-flash", **body}


@pytest.fixture
def tool_loop(tmp_path: Path) -> Path:
    """A session in two pairs: a call of a function, and its result, with ids of the recorded service."""
    call = {"type": "function_call", "id": "recorded_call", "name": "get_weather", "arguments": {}}
    first = {"id": "v1_recorded", "object": "interaction", "status": "requires_action", "steps": [call]}
    write_pair(tmp_path, "loop.0", ask({"input": "Weather?", "tools": [WEATHER]}), first)
    result = {"type": "function_result", "call_id": "recorded_call", "name": "get_weather", "result": "Sun."}
    second = {"id": "v1_other", "object": "interaction", "status": "completed", "steps": []}
    asked = ask({"input": [result], "tools": [WEATHER], "previous_interaction_id": "v1_recorded"})
    write_pair(tmp_path, "loop.1", asked, second)
    return tmp_path


def test_later_requests_name_what_the_service_gave(tool_loop: Path) -> None:
    """The ids of the interaction and of the call are those of the answer before, so the chain holds."""
    (session,) = sessions_in(tool_loop, TARGET)
    emulator = Emulator().change(**KEYLESS)
    answers = send_again(session, ServiceDriver(emulator, emulator.clock), PROTOCOL)
    assert [answer.status for answer in answers] == [200, 200]
    sent = json.loads(answers[1].request.body)
    first = json.loads(answers[0].body)
    assert sent["previous_interaction_id"] == first["id"]
    assert sent["input"][0]["call_id"] == first["steps"][-1]["id"]


def test_no_file_takes_the_place_of_the_emulator(
    tool_loop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A repository may contain an `emulator` that is the same as its recordings; the word means the emulator.

    A field that the recorded answer lacks is named, and the exit code says that there was one.
    """
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tool_loop, "emulator")
    assert main(["diff", str(tool_loop), "emulator"]) == Exit.FAILED
    printed = capsys.readouterr().out
    assert "body: added usage (object)" in printed
    assert "4 exchanges compared" in printed
    assert main(["diff", str(tool_loop), "./emulator"]) == Exit.NOTHING_RAN  # a folder of pairs, and no emulator


def test_a_platform_needs_the_emulator(tool_loop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(tool_loop), str(tool_loop), "--platform", "vertex"]) == Exit.USAGE
    assert "--platform" in capsys.readouterr().err
