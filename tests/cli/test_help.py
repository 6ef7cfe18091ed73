"""`--help` of every command fits the terminal, and does not grow too wide to read."""

from __future__ import annotations

import pytest

from harness.cli.main import COMMANDS
from tests.cli.conftest import Harness


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize(("columns", "most"), [(80, 80), (200, 120)])
def test_help_fits(
    command: str, columns: int, most: int, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer than the terminal is wide; on a wide one, prose ends at a width that can be read."""
    monkeypatch.setenv("COLUMNS", str(columns))
    done = harness(*filter(None, [command]), "--help")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if len(line) > most] == []


def test_prose_uses_the_width(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a wider terminal the same words take fewer lines; lines that are to be copied are never joined."""
    lengths = []
    for columns in ("80", "110"):
        monkeypatch.setenv("COLUMNS", columns)
        out = harness("record", "--help").out
        assert "  harness record --target https://generativelanguage.googleapis.com \\\n    --cassette" in out
        lengths.append(len(out.splitlines()))
    assert lengths[1] < lengths[0]
