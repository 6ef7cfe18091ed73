"""Limits on memory: of all agents, credentials, triggers, voices and webhooks together, and of all files.

Layer 2. A limit on their number alone bounds nothing: one may be as large as a body. Knows which call creates,
changes or deletes one; must not know what it is. What an answer hides was in the request that brought it, so the
larger of the two counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from harness.emulator.resources.refusals import over_quota
from harness.emulator.values.call import Call
from harness.emulator.values.weight import weigh_json

BOUNDED = frozenset({"agents", "credentials", "triggers", "voices", "webhooks"})
"""The resources that count. Environments have a limit of their own, and make room by themselves."""


class Allowance:
    """Counts what each of these resources takes; `limit` is the value of the setting `max_resource_bytes`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[tuple[str, ...], int] = {}
        self._sum = 0

    def handle(self, call: Call, answer: Callable[..., Any], *named: str) -> Any:
        """Return the answer to a call with these names in its path.

        Raises `Refusal` 429 if there is no room for what the request brings.
        """
        if call.segments[0] not in BOUNDED:
            return answer(call, *named)
        asked = weigh_json(call.request.body)
        more = max(0, asked - self._held.get((call.project, *call.segments[:2]), 0))
        if more and self._sum + more > self.limit:
            raise over_quota(
                f"All {', '.join(sorted(BOUNDED))} take about {self._sum} bytes of memory, and {more} more are "
                f"too many. Delete some, or raise the emulator's setting max_resource_bytes={self.limit}."
            )
        answered = answer(call, *named)
        match call.request.method, call.segments:
            case "DELETE", (kind, item):
                self._hold((call.project, kind, item), 0)
            case "POST" | "PATCH", (kind, *rest) if len(rest) < 2 and isinstance(answered, dict):
                made = rest[0] if rest else answered.get("id")
                if isinstance(made, str):  # a voice that is not stored has none
                    place = (call.project, kind, made)
                    shown = weigh_json(msgspec.json.encode(answered))
                    self._hold(place, max(asked, shown, self._held.get(place, 0)))
        return answered

    def _hold(self, place: tuple[str, ...], size: int) -> None:
        self._sum += size - self._held.pop(place, 0)
        if size:
            self._held[place] = size


class Shelf:
    """Counts the bytes of uploaded files and documents; `limit` is the value of the setting `max_file_bytes`.

    Unlike the service's quota of 20 GB, the limit is a setting: it bounds the memory of this process.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @property
    def room(self) -> int:
        """How many bytes there is room for."""
        return max(0, self.limit - self.held)

    @property
    def remedy(self) -> str:
        """A sentence that says how to make more room."""
        return f"Delete files or documents, or raise the emulator's setting max_file_bytes={self.limit}."

    def take(self, size: int) -> None:
        """Count `size` more bytes. Raises `Refusal` 429 if there is no room for them."""
        if size > self.room:
            raise over_quota(
                f"Files and documents hold {self.held} bytes, and {size} more are too many. {self.remedy}"
            )
        self.held += size

    def give_back(self, size: int) -> None:
        """Count `size` bytes less."""
        self.held -= size
