"""Detects a `harness` module of the user's own, which Python would confuse with this package.

Layer 7. If theirs comes first on the path, none of our code runs and nothing can warn them. So we warn while ours
still runs.
"""

from __future__ import annotations

from pathlib import Path

import harness


def shadow_note(folder: Path | None = None) -> str:
    """A warning about `harness.py` or `harness/` in `folder` (default: the current one); `""` if there is none."""
    here = folder or Path.cwd()
    ours = Path(harness.__file__).resolve().parent
    for theirs in (here / "harness.py", here / "harness" / "__init__.py"):
        if theirs.is_file() and ours not in theirs.resolve().parents:
            return (
                f"this folder has a module named `harness` of its own ({theirs.relative_to(here)}), which hides "
                "this package wherever Python looks here first (`python -m harness`, `python -m pytest`): use the "
                "commands `interactions-harness` and `pytest`, or rename that module"
            )
    return ""
