"""Suggests what a mistyped name probably meant, in one sentence.

Layer 2. Knows spelling; must not know where the names come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.outcome.suggest import nearest

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """Convert camelCase to snake_case: `systemInstruction` → `system_instruction`."""
    return _HUMP.sub("_", name).lower()


def suggestion(name: str, options: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?`, or `""` if nothing is similar."""
    known = sorted(options)
    near = [snake(name)] if snake(name) in known else nearest(name.lower(), known, most=1)
    return f" Did you mean '{near[0]}'?" if near else ""
