"""Release notes are searched for names that no schema has."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contract import CURRENT, load
from harness.errors import UsageFault
from lab.drift.notes import read_notes

NOTES = """\
## v0.5.0
- `harmonic_mode` in `speech_config[]`, and `harmonic_mode` again
- `--api_version` is v1beta, in internal/cli/some_file.go
- environment_key and custom_config in SDKs, and requires_action
"""


def test_a_name_that_no_schema_has_is_listed_once(tmp_path: Path) -> None:
    """Paths, flags, and the members and values of the API are no news."""
    notes = tmp_path / "notes.md"
    notes.write_text(NOTES, encoding="utf-8")
    (line,) = read_notes(notes, load(CURRENT).schemas)
    assert line.startswith("notes.md:2: `harmonic_mode` is in no schema: - `harmonic_mode` in")


def test_notes_that_cannot_be_read_are_the_caller_s(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match=r"--notes '.*none\.md' cannot be read"):
        read_notes(tmp_path / "none.md", load(CURRENT).schemas)
