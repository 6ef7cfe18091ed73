"""Masks: what may differ between two runs of the same code is replaced by a word, and nothing else.

A mask names one shape of text. A mask that is only right for some outputs is listed with those items, not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Mask(NamedTuple):
    """A shape of text that changes from run to run, and the word that takes its place."""

    pattern: re.Pattern[str]
    word: str

    def apply(self, text: str) -> str:
        """The text with every match replaced."""
        return self.pattern.sub(self.word, text)


def mask(pattern: str, word: str) -> Mask:
    """A mask from the source of its pattern; `word` may refer to groups."""
    return Mask(re.compile(pattern, re.MULTILINE), word)


PORT = mask(r"((?:127\.0\.0\.1|localhost):|gateways\.py [\w.-]+ )\d{4,5}\b", r"\1<port>")
"""The port of a server that was started for the run."""

DURATIONS = (
    mask(r'("(?:seconds|took|first_byte|body|between)": )\d+(?:\.\d+)?(?:e-\d+)?', r'\1"<seconds>"'),
    mask(r'("at": )\d+\.\d+', r'\1"<seconds>"'),
    mask(r"\b(in )\d+(?:\.\d+)? s\b", r"\1<seconds> s"),
    mask(r'( time=")[\d.]+"', r'\1<seconds>"'),
    mask(r"^(\s+)\d+\.\d{3} s(  -)", r"\1<seconds> s\2"),
    mask(r'("started": )"[^"]*"', r'\1"<moment>"'),
)
"""When a run began, and how long a part took: in JSON, in a closing line, in JUnit, in the requests of cases."""

EVERYWHERE = (PORT, *DURATIONS)


def mask_all(text: str, places: Mapping[str, str], masks: Iterable[Mask] = ()) -> str:
    """The text without what is volatile: `places` (a path and its word, longest first), then each mask."""
    for path in sorted(places, key=len, reverse=True):
        text = text.replace(path, places[path])
    for each in (*EVERYWHERE, *masks):
        text = each.apply(text)
    return text
