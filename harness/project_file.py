"""The pyproject.toml of a project: the nearest one of a folder and its parents, and its table `[tool.harness]`.

Layer 0. Must not know what a key of the table means.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.documents import explain_unread, load_toml, read_file
from harness.errors import UsageFault

FILE = "pyproject.toml"


class ProjectFile(Struct, frozen=True, dict=True):
    """A file that a folder brings, read once."""

    path: Path
    data: bytes

    @cached_property
    def table(self) -> dict[str, Any]:
        """The table `[tool.harness]`. Raises UsageFault."""
        try:
            whole = load_toml(self.data)
        except (ValueError, RecursionError) as wrong:
            raise UsageFault(f"{self.path} is not valid TOML: {wrong}: correct that line") from None
        tool = whole.get("tool")
        table = tool.get("harness", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise UsageFault(f"{self.path}: tool.harness must be a table")
        return table


def find_file(folder: Path | None = None) -> ProjectFile | None:
    """The nearest file of the folder (default: the current one) and its parents. Raises UsageFault."""
    here = folder or Path.cwd()
    path = next((place / FILE for place in (here, *here.parents) if (place / FILE).is_file()), None)
    if path is None:
        return None
    try:
        return ProjectFile(path, read_file(path))
    except OSError as wrong:
        raise UsageFault(f"{path} cannot be read: {explain_unread(wrong)}") from None
