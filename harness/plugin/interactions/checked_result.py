"""A fixture that knows how the code under test has to end, and whether its test asked for that.

Layer 7. What follows if nobody asked is decided in `harness.plugin.unused_result`.
"""

from __future__ import annotations

from harness.plugin.interactions.emulator import InteractionsEmulator


class CheckedResult:
    """Keeps a test's emulator. Whoever tells the test what is expected sets `_asked`."""

    def __init__(self, emulator: InteractionsEmulator) -> None:
        self.emulator = emulator
        self._asked = False

    @property
    def was_asked(self) -> bool:
        """Whether the test asked what is expected, or looked at what the client sent."""
        return self._asked or self.emulator.was_looked_at

    def note_checked(self) -> None:
        """Say that the test checks the result in its own way, so that it gets no warning."""
        self._asked = True
