"""The bytes of uploaded files and documents, and the limit on all of them together.

Layer 2. Knows how much is held; must not know what it is. Unlike the service's quota of 20 GB, the limit is a
setting: it bounds the memory of this process.
"""

from __future__ import annotations

from harness.emulator.resources.refusals import over_quota


class Shelf:
    """Counts the bytes that are held; `limit` is the value of the setting `max_file_bytes`."""

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
