"""`harness client js` prints and writes the package for JavaScript; its types name what the emulator has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness import __version__
from harness.cli.main import main
from harness.emulator import Script
from harness.plugin.interactions.lifecycle import COMMON, ROUTES


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["client", "js", *words]) == 0
    return capsys.readouterr().out


def test_it_prints_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    """The module has no dependencies: what it imports is part of Node."""
    module = printed(capsys)
    imported = set(re.findall(r'import\("([^"]+)"\)', module))
    assert imported == {"node:child_process", "node:diagnostics_channel", "node:fs", "node:path"}
    assert not re.search(r"^import ", module, re.MULTILINE)


def test_every_key_of_a_script_is_declared(capsys: pytest.CaptureFixture[str]) -> None:
    """TypeScript knows each key of a script."""
    declared = printed(capsys, "--types").split("export interface Script {")[1].split("\n}")[0]
    assert set(re.findall(r"^  (\w+)\?:", declared, re.MULTILINE)) == set(Script.__struct_fields__)


def test_it_writes_the_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o` makes the folder and writes the whole package, whose version is that of the harness."""
    told = printed(capsys, "-o", str(tmp_path / "new"))
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert {"package.json", "index.js", "index.d.ts", "vitest.js", "node-test.js", "bin.js"} <= written
    assert told.count("\n") == len(written)
    package = json.loads((tmp_path / "new" / "package.json").read_text("utf-8"))
    assert package["version"] == __version__
    named = json.dumps(package["exports"]) + json.dumps(package["bin"])
    assert set(re.findall(r"[\w-]+(?:\.d)?\.[jt]s\b", named)) <= written
    assert "dependencies" not in package


def test_the_routes_are_those_of_the_fixture(capsys: pytest.CaptureFixture[str]) -> None:
    """The module names each route, and those that every client should survive."""
    module = printed(capsys)
    common, every = (
        re.findall(r'"(\w+)"', module.split(f"export const {name} = ")[1].split(";")[0])
        for name in ("COMMON_ROUTES", "ROUTES")
    )
    assert (tuple(common), set(every)) == (COMMON, set(ROUTES))


def test_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in place of the folder is a usage error that names it."""
    (tmp_path / "file").write_text("x", "utf-8")
    assert main(["client", "js", "-o", str(tmp_path / "file")]) == 2
    assert "is a file: name a folder" in capsys.readouterr().err
