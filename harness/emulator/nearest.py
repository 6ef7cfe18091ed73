"""One sentence for a mistyped name: what was probably meant.

Layer 2. Knows spelling; must not know where the names come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """`systemInstruction` → `system_instruction`; names without humps come back as they are."""
    return _HUMP.sub("_", name).lower()


def suggestion(name: str, options: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or `""` when nothing is near."""
    known = sorted(options)
    near = [snake(name)] if snake(name) in known else get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
