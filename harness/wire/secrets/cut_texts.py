"""Finds what is left of known texts where somebody cut a text inside one of them. Layer 0."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from string import ascii_lowercase, ascii_uppercase

from harness.wire.secrets.known_texts import KnownTexts

_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)

_HALF_ESCAPE = r"%[0-9a-f]?|\\{1,8}(?:u[0-9a-f]{0,3})?|&(?:#x?[0-9a-f]{0,6})?"
"""What a cut leaves of the escape of one character; the end of one is any few of its characters."""

_CUT = re.compile(rf"(?P<rest>(?:{_HALF_ESCAPE}|[0-9a-fux#;]{{1,6}})?)(?:…|\.\.\.|['\"`()<]|\Z)", re.IGNORECASE)
"""What may stand at the place where somebody cut a text."""

_LEFT_AT_END = re.compile(rf"(?:{_HALF_ESCAPE})\Z", re.IGNORECASE)


class CutTexts:
    """Known texts of which a beginning of `least` characters or more is found if a cut follows it.

    To find ends that follow a cut, add reversed texts and search a reversed text. The time hardly depends on how
    many texts there are.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._longest = 0
        self._by_start: dict[str, list[str]] = {}
        self._starts = KnownTexts()

    def add(self, texts: Iterable[str]) -> None:
        """Find the beginnings of these, too."""
        new = set()
        for text in map(lower_ascii, texts):
            start = text[: self._least]
            if len(text) > self._least:
                self._longest = max(self._longest, len(text))
                if start not in self._by_start:
                    new.add(start)
                insort(self._by_start.setdefault(start, []), text)
        self._starts.add(new)

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where each beginning stands, with the half of an escape behind it, and the text that it begins."""
        at = 0
        for start, _ in sorted(self._starts.find(text)):
            if start < at:
                continue
            part = lower_ascii(text[start : start + self._longest])
            whole, size = _find_most_common(self._by_start[part[: self._least]], part)
            cut = _CUT.match(text, start + size)
            if size < len(whole) and cut is not None:
                at = cut.end("rest")
                yield start, at, whole


def _find_most_common(texts: list[str], part: str) -> tuple[str, int]:
    """That of the sorted texts which has the longest beginning in common with `part`, and its length."""
    at = bisect_left(texts, part)
    return max(
        ((text, _count_common(text, part)) for text in texts[max(at - 1, 0) : at + 1]), key=lambda one: one[1]
    )


def _count_common(text: str, other: str) -> int:
    pairs = zip(text, other, strict=False)
    return next((n for n, (one, two) in enumerate(pairs) if one != two), min(len(text), len(other)))


def count_left_at_end(text: str) -> int:
    """How many characters at the end of a text are half of an escape."""
    found = _LEFT_AT_END.search(text, max(0, len(text) - 16))
    return len(found[0]) if found else 0


def lower_ascii(text: str) -> str:
    """The text with small ASCII letters, so that it keeps its length."""
    return text.lower() if text.isascii() else text.translate(_SMALL)
