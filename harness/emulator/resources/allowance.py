"""The limit on the memory that all agents, credentials, triggers, voices and webhooks take together.

Layer 2. A limit on their number alone bounds nothing: one may be as large as a body. Knows which call creates,
changes or deletes one; must not know what it is. What an answer hides was in the request that brought it, so the
larger of the two counts.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.emulator.resources.refusals import over_quota
from harness.emulator.values.call import Call
from harness.emulator.values.weight import weigh_json
from harness.wire import Chunk, Response
from harness.wire.json_value import object_or_none

BOUNDED = frozenset({"agents", "credentials", "triggers", "voices", "webhooks"})
"""The resources that count. Environments have a limit of their own, and make room by themselves."""


class Allowance:
    """Counts what each resource takes; `limit` is the value of the setting `max_resource_bytes`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[tuple[str, ...], int] = {}
        self._sum = 0

    def handle(self, call: Call, answer: Callable[[Call], Response]) -> Response:
        """Return the answer. Raises `Refusal` 429 if there is no room for what the request brings."""
        if call.segments[0] not in BOUNDED:
            return answer(call)
        asked = weigh_json(call.request.body)
        more = max(0, asked - self._held.get((call.project, *call.segments[:2]), 0))
        if more and self._sum + more > self.limit:
            raise over_quota(
                f"All {', '.join(sorted(BOUNDED))} take about {self._sum} bytes of memory, and {more} more are "
                f"too many. Delete some, or raise the emulator's setting max_resource_bytes={self.limit}."
            )
        response = answer(call)
        match call.request.method, call.segments:
            case "DELETE", (kind, item):
                self._hold((call.project, kind, item), 0)
            case "POST" | "PATCH", (kind, *rest) if len(rest) < 2:
                data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
                response = Response.json(response.status, data)
                made = rest[0] if rest else (object_or_none(data) or {}).get("id")
                if isinstance(made, str):  # a voice that is not stored has none
                    place = (call.project, kind, made)
                    self._hold(place, max(asked, weigh_json(data), self._held.get(place, 0)))
        return response

    def _hold(self, place: tuple[str, ...], size: int) -> None:
        self._sum += size - self._held.pop(place, 0)
        if size:
            self._held[place] = size
