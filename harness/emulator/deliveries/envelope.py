"""What a delivery says: the envelope of an event, and which status of an interaction makes which event.

Layer 2. Sources: the webhook guide for the envelope and the seven events. A cancelled or incomplete interaction
has no event that can be subscribed to. Where `user_metadata` goes is not published; `data` is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

VERSION = "v1"

EVENT_OF_STATUS = {
    "completed": "interaction.completed",
    "requires_action": "interaction.requires_action",
    "failed": "interaction.failed",
}
"""The event that a background run causes when it settles in a status; other statuses cause none."""


def build_envelope(
    event: str,
    interaction_id: str,
    timestamp: str,
    *,
    errors: list[Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a delivery; of a failed interaction it says why, by the first of its errors."""
    data: dict[str, Any] = {"id": interaction_id}
    if event == EVENT_OF_STATUS["failed"]:
        first = errors[0] if errors and isinstance(errors[0], dict) else {}
        data["error_code"] = str(first.get("code") or "api_error")
        data["error_message"] = str(first.get("message") or "The interaction failed.")
    if metadata:
        data["user_metadata"] = dict(metadata)
    return msgspec.json.encode({"type": event, "version": VERSION, "timestamp": timestamp, "data": data})
