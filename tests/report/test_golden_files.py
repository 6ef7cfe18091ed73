"""The terminal and the formats look as they were last agreed on: `tests/report/golden/`."""

from __future__ import annotations

import pytest

from tests.report.golden_files import FILES, FOLDER, make


@pytest.mark.parametrize("name", FILES)
def test_it_looks_as_agreed(name: str) -> None:
    """The output equals its file; `python -m tests.report.golden_files` writes the files again."""
    assert make(name) == (FOLDER / name).read_text("utf-8")
