"""Smaller forms of a JSON value, to find out which of its parts matter.

Layer 1, pure. Must not know what a value means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def weigh(value: Any) -> int:
    """How large a value is, as JSON text; 0 for none."""
    return 0 if value is None else len(json.dumps(value, ensure_ascii=False))


def simpler_values(value: Any) -> Iterator[Any]:
    """Smaller values, each with one part removed or made smaller; larger removals first."""
    if isinstance(value, Mapping):
        for name in value:
            yield {key: item for key, item in value.items() if key != name}
        for name, item in value.items():
            yield from ({**value, name: smaller} for smaller in simpler_values(item))
    elif isinstance(value, list):
        if len(value) > 2:
            yield from (value[: len(value) // 2], value[len(value) // 2 :])
        yield from ([*value[:at], *value[at + 1 :]] for at in range(len(value)))
        for at, item in enumerate(value):
            yield from ([*value[:at], smaller, *value[at + 1 :]] for smaller in simpler_values(item))
    elif isinstance(value, str) and len(value) > 1:
        half = len(value) // 2
        yield from (value[:half], value[half:])
        if len(value) > 2:
            yield from (value[1:], value[:-1])
