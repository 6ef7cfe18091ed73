"""The terminal and the formats look as they were last agreed on: `tests/report/golden/`."""

from __future__ import annotations

import re

import pytest

from tests.report.golden_files import FILES, FOLDER, make


@pytest.mark.parametrize("name", FILES)
def test_it_looks_as_agreed(name: str) -> None:
    """The output equals its file; `python -m tests.report.golden_files` writes the files again."""
    assert make(name) == (FOLDER / name).read_text("utf-8")


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_list_fits_the_terminal(columns: int) -> None:
    """No row of the list of failures is wider than the terminal."""
    lines = [_SGR.sub("", line) for line in (FOLDER / f"terminal-{columns}.txt").read_text("utf-8").splitlines()]
    at = lines.index("failures and warnings, the worst first:")
    assert max(len(line) for line in lines[at : at + 4]) < columns


_SGR = re.compile("\x1b\\[[0-9;]*m")
