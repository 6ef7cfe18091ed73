"""Requests of recorded sessions that are sent again, and what `harness diff A emulator` says of the answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.benches.recordings.diff import send_again, sessions_in
from harness.cli import main
from harness.contract.tables.protocol import PROTOCOL
from harness.emulator import Emulator
from harness.outcome import Exit
from harness.transport import ServiceDriver

TARGET = "/v1beta/interactions"
KEYLESS = {"require_key": False}
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


def write_pair(folder: Path, name: str, request: object, answer: object) -> None:
    """A request and its answer, as two files."""
    (folder / f"{name}.request.json").write_text(json.dumps(request), encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(answer), encoding="utf-8")


def ask(body: dict[str, object]) -> dict[str, object]:
    """The body with the model that the tests ask."""
    return {"model": "gemini-3.5-flash", **body}


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


def test_the_command_prints_what_differs(tool_loop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field that the recorded answer lacks is named, and the exit code says that there was one."""
    assert main(["diff", str(tool_loop), "emulator", "--quiet"]) == Exit.FAILED
    printed = capsys.readouterr().out
    assert "body.usage: added, object" in printed
    assert "compared 2 exchanges" in printed


def test_a_platform_needs_the_emulator(tool_loop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(tool_loop), str(tool_loop), "--platform", "vertex"]) == Exit.USAGE
    assert "--platform" in capsys.readouterr().err
