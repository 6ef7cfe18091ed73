"""The tail of an error message about a word nobody knows: the nearest known ones.

Layer 4.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`: did you mean 'x' or 'y'?`, or `otherwise` where nothing is near; without that all known words, if few."""
    words = list(known)
    near = difflib.get_close_matches(word, words, n=3, cutoff=0.75)
    near = near or [candidate for candidate in words if word and candidate.startswith(word)][:3]
    near = near or difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if near:
        return ": did you mean " + " or ".join(repr(candidate) for candidate in near) + "?"
    if otherwise:
        return otherwise
    return ": known are " + ", ".join(words) if 0 < len(words) <= 20 else ""
