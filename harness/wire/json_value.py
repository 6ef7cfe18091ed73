"""JSON that may be none: what the generic layers need to look into a body.

Layer 0. As lenient as the standard library, and never an exception on account of the bytes; whether they are good
JSON is `harness.contract.json_read`'s to judge.
"""

from __future__ import annotations

import json
from typing import Any


def json_or_none(data: bytes) -> Any:
    """The JSON value of `data`; None, which `null` is as well, where it has none or is nested too deep."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def object_or_none(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`; None where there is another value or none."""
    value = json_or_none(data)
    return value if isinstance(value, dict) else None
