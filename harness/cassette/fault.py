"""What is raised for a cassette that cannot be read, written or made. Layer 1."""

from __future__ import annotations

from harness.outcome import UsageFault


class CassetteError(UsageFault):
    """A cassette is not usable; the message says which, where in it, why, and what to do."""
