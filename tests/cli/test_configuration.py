"""Tests of `[tool.harness]`: the nearest pyproject.toml counts, and the command line overrides it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from harness.cli.configuration import KEYS, fill_in, read_configuration
from harness.outcome import UsageFault


def write(folder: Path, text: str) -> Path:
    """Write a pyproject.toml with this text and return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    """The file is looked for upwards from the folder; the first one found counts, even without the table."""
    write(tmp_path, '[tool.harness]\nmodel = "outer"\n')
    (tmp_path / "a").mkdir()
    assert read_configuration(tmp_path / "a") == {"model": "outer"}
    assert read_configuration(write(tmp_path / "b", "[tool.other]\n")) == {}


def test_every_key_has_its_argument_name(tmp_path: Path) -> None:
    """Keys have dashes where arguments have underscores; a header is split into name and value."""
    found = read_configuration(write(tmp_path, '[tool.harness]\nfail-fast = true\nheader = ["A: b"]\n'))
    assert found == {"fail_fast": True, "header": [("A", "b")]}


def test_what_was_said_is_kept() -> None:
    """Only arguments that are None are filled in; an empty target counts as given."""
    arguments = Namespace(target="", model=None, jobs=2)
    fill_in(arguments, {"target": "http://h", "model": "m", "jobs": 8, "level": "must"})
    assert vars(arguments) == {"target": "", "model": "m", "jobs": 2}


@pytest.mark.parametrize("text", ["[tool.harness\n", "tool = {harness = 3}\n", '[tool.harness]\ncheck = "one"\n'])
def test_wrong_files(text: str, tmp_path: Path) -> None:
    """A file that cannot be parsed, or a value of the wrong type, is a usage error."""
    with pytest.raises(UsageFault):
        read_configuration(write(tmp_path, text))


def test_keys_are_flags_of_check() -> None:
    """Every key allowed in the table is an argument of `harness check`."""
    from harness.cli.commands.check import _parser

    flags = set(vars(_parser().parse([])))
    assert {key.replace("-", "_") for key in KEYS} <= flags
