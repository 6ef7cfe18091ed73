"""Suggestions for an unknown word: the known words that were probably meant.

Layer 0. Knows spelling; must not know where the words come from. All messages use this one measure of
similarity, so their suggestions agree.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_FEW = 30


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known words spelled almost like `word`, else those that start with it, else one that is similar."""
    words = list(known)
    return (
        difflib.get_close_matches(word, words, n=most, cutoff=0.75)
        or [candidate for candidate in words if word and candidate.startswith(word)][:most]
        or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    )


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`: did you mean 'x' or 'y'?`; if nothing is similar, `otherwise`, or else the known words if few."""
    words = list(known)
    near = nearest(word, words)
    if near:
        return f": did you mean {' or '.join(map(repr, near))}?"
    return otherwise or (": known are " + ", ".join(words) if 0 < len(words) <= _FEW else "")
