"""Ids that never repeat, and are the same every time for the same seed.

Layer 2. A counter that only grows is mixed with the seed; nothing is random. Callers treat ids as opaque.
"""

from __future__ import annotations

_MIX = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class IdSequence:
    """Hands out ids of any kind from one counter."""

    __slots__ = ("_count", "_salt")

    def __init__(self, seed: int) -> None:
        self._count = 0
        self._salt = ((seed + 1) * 0xD1B54A32D192ED03) & _MASK

    def number(self) -> int:
        """Return the next 64-bit number. The odd factor makes the mixing a bijection, so no number comes twice."""
        self._count += 1
        return ((self._count * _MIX) & _MASK) ^ self._salt

    def call(self) -> str:
        """Return the id of a new tool call."""
        return f"call_{self.number():016x}"

    def make_id(self, prefix: str) -> str:
        """Return an id for any other resource. Environments get 32 hex digits, as in every published sample."""
        number = self.number()
        if prefix in {"", "env", "environment"}:
            return f"{number:016x}{number ^ _MASK:016x}"
        return f"{prefix}-{number:016x}"
