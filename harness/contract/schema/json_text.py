"""JSON as the schema files are written: what fits on a line is on one line, lists of words fill their lines.

Layer 1. Must not know what it writes.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

_WIDTH = 107


def format_json(value: Any) -> str:
    """The text of a file, with a newline at its end."""
    return _format(value, 0, 0) + "\n"


def _format(value: Any, indent: int, used: int) -> str:
    """The value as text whose first line starts at column `used`, in a block that is indented by `indent`."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or (indent and used + len(flat) <= _WIDTH):
        return flat
    inner = " " * (indent + 2)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        keys = {key: f"{json.dumps(key, ensure_ascii=False)}: " for key in value}
        rows = [
            inner + key + _format(value[name], indent + 2, indent + 3 + len(key)) for name, key in keys.items()
        ]
    elif all(isinstance(item, str) and " " not in item for item in value):
        lines = textwrap.wrap(flat[1:-1], _WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
        return "\n".join([opening, *(inner + line for line in lines), " " * indent + closing])
    else:
        rows = [inner + _format(item, indent + 2, indent + 3) for item in value]
    return f"{opening}\n" + ",\n".join(rows) + f"\n{' ' * indent}{closing}"
