"""What was probably meant by a word that nobody knows.

Layer 0. Knows spelling; must not know where the words come from. One measure of nearness, so that no message
suggests what another would not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_FEW = 20


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known words that are spelled nearly like `word`, else those that begin so, else the least far one."""
    words = list(known)
    return (
        difflib.get_close_matches(word, words, n=most, cutoff=0.75)
        or [candidate for candidate in words if word and candidate.startswith(word)][:most]
        or difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    )


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`: did you mean 'x' or 'y'?`, or `otherwise` where nothing is near; without that all known words, if few."""
    words = list(known)
    near = nearest(word, words)
    if near:
        return f": did you mean {' or '.join(map(repr, near))}?"
    return otherwise or (": known are " + ", ".join(words) if 0 < len(words) <= _FEW else "")
