"""The error raised for a cassette that cannot be read, written or recorded. Layer 1."""

from __future__ import annotations

from harness.outcome import UsageFault


class CassetteError(UsageFault):
    """A cassette cannot be used; the message says which one, where in it, why, and what to do."""
