"""The pyproject.toml of a project: the nearest one of a folder and its parents, and its table `[tool.harness]`.

Must not know what a key of the table means.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import UsageFault
from harness.files import explain_unread, load_toml, read_file

FILE = "pyproject.toml"


class ProjectFile(Struct, frozen=True):
    """A file that a folder brings, and its table `[tool.harness]`."""

    path: Path
    table: dict[str, Any]


def find_file(folder: Path | None = None) -> ProjectFile | None:
    """The nearest file of the folder (default: the current one) and its parents. Raises UsageFault."""
    here = folder or Path.cwd()
    path = next((place / FILE for place in (here, *here.parents) if (place / FILE).is_file()), None)
    if path is None:
        return None
    try:
        whole = load_toml(read_file(path))
    except OSError as wrong:
        raise UsageFault(f"{path} cannot be read: {explain_unread(wrong)}") from None
    except (ValueError, RecursionError) as wrong:
        raise UsageFault(f"{path} is not valid TOML: {wrong}: correct that line") from None
    tool = whole.get("tool")
    table = tool.get("harness", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageFault(f"{path}: tool.harness must be a table")
    return ProjectFile(path, table)
