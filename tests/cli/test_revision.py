"""`--revision` is known to every command that judges or serves, and an unknown one is a usage error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.contract import CURRENT
from harness.outcome import Exit
from tests.cli.conftest import insert

CASSETTE = Path(__file__).parents[2] / "cassettes" / "emulator" / "agent.yaml"
COMMANDS = {
    "check": ["check", "emulator"],
    "fuzz": ["fuzz", "emulator"],
    "gateway": ["gateway", "http://127.0.0.1:9"],
    "torture": ["torture", "--dry-run", "--", "true"],
    "serve": ["serve"],
    "verify": ["verify", __file__],
    "list": ["list"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_an_unknown_revision_names_the_known(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown revision ends the command with the known ones, and a suggestion if one is near."""
    assert main(insert(words, "--revision", CURRENT[:-1])) == Exit.USAGE
    said = capsys.readouterr().err
    assert f"unknown revision '{CURRENT[:-1]}' of the API; known are {CURRENT}" in said
    assert f"did you mean '{CURRENT}'?" in said


@pytest.mark.parametrize(
    ("name", "told"),
    [("2026-12-01", "revision.json must say"), ("next", "'next' is not a date: name the folder like")],
)
def test_a_folder_without_a_revision_is_refused(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is taken for that of a revision; one that is none ends the command with the reason."""
    (tmp_path / name).mkdir()
    assert main(["list", "--revision", str(tmp_path / name)]) == Exit.USAGE
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "verify", "torture"])
def test_a_folder_may_be_named(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of a revision does for every command what the name of a shipped one does."""
    folder = tmp_path / "2026-12-01"
    folder.mkdir()
    (folder / "revision.json").write_text(json.dumps({"base": CURRENT}), encoding="utf-8")
    words = COMMANDS[command] if command != "verify" else ["verify", str(CASSETTE)]
    assert main(insert(words, "--revision", str(folder))) == Exit.OK
    assert "Traceback" not in capsys.readouterr().err


def test_the_current_revision_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Naming the current revision changes nothing."""
    outputs = []
    for extra in ([], ["--revision", CURRENT]):
        assert main(["list", *extra]) == Exit.OK
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_the_configuration_may_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`revision` of [tool.harness] is the default of --revision."""
    (tmp_path / "pyproject.toml").write_text('[tool.harness]\nrevision = "1999-01-01"\n')
    monkeypatch.chdir(tmp_path)
    assert main(["check", "emulator"]) == Exit.USAGE
    assert "unknown revision '1999-01-01' of the API" in capsys.readouterr().err


@pytest.mark.parametrize("stated", ["2027-01-01", "x\x1b[31m", "9" * 5000], ids=["later", "hostile", "long"])
def test_a_cassette_of_an_unknown_revision_is_judged_and_played(
    stated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newer harness may have recorded it: it is read by the revision that is known, and that is said."""
    lines = CASSETTE.read_text("utf-8").replace(f"revision: '{CURRENT}'", f"revision: {json.dumps(stated)}")
    (tmp_path / "newer.yaml").write_text(lines, encoding="utf-8")
    assert main(["verify", str(tmp_path / "newer.yaml")]) == Exit.OK
    said = capsys.readouterr().out
    assert f"judged by revision {CURRENT}" in said
    shown = stated.replace("\x1b", "\\x1b")
    assert f"newer.yaml: it names the unknown revision {shown[:20]}" in said
    replay = ["replay", str(tmp_path / "newer.yaml"), "--port", "0", "--", sys.executable, "-c", ""]
    assert main(replay) == Exit.NOTHING_RAN
    told = capsys.readouterr().err
    assert "note: the cassette states revision" in told
    assert "\x1b" not in said + told
