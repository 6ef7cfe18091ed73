"""Ids that never repeat and are the same in every run with the same seed.

Layer 2. A counter that never goes back is mixed with the seed; nothing is random. Callers treat ids as opaque.
"""

from __future__ import annotations

_MIX = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Ids:
    """Hands out ids of any kind from one counter."""

    __slots__ = ("_count", "_salt")

    def __init__(self, seed: int) -> None:
        self._count = 0
        self._salt = ((seed + 1) * 0xD1B54A32D192ED03) & _MASK

    def number(self) -> int:
        """The next 64-bit number; the odd factor makes the mixing a bijection, so none comes twice."""
        self._count += 1
        return ((self._count * _MIX) & _MASK) ^ self._salt

    def call(self) -> str:
        """The id of a new tool call."""
        return f"call_{self.number():016x}"

    def named(self, prefix: str) -> str:
        """An id for any other resource; environments are 32 hex digits in every sample."""
        number = self.number()
        if prefix in {"", "env", "environment"}:
            return f"{number:016x}{number ^ _MASK:016x}"
        return f"{prefix}-{number:016x}"
