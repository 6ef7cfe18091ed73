"""Reads bytes that may or may not be JSON, and writes JSON: what the generic layers need to look into a body.

Layer 0. As lenient as the standard library; never raises, whatever the bytes. The contract judges whether they are
good JSON.
"""

from __future__ import annotations

import json
from typing import Any


def json_or_none(data: bytes) -> Any:
    """The JSON value of `data`; None for `null`, for what is not JSON, and for JSON nested too deeply."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def object_or_none(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`; None for any other value and for what is not JSON."""
    value = json_or_none(data)
    return value if isinstance(value, dict) else None


def encode_json(value: Any, *, compact: bool = False) -> bytes:
    """The value as UTF-8, `compact` without spaces. Half a surrogate, which some send, stays one."""
    separators = (",", ":") if compact else None
    return json.dumps(value, ensure_ascii=False, separators=separators).encode("utf-8", "surrogatepass")
