"""Judges the paths in a configuration file: `[tool.harness]` of a `pyproject.toml` (`project_file`).

Layer 8. People run `harness` in folders that they did not write, with a key in the environment. So a file has no
key for an option that chooses who receives a key, which code runs or who can connect, and the paths that it names
stay in its own folder (`options.Trust`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.cli.options import REPORT, REVISION, Option, Trust
from harness.contract import REVISIONS
from harness.outcome import UsageFault
from harness.project_file import ProjectFile


def require_inside(file: ProjectFile, option: Option, value: Any, place: str) -> None:
    """Raise UsageFault for a path of the file that leaves its folder, links followed, or enters its `.git`."""
    if option.allowed is not Trust.INSIDE or (option.kind is REVISION and value in REVISIONS):
        return
    folder = Path(os.path.realpath(file.path.parent))
    for one in value if isinstance(value, list) else [value]:
        real = Path(os.path.realpath(one.partition("=")[2] if option.kind is REPORT else one))
        if real.is_relative_to(folder) and ".git" not in real.relative_to(folder).parts:
            continue
        why = "in its `.git`" if real.is_relative_to(folder) else f"outside {str(folder)!r}"
        raise UsageFault(
            f"{place} = {one!r} is {why}, where a configuration file names no path: pass {option.long_flag} "
            "on the command line"
        )
