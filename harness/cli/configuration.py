"""Reads the configuration file of a folder: `[tool.harness]` of a `pyproject.toml`.

Layer 8. People run `harness` in folders that they did not write, with a key in the environment. So a file has no
key for an option that chooses who receives a key, which code runs or who can connect, and the paths that it names
stay in its own folder (`options.Trust`).
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.cli.options import REPORT, REVISION, Option, Trust
from harness.contract import REVISIONS
from harness.documents import explain_unread, load_toml, read_file
from harness.outcome import UsageFault

FILE = "pyproject.toml"


class ConfigurationFile(Struct, frozen=True, dict=True):
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

    def require_inside(self, option: Option, value: Any, place: str) -> None:
        """Raise UsageFault for a path of the file that leaves its folder, links followed, or enters its `.git`."""
        if option.allowed is not Trust.INSIDE or (option.kind is REVISION and value in REVISIONS):
            return
        folder = Path(os.path.realpath(self.path.parent))
        for one in value if isinstance(value, list) else [value]:
            real = Path(os.path.realpath(one.partition("=")[2] if option.kind is REPORT else one))
            if real.is_relative_to(folder) and ".git" not in real.relative_to(folder).parts:
                continue
            why = "in its `.git`" if real.is_relative_to(folder) else f"outside {str(folder)!r}"
            raise UsageFault(
                f"{place} = {one!r} is {why}, where a configuration file names no path: pass {option.long_flag} "
                "on the command line"
            )


def find_file(folder: Path | None = None) -> ConfigurationFile | None:
    """The nearest file of the folder (default: the current one) and its parents. Raises UsageFault."""
    here = folder or Path.cwd()
    path = next((place / FILE for place in (here, *here.parents) if (place / FILE).is_file()), None)
    if path is None:
        return None
    try:
        return ConfigurationFile(path, read_file(path))
    except OSError as wrong:
        raise UsageFault(f"{path} cannot be read: {explain_unread(wrong)}") from None
