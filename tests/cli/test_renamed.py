"""Tests of names that were removed: each answers with what does the same now, and exits with 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import renamed
from harness.cli.arguments import load_options
from harness.cli.main import COMMANDS
from harness.cli.renamed import EVERY, Removed
from tests.cli.conftest import Harness

ROW = Removed("two others do the same", "write `harness check`")
ANSWER = "two others do the same: write `harness check`"


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row of each kind."""
    monkeypatch.setitem(renamed.RENAMED_COMMANDS, "old", ROW)
    monkeypatch.setitem(renamed.RENAMED_OPTIONS, ("check", "--old"), ROW)
    monkeypatch.setitem(renamed.RENAMED_OPTIONS, (EVERY, "-x"), ROW)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["old", "--any", "word"], "`harness old` was removed"),
        (["check", "--old", "value"], "--old was removed from `harness check`"),
        (["check", "--old=value"], "--old was removed from `harness check`"),
        (["list", "-x"], "-x was removed from `harness list`"),
    ],
)
def test_a_removed_name_answers_with_the_new_one(words: list[str], what: str, harness: Harness) -> None:
    """The line has the name, why it is gone, and what to write."""
    done = harness(*words)
    assert (done.code, done.out, done.err) == (2, "", f"harness: {what}: {ANSWER}\n")


@pytest.mark.parametrize("table", ["[tool.harness]\nold = 1", "[tool.harness.old]\nkey = 1"])
def test_a_removed_key_of_a_file(
    table: str, harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that sets a removed option, or has the table of a removed command, is answered, too."""
    (tmp_path / "pyproject.toml").write_text(table + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    done = harness("check", "emulator")
    assert (done.code, "pyproject.toml" in done.err, ANSWER in done.err) == (2, True, True)


def test_no_row_names_what_exists() -> None:
    """A row would never be read if a command or an option has its name."""
    assert not renamed.RENAMED_COMMANDS.keys() & COMMANDS.keys()
    for command, flag in renamed.RENAMED_OPTIONS:
        names = COMMANDS if command == EVERY else [command]
        taken = {
            own
            for name in names
            for item in load_options(name).list_options().values()
            for own in item.list_flags()
        }
        assert flag not in taken, f"{command} {flag}"
