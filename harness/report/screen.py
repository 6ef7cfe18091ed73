"""Writes lines to a terminal or a log, with colour and a progress line only where they are wanted.

Layer 6. Must not know what is reported.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TextIO

PAUSE = 15.0
"""Least seconds between two lines of progress in a log."""

_WIDEST = 79
"""Most characters of a progress line: one that the terminal wraps cannot be erased."""


def wants_colour(stream: TextIO, environment: Mapping[str, str], choice: str = "auto") -> bool:
    """Whether to use colour: `always`, `never`, or on a terminal unless NO_COLOR is set (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class Screen:
    """The output of a report. Progress is drawn only on a terminal, which can erase it; a log gets only lines."""

    def __init__(self, out: TextIO, *, colour: bool = False) -> None:
        self._out = out
        self._colour = colour
        self._progress = out.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False
        self._told = time.monotonic()

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.erase()
        self._out.write(text + "\n")

    def draw(self, text: str) -> None:
        """Draw the progress line in place of the previous one."""
        if self._progress:
            self.erase()
            self._out.write(text[:_WIDEST])
            self._out.flush()
            self._drawn = True

    def tell(self, text: str) -> None:
        """Draw the progress line; in a log, write it now and then, so that a long search is not silent."""
        self.draw(text)
        if not self._progress and time.monotonic() - self._told >= PAUSE:
            self.line(text)
            self._out.flush()
            self._told = time.monotonic()

    def erase(self) -> None:
        """Erase the progress line."""
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._drawn = False

    def paint(self, code: str, text: str) -> str:
        """`text` in a colour (an SGR code), or unchanged if there is no colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
