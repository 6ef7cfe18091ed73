"""`harness fuzz`: usage errors, exit codes, printed output and written files."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from harness import resources
from harness.cli import main
from harness.emulator.mutants import MUTANTS
from harness.engine.search.budget import BUDGETS, open_database
from harness.kit.api import PRIMARY_KEY
from harness.outcome import Exit, UsageFault
from harness.transport import ServerThread

pytestmark = pytest.mark.slow

QUICK = ("--engine", "history", "--max-examples", "25", "--no-store")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, with no API key in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "OTHER_GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no target was given"),
        (["emulator", "--engine", "histry"], "did you mean 'history'"),
        (["emulator", "--profile", "nightly,ci"], "several sizes"),
        (["emulator", "--profile", "smok"], "did you mean 'smoke'"),
        (["emulator", "--level", "sometimes"], "unknown level"),
        (["emulator", "--max-examples", "0"], "1 or more"),
        (["emulator", "--database", "github:x"], "github:OWNER/REPOSITORY"),
        (["http://127.0.0.1:9", "--exhaustive", "2", "--time", "x"], "not a number"),
    ],
)
def test_wrong_usage_is_told_and_exits_2(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", *words]) == Exit.USAGE
    assert told in capsys.readouterr().err


def test_the_reference_exits_0_and_says_what_was_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "emulator", *QUICK]) == Exit.OK
    out = capsys.readouterr().out
    assert "history" in out
    assert "no finding" in out


def test_exhaustive_alone_prints_histories_and_states(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "emulator", "--exhaustive", "2", "--no-store"]) == Exit.OK
    out = capsys.readouterr().out
    assert "states" in out
    assert "histories" in out
    assert "laws" not in out


def fuzz_mutant(name: str, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    """Fuzz a mutant over a socket with --json: the exit code and the JSON record."""
    emulator = MUTANTS[name].build()
    with ServerThread(emulator, clock=emulator.clock) as server:
        key = ("--api-key", PRIMARY_KEY, "--capability", "-two-keys")
        code = main(["fuzz", server.url, *key, *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_broken_server_exits_1_and_is_described_by_the_schema(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A defect found over a socket exits with 1, fits the schema, is written in three forms and is stored."""
    words = ("--engine", "history", "--max-examples", "40", "--level", "must", "-o", str(tmp_path / "out"))
    code, record = fuzz_mutant("delete-keeps", capsys, *words, "--report", f"junit={tmp_path}/x.xml")
    schema = json.loads((resources.folder("schemas") / "output" / "fuzz.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(record)
    assert code == record["exit"] == Exit.FAILED
    found = {failure["rule"]: failure for failure in record["failures"]}  # type: ignore[attr-defined]
    assert found["del.gone"]["outcome"] == "failed"
    assert PRIMARY_KEY not in json.dumps(record)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".sh", ".py", ".yaml"}
    assert len(list((tmp_path / ".harness" / "fuzz").glob("*/del.gone_*.json"))) == 1
    cases = list(ET.parse(tmp_path / "x.xml").iter("testcase"))
    assert [case.get("name") for case in cases if case.get("classname") == "interactions.fuzz"] == [
        "stored",
        "history",
    ]
    told = {case.get("name", "").partition(":")[0]: case.findtext("failure") for case in cases}
    assert "least history: " in (told["del.gone"] or "")


def test_a_warning_fails_nobody_unless_strict(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken SHOULD is only a warning, unless the profile `strict` makes it a failure."""
    words = ("--engine", "history", "--max-examples", "25", "--no-store")
    assert fuzz_mutant("done-missing", capsys, *words)[0] == Exit.OK
    code, record = fuzz_mutant("done-missing", capsys, *words, "--profile", "smoke,strict")
    assert code == Exit.FAILED
    failures = [failure for failure in record["failures"] if failure["outcome"] == "failed"]  # type: ignore[attr-defined]
    assert {failure["rule"] for failure in failures} == {"stream.done"}


def test_a_dead_target_exits_4() -> None:
    assert main(["fuzz", "http://127.0.0.1:9", "--timeout", "2"]) == Exit.UNREACHABLE


def test_databases_are_opened_by_name(tmp_path: Path) -> None:
    """An example database is a directory, GitHub or none; an unreachable Redis is a usage error."""
    assert open_database(None) is None
    assert open_database("none") is None
    assert type(open_database(str(tmp_path))).__name__ == "DirectoryBasedExampleDatabase"
    assert type(open_database("github:owner/name")).__name__ == "MultiplexedDatabase"
    with pytest.raises(UsageFault, match=r"redis"):
        open_database("redis://127.0.0.1:1")


def test_profiles_grow() -> None:
    """The budgets grow from smoke to ci to nightly; smoke and ci have no time limit, so they are deterministic."""
    smoke, ci, nightly = (BUDGETS[name] for name in ("smoke", "ci", "nightly"))
    assert smoke.histories < ci.histories < nightly.histories
    assert smoke.seconds is ci.seconds is None
