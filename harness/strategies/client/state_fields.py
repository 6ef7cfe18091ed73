"""What to leave out of the state of the reference service and its client, so that equal states are recognised.

Layer 2, data only. The service is known by the names of its fields alone; a test walks it and misses no name.
"""

from __future__ import annotations

import re

IGNORED = frozenset({
    "clock", "_clock", "lock", "_lock", "log", "timestamps", "ids", "settings", "_settings", "resources",
    "_resources", "number", "created", "updated", "serial", "_kept", "_world", "replies", "meter", "recorder",
    "_began", "_limits", "_started", "wake", "_paced", "moves", "_mark", "_iterator",
    "contract", "_contract", "_validator", "_order", "_writer",
})  # fmt: skip
"""Fields that hold times, locks, logs, generators of ids, the contract, and parts without state of their own."""

IDS = re.compile(r"v1_[\w-]{40,}|[0-9a-f]{16}")
OPAQUE = frozenset({"signature"})
