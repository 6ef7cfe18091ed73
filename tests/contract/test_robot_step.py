"""A revision that adds a step and its delta, as two files and no code, is served, drawn, judged and assembled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.contract import CURRENT, Contract, StreamJudge, StreamReading, load, load_from
from harness.contract.judge.body import judge_unlisted
from harness.emulator import Emulator
from harness.wire import Headers, Request, encode
from harness.wire.message import Chunk

Json = dict[str, Any]

STEP = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "description": "A movement of a robot.",
    "x-deltas": ["robot_call"],
    "x-in-start": {"id": "whole", "signature": "empty"},
    "$ref": "#/$defs/shell",
    "required": ["id", "arguments"],
    "$defs": {
        "shell": {
            "description": "A step as a step.start may show it; only the type is certain.",
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": {"const": "robot_call"},
                "id": {"description": "Opaque identifier.", "type": "string"},
                "arguments": {"description": "Where to go.", "type": "object", "x-open": True},
                "signature": {"description": "Opaque base64 token.", "type": "string"},
            },
        }
    },
}
DELTA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "description": "Where the robot goes.",
    "x-grows": {"how": "merge", "fragments": ["signature"]},
    "type": "object",
    "required": ["type", "arguments"],
    "properties": {
        "type": {"const": "robot_call"},
        "arguments": {"description": "Where to go.", "type": "object", "x-open": True},
        "signature": {"description": "Opaque base64 token.", "type": "string"},
    },
}
MOVE = {"id": "r1", "arguments": {"to": "the door"}, "signature": "c2ln", "type": "robot_call"}


@pytest.fixture(scope="module")
def robots(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """The contract of a revision that has robots."""
    folder = tmp_path_factory.mktemp("revisions") / "2027-01-01"
    for name, content in (
        ("revision", {"base": CURRENT}),
        ("steps/robot-call", STEP),
        ("deltas/robot-call", DELTA),
    ):
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return load_from(folder)


def streamed(contract: Contract) -> bytes:
    """The stream of a run whose script has the robot move."""
    emulator = Emulator(contract=contract).script({"steps": [MOVE]})
    body = json.dumps({"model": "gemini-3.8-flash", "input": "Go.", "stream": True}).encode()
    response = emulator(Request("POST", "/v1beta/interactions", Headers((("x-goog-api-key", "any"),)), body))
    return b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))


def events_in(stream: bytes) -> list[Json]:
    """The JSON payloads of a stream."""
    data = (line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: {"))
    return [json.loads(payload) for payload in data]


def judged(contract: Contract, stream: bytes) -> StreamReading:
    """The reading of a stream by a contract."""
    judge = StreamJudge(contract)
    judge.feed(stream)
    return judge.finish()


def test_the_emulator_streams_it_with_its_delta(robots: Contract) -> None:
    """step.start shows what the mark says, the delta brings the rest, and nothing is wrong or unknown."""
    stream = streamed(robots)
    events = [event for event in events_in(stream) if "index" in event]
    assert events[0]["step"] == {"id": "r1", "signature": "", "type": "robot_call"}
    assert events[1]["delta"] == {key: value for key, value in MOVE.items() if key != "id"}
    assert [event["event_type"] for event in events] == ["step.start", "step.delta", "step.stop"]
    reading = judged(robots, stream)
    assert reading.findings == ()
    assert reading.unknowns == ()


@pytest.mark.parametrize(
    ("delta", "rule"),
    [
        ({"type": "text", "text": "to the door"}, "stream.delta-fits"),
        ({"type": "robot_call", "arguments": "the door"}, "stream.schema"),
    ],
)
def test_a_wrong_delta_in_it_is_found(robots: Contract, delta: Json, rule: str) -> None:
    """A delta of another step does not fit, and one of its own must have its shape."""
    events = [
        {**event, "delta": delta} if event["event_type"] == "step.delta" else event
        for event in events_in(streamed(robots))
    ]
    frames = [encode(event["event_type"], json.dumps(event).encode()) for event in events]
    reading = judged(robots, b"".join([*frames, encode("done", b"[DONE]")]))
    assert {finding.rule for finding in reading.findings} == {rule}


def unlisted(contract: Contract, step: Json) -> list[str]:
    """What an interaction with this step holds that a contract does not name."""
    parts = contract.schemas.validator("interaction").review({"status": "completed", "steps": [step]}).unknowns
    return [finding.subject for finding in judge_unlisted([(None, part) for part in parts], contract.revision)]


def test_the_old_revision_does_not_know_it(robots: Contract) -> None:
    """In the same process, the base calls step and delta unknown; the new revision calls only others so."""
    base, stream = load(CURRENT), streamed(robots)
    reading = judged(base, stream)
    assert {unknown.name for _, unknown in reading.unknowns} == {"robot_call"}
    assert [finding.rule for finding in reading.findings] == ["stream.delta-known"]
    assert [unlisted(base, MOVE), unlisted(robots, MOVE)] == [["step robot_call"], []]
    assert unlisted(robots, {"type": "ray_call"}) == ["step ray_call"]
    assert "robot_call" not in base.steps
    assert robots.steps.keys() - base.steps.keys() == {"robot_call"}


def test_a_request_may_send_it_back(robots: Contract) -> None:
    """The input of a create may have the step in the new revision, and only there."""
    create = {"model": "m", "input": [{"type": "user_input", "content": "Go."}, MOVE]}
    accepts = [
        contract.schemas.validator("requests/create-interaction", closed=True).is_valid(create)
        for contract in (robots, load(CURRENT))
    ]
    assert accepts == [True, False]
