"""Recordings that show something else than the tables of models become a patch; sentences are settled by them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.cassette import Recording
from harness.contract.models.profiles import FOLDER, find_profile
from harness.emulator import Emulator, Settings
from harness.files import load_yaml
from harness.rules.sentence_rows import load_sentences
from harness.transport import ServiceDriver
from harness.wire import Headers, Request, Response
from lab.__main__ import main
from lab.facts import RecordedCell, change_tables, find_cells, find_settled
from lab.patches import format_patch

Json = dict[str, Any]

TURN = [{"type": "user_input", "content": [{"type": "text", "text": "Hi."}]}]
SAID = [*TURN, {"type": "model_output", "content": [{"type": "text", "text": "Hi."}]}]
TOOL = {"type": "function", "name": "f"}


def record(service: Any, **fields: Any) -> Recording:
    """The recording of one create."""
    body = json.dumps({"input": "Say hi.", **fields}).encode()
    request = Request("POST", "/v1beta/interactions", Headers([("x-goog-api-key", "k")]), body)
    return Recording.of(ServiceDriver(service).send(request))


def find(service: Any, **fields: Any) -> list[tuple[str, Any, Any]]:
    """The cells that one create shows otherwise than the tables: name, before, after."""
    return [(cell.cell, cell.before, cell.after) for cell in find_cells({"limits": [record(service, **fields)]})]


@pytest.mark.parametrize("fields", [
    {"model": "gemini-3.8-flash", "generation_config": {"thinking_level": "minimal"}},
    {"model": "gemini-3.8-flash", "generation_config": {"top_k": 3}},
    {"model": "gemini-3.8-flash", "input": SAID},
    {"model": "gemini-embedding-2"},
    {"model": "gemini-3.8-flash", "stream": True, "tools": [TOOL]},
    {"model": "gemini-2.5-flash"},
    {"model": "gemini-4-neon"},
    {"model": "gemini-9-nope"},
    {"model": "gemini-3.8-flash", "stream": "yes"},
], ids=str)  # fmt: skip
def test_what_the_tables_say_is_no_news(fields: Json) -> None:
    """The emulator follows the tables, so that nothing that it answers changes a cell."""
    assert find(Emulator(), **fields) == []


def answer(status: int, body: Json) -> Any:
    """A service that always answers so."""
    headers = Headers([("content-type", "application/json")])
    return lambda _: Response.whole(status, headers, json.dumps(body).encode())


def refuse(message: str, status: int = 400, code: str = "invalid_request") -> Any:
    """A service that always refuses so."""
    return answer(status, {"error": {"message": message, "code": code}})


LEVEL = "'xhigh' is not a supported thinking level for this model. Allowed values are: high, minimal."
DONE = {"id": "v1_x", "status": "completed", "steps": [{"type": "thought"}], "usage": {"raw_prompt_token": 3}}


@pytest.mark.parametrize(("service", "fields", "cell", "after"), [
    (refuse(LEVEL), {"generation_config": {"thinking_level": "xhigh"}}, "levels", ["minimal", "high"]),
    (answer(200, DONE), {"generation_config": {"thinking_level": "xhigh"}}, "levels",
     ["low", "medium", "high", "xhigh"]),
    (answer(200, {}), {"input": SAID}, "model_turn_last", "accepted"),
    (refuse("No."), {"generation_config": {"top_k": 3}}, "refused", ["top_k"]),
    (refuse("Model 'gemini-3.8-flash' is gone.", 404, "not_found"), {}, "interactions",
     {"status": 404, "code": "not_found", "message": "Model '{name}' is gone."}),
    (answer(200, DONE), {}, "thought", "bare"),
])  # fmt: skip
def test_a_recording_that_differs_is_a_cell(service: Any, fields: Json, cell: str, after: Any) -> None:
    """What was taken, refused or answered otherwise than in the table is found, with its new value."""
    assert (cell, find_profile("gemini-3.8-flash").value(cell), after) in find(
        service, model="gemini-3.8-flash", **fields
    )


def test_a_step_without_a_type_shows_nothing() -> None:
    """What a live service sends is not ours to choose: a step that has no type is passed over."""
    start = {"event_type": "step.start", "index": 0, "step": {}}
    stream = Headers([("content-type", "text/event-stream")])
    response = Response.whole(200, stream, f"data: {json.dumps(start)}\n\n".encode())
    found = find(lambda _: response, model="gemini-3.8-flash", stream=True)
    assert "function_call_start" not in {cell for cell, *_ in found}


def test_the_patch_makes_the_tables_follow(tmp_path: Path) -> None:
    """A model whose successor answers is recorded; with the patch its table says what the recordings show."""
    service = Emulator(Settings(lifecycle="2026-12-01"))
    recordings = [record(service, model="gemini-2.5-flash"), record(
        service, model="gemini-2.5-flash", stream=True, tools=[TOOL]
    )]  # fmt: skip
    cells = find_cells({"tools": recordings})
    assert [cell.cell for cell in cells] == ["usage", "function_call_start"]
    (tmp_path / "cells.patch").write_text(format_patch(change_tables(cells)), "utf-8")
    tables = tmp_path / "harness" / "contract" / "models"
    shutil.copytree(FOLDER, tables, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", "cells.patch"], cwd=tmp_path, check=True)
    (family,) = load_yaml((tables / "gemini-2.5.yaml").read_text("utf-8"))
    told = family["models"]["gemini-2.5-flash"]
    assert told["function_call_start"] == {"is": "without signature", "by": "R live-tools"}
    assert told["usage"]["is"] == ["raw_prompt_token", "model_invocation_token_counts", "tool_use_by_search"]
    assert told["levels"]["by"] == "?"


def test_a_model_without_cells_of_its_own_gets_them() -> None:
    """A line that said `{}` becomes a table, and the models after it keep theirs."""
    cell = RecordedCell("gemini-omni-1.1-flash", "thought", "bare", "none", "limits")
    patch = format_patch(change_tables([cell]))
    added = [line for line in patch.splitlines() if line.startswith("+ ")]
    assert added == ["+    gemini-omni-1.1-flash:", '+      thought: {is: "none", by: R live-limits}']


def test_sentences_are_settled() -> None:
    """Each sentence of a recorded scenario says what follows: a rule to lower, or one that is missing."""
    wrong = frozenset({"create.level-refused"})
    lines = {line.id: str(line) for line in find_settled({"limits": wrong}, {"limits": wrong})}
    broken = "limits.yaml breaks create.level-refused (SHOULD): lower the level, or mend the judge"
    assert lines["thinking-levels.minimal"] == f"thinking-levels.minimal: {broken}"
    assert lines["probes.top-k"].startswith("probes.top-k: no rule judges it; limits.yaml shows the behavior")
    rules = next(line.rules for line in load_sentences() if line.id == "probes.chain-environment")
    held = {line.id: str(line) for line in find_settled({"agent": frozenset(rules)}, {"agent": frozenset()})}
    assert held["probes.chain-environment"].startswith("probes.chain-environment: true in agent.yaml")
    unseen = {line.id: str(line) for line in find_settled({"agent": frozenset()}, {"agent": frozenset()})}
    said = "no rule was judged in agent.yaml: read there whether the sentence is true"
    assert unseen["probes.chain-environment"] == f"probes.chain-environment: {said}"


def test_the_command_reads_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recordings of the emulator, which follows the tables, change no cell; they settle sentences."""
    patch = tmp_path / "tables.patch"
    assert main(["facts", "cassettes/emulator", "--patch", str(patch), "--live"]) == 0
    said = capsys.readouterr().out
    assert "sentence: breaking-changes.get-steps: true in lifecycle.yaml" in said
    assert ("profile: " in said, patch.exists()) == (False, False)
    assert main(["facts", str(tmp_path)]) == 3
