"""What was expected and what came, with the place marked where they differ. Layer 6."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MOST = 4_000
"""Most characters that are compared: more takes long, and nobody reads it."""

_ALIKE = 0.25
"""Below this share of common text, without spaces at its ends, the two are marked as a whole."""


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A piece of text, and whether it differs from the other side."""

    text: str
    differs: bool


def compare_texts(expected: str, actual: str) -> tuple[tuple[MarkedText, ...], tuple[MarkedText, ...]]:
    """Both texts in parts, in their order."""
    if not expected or not actual or max(len(expected), len(actual)) > _MOST:
        return _mark_whole(expected), _mark_whole(actual)
    before, after = _WORD.findall(expected), _WORD.findall(actual)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    blocks = matcher.get_matching_blocks()
    common = sum(len("".join(before[block.a : block.a + block.size]).strip()) for block in blocks)
    if common < _ALIKE * max(len(expected), len(actual)):
        return _mark_whole(expected), _mark_whole(actual)
    left: list[MarkedText] = []
    right: list[MarkedText] = []
    for tag, i, j, m, n in matcher.get_opcodes():
        same = tag == "equal"
        _add(left, "".join(before[i:j]), differs=not same)
        _add(right, "".join(after[m:n]), differs=not same)
    return tuple(left), tuple(right)


def _mark_whole(text: str) -> tuple[MarkedText, ...]:
    return (MarkedText(text, True),) if text else ()


def _add(parts: list[MarkedText], text: str, *, differs: bool) -> None:
    if text:
        parts.append(MarkedText(text, differs))
