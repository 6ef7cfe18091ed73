"""`harness client js` prints and writes the module for JavaScript; its types name what the emulator has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.emulator import Script


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["client", "js", *words]) == 0
    return capsys.readouterr().out


def test_it_prints_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    """The module has no dependencies: what it imports is part of Node."""
    module = printed(capsys)
    assert set(re.findall(r'import\("([^"]+)"\)', module)) == {"node:child_process"}
    assert not re.search(r"^import ", module, re.MULTILINE)


def test_every_key_of_a_script_is_declared(capsys: pytest.CaptureFixture[str]) -> None:
    """TypeScript knows each key of a script."""
    declared = printed(capsys, "--types").split("export interface Script {")[1].split("\n}")[0]
    assert set(re.findall(r"^  (\w+)\?:", declared, re.MULTILINE)) == set(Script.__struct_fields__)


def test_it_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o` makes the folder and writes the module and its types."""
    told = printed(capsys, "-o", str(tmp_path / "new"))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["harness.d.mts", "harness.mjs"]
    assert told.count("\n") == 2


def test_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in place of the folder is a usage error that names it."""
    (tmp_path / "file").write_text("x", "utf-8")
    assert main(["client", "js", "-o", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
