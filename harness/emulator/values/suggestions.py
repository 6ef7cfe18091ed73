"""Suggests what a mistyped name probably meant, in one sentence.

Layer 2. Knows spelling; must not know where the names come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from harness.outcome.words import nearest

_CLOSE = 0.7
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """Convert camelCase to snake_case: `systemInstruction` → `system_instruction`."""
    return _HUMP.sub("_", name).lower()


def camel(name: str) -> str:
    """Convert snake_case to camelCase: `system_instruction` → `systemInstruction`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def suggestion(name: str, options: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?`, or `""` if nothing is close: a far-fetched name would mislead."""
    known = sorted(options)
    near = [snake(name)] if snake(name) in known else nearest(name.lower(), known, most=1)
    close = near and (near[0].startswith(name.lower()) or _rate_similarity(name.lower(), near[0]) >= _CLOSE)
    return f" Did you mean '{near[0]}'?" if close else ""


def _rate_similarity(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
