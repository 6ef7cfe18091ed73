"""Files: each is written beside the old one, and one that cannot be written changes nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness import files
from harness.cassette import CassetteFile, save
from harness.cli.main import main
from harness.contract import PROTOCOL
from harness.files import replacing
from harness.outcome import Exit
from tests.cassette.samples import URL, answered, get

PACKAGE = Path(files.__file__).parent
ALLOWED = {
    "files.py": "the door",
    "cli/main.py": "the null device in place of a stream that is closed",
    "cli/serving.py": "the terminal, to see whether there is one",
    "suite/shared_run.py": "what one worker of pytest-xdist tells the others, in a folder of the session",
}
WRITES = re.compile(
    r"\b(?:write_text|write_bytes|mkstemp|NamedTemporaryFile|copyfile|copytree|mkdir|makedirs|os\.open)\("
    r"|\bopen\((?!fileobj)[^)\n]*[\"'][rbt]?[wax+][rbt+]*[\"']"
)
"""What opens a file to be written, or writes one."""


def test_one_module_writes_files() -> None:
    """No other module of the package opens a file to be written, but those that have a reason."""
    sources = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    assert {name for name, source in sources.items() if WRITES.search(source)} == ALLOWED.keys()


CHECK = ("check", "emulator", "-c", "get.unknown")


def test_a_report_has_the_mode_of_the_old_one(tmp_path: Path) -> None:
    """A report that others may not read stays so, and a link stays a link to it."""
    old = tmp_path / "old.json"
    old.write_text("{}", encoding="utf-8")
    old.chmod(0o600)
    link = tmp_path / "link.json"
    link.symlink_to(old)
    assert main((*CHECK, "--report", f"json={link}")) == Exit.OK
    assert link.is_symlink()
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert old.read_text("utf-8").startswith('{\n  "harness"')
    assert {path.name for path in tmp_path.iterdir()} == {"old.json", "link.json"}


def test_a_file_is_at_no_time_wider_than_the_old_one(tmp_path: Path) -> None:
    """What is written beside a file that others may not read, or is a copy of it, they may not read either."""
    old = tmp_path / "old.yaml"
    save(old, [answered(get(URL), {"a": 1})])
    old.chmod(0o600)
    with replacing(old) as file:
        file.write(b"x")
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    save(old, [answered(get(URL), {"a": 1}), answered(get(f"{URL}/x"), {"a": 1})])
    with CassetteFile(old, PROTOCOL, mode="all") as cassette:
        cassette.add(answered(get(URL), {"error": {}}, 500))
        assert {path.name for path in tmp_path.iterdir()} >= {"old.yaml", "old.part.yaml"}
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir() if path.stat().st_size}
        assert modes == {0o600}
    assert "old.before-1.yaml" in {path.name for path in tmp_path.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def fail(number: int, name: str) -> object:
    """A function of a file that fails as the system would."""

    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), name)

    return fails


@pytest.mark.parametrize(("where", "code"), [("emulator", Exit.USAGE), ("http://127.0.0.1:1", Exit.INCOMPLETE)])
def test_a_full_disk_keeps_the_old_report_and_no_run_passes(
    where: str, code: Exit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the disk is full, the old report stays, the missing one is named, and a run that passes exits with 2."""
    old = tmp_path / "old.json"
    old.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", fail(errno.ENOSPC, ""))
    words = ("--report", f"json={old}", "--report", f"junit={tmp_path / 'new.xml'}")
    assert main(("check", where, "-c", "get.unknown", *words)) == code
    assert old.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    said = capsys.readouterr().err
    assert (
        f"the json report is missing: '{old}' cannot be written: No space left on device; the file there is"
        in said
    )
    assert f"the junit report is missing: '{tmp_path / 'new.xml'}' cannot be written: No space left" in said


def test_a_file_in_a_folder_that_takes_no_other_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a container has a single file mounted, or the folder is another user's; it may be written."""
    old = tmp_path / "old.html"
    old.write_text("old" * 99, encoding="utf-8")
    monkeypatch.setattr(os, "replace", fail(errno.EBUSY, str(old)))
    files.write_file(old, "new")
    assert old.read_text("utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]


@pytest.mark.skipif(not Path("/dev/stdout").exists() or shutil.which("cat") is None, reason="needs /dev/stdout")
def test_a_device_is_written_to() -> None:
    """A report may go to a pipe, which a runner of a CI system reads; JSON says the same there."""
    hostile = {"a": "##[error]x ##vso[task.x]y [[ATTACHMENT|/x]]"}
    text = f"# Title\n::error::x\n{json.dumps(hostile)}\n"
    code = f"import pathlib, harness.files as w; w.write_file(pathlib.Path('/dev/stdout'), {text!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not re.findall(r"(?m)^\s*::.*|##\w*\[.*|\[\[ATTACHMENT", done.stdout)
    assert json.loads(done.stdout.splitlines()[2]) == hostile
    assert done.stdout.startswith("# Title\n")
