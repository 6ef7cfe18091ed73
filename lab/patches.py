"""Patches of files of a checkout."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def format_patch(changes: Iterable[tuple[str, str, str]]) -> str:
    """The patch of files, for `git apply` at the root of a checkout; of each its path, old text and new text."""
    lines: list[str] = []
    for path, before, after in changes:
        lines += difflib.unified_diff(
            _split_lines(before),
            _split_lines(after),
            f"a/{path}" if before else "/dev/null",
            f"b/{path}",
        )
    return "".join(lines)


def _split_lines(text: str) -> list[str]:
    """The lines as `git apply` counts them; `splitlines` also ends one at U+2028, which a stranger may send."""
    return [f"{line}\n" for line in text.removesuffix("\n").split("\n")] if text else []
