"""A newer SDK comes out: what `lab drift` proposes is served, drawn, judged and checked without any code.

The planted SDK brings a tool, a step with its delta, a content, a status, a count and a top-level field.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import resources
from harness.cli.main import main as harness
from harness.contract import CURRENT, Contract, StreamJudge, load, load_from
from harness.contract.judge.body import judge_interaction
from harness.contract.transcript import assemble_steps
from harness.emulator import Emulator, ScriptFault
from harness.rules.tables import FOLDER
from harness.wire import Headers, Request
from harness.wire.message import Chunk
from lab.__main__ import main
from lab.tests.drift.planting import NEXT_MONTH, plant
from tests.packages import NEEDS_GENAI_TYPES

pytestmark = NEEDS_GENAI_TYPES

Json = dict[str, Any]

NAME = "2026-12-01"
NEWER = "9.9.0"
SCENT = {"type": "scent", "notes": "hay"}
STEP = {"type": "dowsing", "id": "d1", "wells": ["below the oak"], "signature": "c2ln"}
CREATES: dict[str, tuple[Json, Json]] = {
    "content": ({"input": [SCENT]}, {"input": [{**SCENT, "notes": 3}]}),
    "content of a step": (
        {"input": [{"type": "user_input", "content": [SCENT]}]},
        {"input": [{"type": "user_input", "content": [{**SCENT, "notes": 3}]}]},
    ),
    "step": (
        {"input": [{"type": "user_input", "content": "Go."}, STEP]},
        {"input": [{"type": "user_input", "content": "Go."}, {**STEP, "id": 3}]},
    ),
    "tool": (
        {"input": "Go.", "tools": [{"type": "dowsing", "rod": "hazel"}]},
        {"input": "Go.", "tools": [{"type": "dowsing"}]},
    ),
    "field": ({"input": "Go.", "dream": True}, {"input": "Go.", "dream": "yes"}),
}
"""Per new thing a create that has it, and one in which it is wrong."""
MIXED = [SCENT, {"type": "user_input", "content": "Go."}]


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked SDK of next month."""
    folder = plant(tmp_path_factory.mktemp("newer"), NEXT_MONTH)
    (folder / "google" / "genai" / "version.py").write_text(f"__version__ = '{NEWER}'\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(sdk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The revision that the command proposes for it."""
    folder = tmp_path_factory.mktemp("revisions") / NAME
    assert main(["drift", "--sdk", str(sdk), "--propose", str(folder)]) == 1
    return folder


@pytest.fixture(scope="module")
def newer(folder: Path) -> Contract:
    """The contract of the proposed revision."""
    return load_from(folder)


def create(contract: Contract, body: Json, script: Json | None = None) -> tuple[int, bytes]:
    """Status and body of the response to a create."""
    emulator = Emulator(contract=contract).script(script or {})
    content = json.dumps({"model": "gemini-3.8-flash", **body}).encode()
    response = emulator(Request("POST", "/v1beta/interactions", Headers((("x-goog-api-key", "any"),)), content))
    return response.status, b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))


