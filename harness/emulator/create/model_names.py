"""Which names are those of models: any version of a known family, but no slip of the pen.

Layer 2. The list of models is open and grows every month, so what is known serves only to notice misspelt words.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import takewhile

MODEL_NAME = re.compile(
    r"(models/)?((gemini|gemma|lyria|nano-banana|veo|imagen)[a-z-]*-\d[\w.-]*"
    r"|gemini-[a-z-]+-latest|gemini-(omni|robotics)[\w.-]+|nano-banana-pro-preview)"
)
"""The name of a model of a known family; any version is one."""
_SHORT = 3
"""Words of fewer letters are too short to tell a slip from another word."""


def correct_model_name(name: str, known: Collection[str]) -> str:
    """The name with each word as the `known` models write it, if it is one slip away from theirs."""
    if name in known:
        return name
    words = {word for model in known for word in model.split("-") if word.isalpha() and len(word) >= _SHORT}
    family, *parts = name.split("-")
    return "-".join([family, *(_correct(part, words) for part in parts)])


def _correct(word: str, words: set[str]) -> str:
    if word in words or not word.isalpha():
        return word
    return min((known for known in words if _is_one_slip(word, known)), default=word)


def _is_one_slip(word: str, other: str) -> bool:
    """Whether one letter was left out, added, replaced, or swapped with the next."""
    if abs(len(word) - len(other)) > 1:
        return False
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    left, right = word[start:], other[start:]
    swapped = left[1:2] + left[:1] + left[2:]
    return right in (left[1:], swapped) or left[1:] == right[1:] or left == right[1:]