@pytest.mark.slow
def test_nothing_is_left_to_do(sdk: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compared with the proposed revision, the SDK has nothing new."""
    assert main(["drift", "--sdk", str(sdk), "--revision", str(folder)]) == 0
    assert f"the schemas {NAME}" in capsys.readouterr().out


@pytest.mark.slow
def test_only_what_the_sdk_brings_is_written(folder: Path) -> None:
    """A content becomes no step, and what follows from other files is not repeated."""
    new = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    assert {path for path in new if "dowsing" in path or "scent" in path} == {
        "contents/scent.json", "deltas/dowsing.json", "steps/dowsing.json", "tools/dowsing.json",
    }  # fmt: skip
    assert not new & {"input.json", "step.json", "step-shell.json", "delta.json"}


@pytest.mark.slow
def test_the_patch_is_the_same_change(sdk: Path, newer: Contract, tmp_path: Path) -> None:
    """The shipped schemas with the patch applied are those of the proposed revision."""
    patch = tmp_path / "newer.patch"
    assert main(["drift", "--sdk", str(sdk), "--propose-patch", str(patch)]) == 1
    shutil.copytree(resources.folder("schemas"), tmp_path / "schemas")
    shutil.copytree(FOLDER, tmp_path / "harness" / "rules", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=True)
    as_of = json.loads((tmp_path / "schemas" / CURRENT / "revision.json").read_bytes())["as_of"]
    assert as_of == f"as of google-genai {NEWER}"
    rules = patch.read_text("utf-8").count("+  level: MAY\n")
    assert rules == len({"dream", "scent", "dowsing as a step", "dowsing as a tool"})
    patched = load_from(tmp_path / "schemas" / CURRENT)
    assert patched.schemas.names() == newer.schemas.names()
    for name in newer.schemas.names():
        bundles = (contract.schemas.bundle(name) for contract in (patched, newer))
        assert len({json.dumps(each, sort_keys=True).replace(CURRENT, NAME) for each in bundles}) == 1, name


@pytest.mark.slow
@pytest.mark.parametrize(("right", "wrong"), CREATES.values(), ids=CREATES)
def test_creates_with_it_are_judged(newer: Contract, right: Json, wrong: Json) -> None:
    """The emulator takes what is new, refuses it where it is damaged, and both in the revision before."""
    statuses = [create(contract, body)[0] for contract in (newer, load(CURRENT)) for body in (right, wrong)]
    assert statuses == [200, 400, 400, 400]


@pytest.mark.slow
def test_a_new_content_is_no_step(newer: Contract) -> None:
    """An input list still holds either contents or steps."""
    status, refusal = create(newer, {"input": MIXED})
    assert status == 400
    assert b"either contents or steps" in refusal


@pytest.mark.slow
def test_a_stream_with_it_is_right_and_assembled(newer: Contract) -> None:
    """The step is streamed by its delta, its id and an empty signature stand in the start."""
    _, stream = create(newer, {"input": "Go.", "stream": True}, {"steps": [STEP], "status": "paused"})
    judge = StreamJudge(newer)
    judge.feed(stream)
    reading = judge.finish()
    assert (reading.findings, reading.unknowns) == ((), ())
    lines = (line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: {"))
    events = [json.loads(line) for line in lines]
    starts = [event["step"] for event in events if event["event_type"] == "step.start"]
    assert starts[0] == {"id": "d1", "signature": "", "type": "dowsing"}
    assert assemble_steps(events, newer) == [STEP]
    assert events[-1]["interaction"]["status"] == "paused"


def test_a_run_may_end_in_the_new_status(newer: Contract) -> None:
    """A script may say it, the judge knows it, and the revision before knows it in neither place."""
    _, body = create(newer, {"input": "Go."}, {"text": "Later.", "status": "paused"})
    assert judge_interaction(json.loads(body), newer) == []
    rules = [finding.rule for finding in judge_interaction(json.loads(body), load(CURRENT))]
    assert rules == ["create.status-listed"]
    with pytest.raises(ScriptFault, match="'paused' is not one a run can end in"):
        create(load(CURRENT), {"input": "Go."}, {"text": "Later.", "status": "paused"})


@pytest.mark.slow
def test_status_and_count_are_drawn(newer: Contract) -> None:
    """The strategies end runs in the new status, and count what it counts."""
    pytest.importorskip("hypothesis", reason="needs the fuzz extra")
    from harness.strategies.messages import interactions, usages
    from tests.strategies.drawing import draws

    assert any("dreamt_tokens" in usage for usage in draws(usages(newer), 60))
    assert "paused" in {answer["status"] for answer in draws(interactions(contract=newer), 200)}


@pytest.mark.slow
def test_the_checks_hold_for_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`harness check --revision FOLDER` judges the emulator of that revision, and all MUSTs hold."""
    assert harness(["check", "emulator", "--revision", str(folder)]) == 0
    assert "MUST checks passed." in capsys.readouterr().out
